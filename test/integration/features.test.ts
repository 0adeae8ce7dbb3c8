/**
 * Features on a whole running edge, byte by byte: what is off leaves nothing in the data folder, and
 * what is switched off leaves nothing that can be read.
 */

import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { agentSocketPath, agentSubprotocol } from "../../protocol/agent.ts";
import { hashToken } from "../../protocol/tokens.ts";
import type { Runtime } from "../contract/runtime.ts";
import { Box } from "../contract/suite/box.ts";
import { ask, cookieOf } from "../contract/suite/http.ts";
import { newPerson, type Person } from "../contract/suite/person.ts";
import { TestSocket } from "../contract/suite/socket.ts";
import { newLabel, World } from "../contract/suite/world.ts";
import { workerd } from "../contract/workerd.ts";
import { newMarker, search } from "../support/canary.ts";
import { keysFoundIn, keysIn, newKeysIn } from "../support/key-files.ts";

/** The edge behind a proxy on this machine, so that a device may come from any address. */
const behindProxy: Runtime = {
  name: "workerd behind a proxy",
  start: ({ variables, ...place }) =>
    workerd.start({
      ...place,
      variables: { ...variables, SOURCE_ADDRESS: "trusted-proxy", TRUSTED_PROXIES: "127.0.0.1" },
    }),
};

let world: World;
let owner: Person;

beforeAll(async () => {
  world = await World.create(behindProxy);
  owner = await newPerson(world);
});
afterAll(() => world?.close());

/** An address that is nobody else's, in the form in which it is kept. */
function newAddress(): string {
  const group = () => (0x1000 + Math.floor(Math.random() * 0xefff)).toString(16);
  return `2001:db8:${[group(), group(), group(), group(), group(), group()].join(":")}`;
}

interface Traces {
  readonly address: string;
  readonly agent: string;
  readonly assertion: string;
}

/** Connects from an address and with a name that leave a trace wherever they are written. */
async function connect(box: Box): Promise<{ socket: TestSocket; traces: Traces }> {
  const traces = { address: newAddress(), agent: newMarker(), assertion: await box.assertion() };
  const socket = await TestSocket.open(world, agentSocketPath, {
    protocols: [agentSubprotocol],
    headers: {
      authorization: `Bearer ${traces.assertion}`,
      "user-agent": traces.agent,
      "x-forwarded-for": traces.address,
    },
  });
  await socket.until((text) => JSON.parse(text).type === "features");
  return { socket, traces };
}

/** Uses the name: a token for updates. */
async function nameToken(box: Box): Promise<{ secret: string }> {
  return { secret: await box.nameToken() };
}

/** Uses the door: its owner comes in with a code, once more with the visit that it became. */
async function visit(box: Box): Promise<{ code: string; token: string }> {
  const [nonce, host] = [newMarker(), world.doorHost(box.label)];
  const query = new URLSearchParams({ label: box.label, nonce: await hashToken(nonce), to: "/" });
  const handed = await ask(world, `/door?${query}`, { token: owner.token });
  const enter = new URL(String(handed.headers.location));
  const cookie = `__Host-door-nonce=${nonce}`;
  const entered = await ask(world, enter.pathname + enter.search, { host, headers: { cookie } });
  const token = cookieOf(entered, "__Host-door");
  const code = enter.searchParams.get("code");
  if (code === null || token === null) throw new Error(`the door stayed shut: ${entered.status}`);
  return { code, token };
}

describe("what is off", () => {
  it("[FEA-1] leaves no byte of a device that connects and goes", async () => {
    const box = await Box.enroll(world, owner, newLabel());
    await world.sweep(); // makes the keys of the house, which are nobody's
    const before = await keysIn(world.data);
    const { socket, traces: left } = await connect(box);
    const controls = { label: box.label };
    expect(await search({ folder: world.data, markers: { ...left }, controls })).toEqual([]);
    socket.socket.close();
    await socket.closed;
    await world.sweep();
    expect(await search({ folder: world.data, markers: { ...left }, controls })).toEqual([]);
    expect(await keysIn(world.data)).toHaveLength(before.length);
  });

  it("would have left a record, were it on", async () => {
    const box = await Box.enroll(world, owner, newLabel());
    const before = await keysIn(world.data);
    await box.switch("link", true);
    const { socket, traces: left } = await connect(box);
    const { connection } = (await box.ask("")).json;
    expect(connection).toMatchObject({ online: true, address: left.address, agent: left.agent });
    expect(await keysIn(world.data)).toHaveLength(before.length + 1);
    socket.socket.close();
  });
});

describe("what is switched off", () => {
  it.each(["name", "link"] as const)(
    "[FEA-4] %s: used, then off, is unreadable in every copy; the other stays; [FEA-7] on again is empty",
    async (feature) => {
      const box = await Box.enroll(world, owner, newLabel());
      const staying = await Box.enroll(world, owner, newLabel());
      await staying.switch(feature, true);
      await world.sweep(); // makes what others of the zone have under way
      const before = await keysIn(world.data);
      await box.switch(feature, true);
      const { socket, traces: left } = await connect(box);
      const secrets = feature === "name" ? await nameToken(box) : await visit(box);
      const made = await newKeysIn(world.data, before);
      expect(made.length).toBe(feature === "name" ? 2 : 1);
      expect(await keysFoundIn(world.data, made)).toEqual(made);

      await box.switch(feature, false);
      await world.sweep();
      const markers = { ...left, ...secrets };
      const controls = { label: box.label };
      expect(await search({ folder: world.data, markers, controls })).toEqual([]);
      expect(await keysFoundIn(world.data, made)).toEqual([]);
      expect((await box.ask("")).json).toMatchObject({
        features: { name: false, link: false, lan: false },
        connection: null,
        name: null,
      });
      expect((await staying.ask("")).json.features[feature]).toBe(true);

      socket.socket.close();
      await socket.closed;
      await box.switch(feature, true);
      expect((await box.ask("")).json.connection).toBeNull();
      const { name } = (await box.ask("")).json;
      if (feature === "name") {
        const empty = { ipv4: null, ipv6: null, changed_at: null, tokens: 0, flooding: 0, idle: 0 };
        expect(name).toEqual(empty);
      }
    },
  );
});
