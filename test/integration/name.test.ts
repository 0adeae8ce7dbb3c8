/** The name on a whole running edge: what a forged header changes, what stands on disk, what an answer looks like on the wire. */

import { readdir } from "node:fs/promises";
import { connect } from "node:net";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { World } from "../contract/suite/world.ts";
import { newMarker, search } from "../support/canary.ts";
import { type Scenario, startWorld, withDevice } from "../support/scenario.ts";

let world: World;
let nas: Scenario;

beforeAll(async () => {
  world = await startWorld();
  nas = await withDevice(world);
});
afterAll(() => world.close());

const basic = (user: string, password: string) => ({
  authorization: `Basic ${btoa(`${user}:${password}`)}`,
});

async function update(query: string, headers: Record<string, string> = {}): Promise<string> {
  const answer = await fetch(`${world.origin}/nic/update?hostname=${nas.host}&${query}`, {
    headers: { ...basic(nas.host, nas.updateSecret), ...headers },
  });
  return await answer.text();
}

/** An address that occurs nowhere else: 64 random bits under the documentation prefix. */
function markedAddress(): string {
  const bits = crypto.getRandomValues(new Uint16Array(4));
  return `2001:db8:7:7:${[...bits].map((group) => (group | 0x1000).toString(16)).join(":")}`;
}

describe("the client's own address", () => {
  it.each([
    ["X-Forwarded-For", "203.0.113.66"],
    ["X-Forwarded-For", "203.0.113.66, 203.0.113.67"],
    ["X-Real-IP", "203.0.113.66"],
    ["Forwarded", "for=203.0.113.66"],
    ["CF-Connecting-IP", "203.0.113.66"],
    ["True-Client-IP", "203.0.113.66"],
    ["MF-CF-Blob", JSON.stringify({ clientIp: "203.0.113.66" })],
    ["CF-Connecting-IPv6", "2001:db8::66"],
    ["X-Latchkey-Peer", "203.0.113.66"],
  ])("is not what %s: %s says", async (header, value) => {
    expect(await update("", { [header]: value })).toMatch(/^(good|nochg) 127\.0\.0\.1$/);
    expect((await nas.box.ask("")).json.name).toMatchObject({ ipv4: "127.0.0.1", ipv6: null });
  });
});

describe("an answer on the wire", () => {
  /** The whole answer to a request of one's own making. */
  async function raw(lines: string[]): Promise<string> {
    const socket = connect(world.port, "127.0.0.1");
    socket.end(`${lines.join("\r\n")}\r\n\r\n`);
    let text = "";
    for await (const chunk of socket) text += String(chunk);
    return text;
  }

  it.each([
    ["a verdict", "", 200, "good 203.0.113.4"],
    ["badauth", "x", 401, "badauth"],
  ])("has a length and no chunks: %s", async (_what, suffix, status, text) => {
    const { authorization } = basic(nas.host, nas.updateSecret + suffix);
    const answer = await raw([
      `GET /nic/update?hostname=${nas.host}&myip=203.0.113.4 HTTP/1.1`,
      `Host: localhost:${world.port}`,
      `Authorization: ${authorization}`,
      "User-Agent: router/1.0",
      "Connection: close",
    ]);
    expect(answer).toMatch(new RegExp(`^HTTP/1\\.1 ${status} `));
    expect(answer).toMatch(new RegExp(`\r\ncontent-length: ${text.length}\r\n`, "i"));
    expect(answer).not.toMatch(/transfer-encoding/i);
    expect(answer.split("\r\n\r\n")[1]).toBe(text);
  });

  it("is badagent without a User-Agent", async () => {
    const answer = await raw([
      `GET /nic/update?hostname=${nas.host} HTTP/1.1`,
      `Host: localhost:${world.port}`,
      `Authorization: ${basic(nas.host, nas.updateSecret).authorization}`,
      "Connection: close",
    ]);
    expect(answer).toMatch(/^HTTP\/1\.1 200 .*\r\n\r\nbadagent$/s);
  });
});

describe("what stands on disk", () => {
  it("no object for a name that nobody has", async () => {
    const objects = async () =>
      (await readdir(world.data, { recursive: true })).filter((file) =>
        /DeviceObject.*\.sqlite$/.test(file),
      );
    const before = await objects();
    expect(before.length).toBeGreaterThan(0);
    for (const host of [`${newMarker()}.${world.ddnsZone}`, `www.${nas.host}`, world.ddnsZone]) {
      const answer = await fetch(`${world.origin}/nic/update?hostname=${host}`, {
        headers: basic(host, nas.updateSecret),
      });
      expect(answer.status).toBe(401);
      const dns = Buffer.concat([
        Buffer.from([0, 0, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0]),
        ...host.split(".").map((label) => Buffer.from([label.length, ...Buffer.from(label)])),
        Buffer.from([0, 0, 1, 0, 1]),
      ]);
      expect(
        (await fetch(`${world.origin}/dns-query?dns=${dns.toString("base64url")}`)).status,
      ).toBe(200);
    }
    expect(await objects()).toEqual(before);
  });

  it("[CON-2] [CON-5] no address, neither now nor earlier, nor after the name is off", async () => {
    const addresses = Array.from({ length: 5 }, markedAddress);
    for (const address of addresses) {
      expect(await update(`myip=${address}`)).toBe(`good ${address}`);
    }
    const markers = Object.fromEntries(addresses.map((address, at) => [`address ${at}`, address]));
    const secret = { secret: nas.updateSecret };
    const controls = { label: nas.box.label };
    const look = () => search({ folder: world.data, markers: { ...markers, ...secret }, controls });
    expect(await look()).toEqual([]);
    await nas.box.switch("name", false);
    expect(await look()).toEqual([]);
  });
});
