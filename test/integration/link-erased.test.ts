/**
 * The moment an account is erased, at the doors: whatever is open of its owner's device or as its
 * visitor ends within seconds, for both sides, and what others have open goes on.
 */

import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Agent, request } from "undici";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { WebSocket, WebSocketServer } from "ws";
import { Home } from "../../agent/home.ts";
import { openTunnel } from "../../agent/tunnel/visitor.ts";
import { deno } from "../contract/deno-process.ts";
import { ask, cookieOf } from "../contract/suite/http.ts";
import { newPerson, type Person } from "../contract/suite/person.ts";
import { World } from "../contract/suite/world.ts";
import { workerd } from "../contract/workerd.ts";
import { type OpenDoor, openDoor } from "../support/open-door.ts";
import { accessToken, TcpService } from "../support/tunnel.ts";

/** RGT-14: open sockets are closed within ten seconds. */
const CLOSED_MS = 10_000;
/** workerd keeps the connection for ten seconds after the closing handshake. */
const closing = { closeTimeout: 500 };

describe.each([workerd, deno])("an erased account on $name", (runtime) => {
  let world: World;
  let folder: string;
  let service: Server;
  let chat: TcpService;
  let door: OpenDoor;
  const dispatcher = new Agent({ connections: 8 });

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "latchkey-erased-"));
    world = await World.create(runtime);
    service = createServer((_from, to) => void to.write("the first words of many"));
    const sockets = new WebSocketServer({ server: service });
    sockets.on("connection", (socket) => {
      socket.on("message", (data, isBinary) => socket.send(data, { binary: isBinary }));
    });
    service.listen(0, "127.0.0.1");
    await once(service, "listening");
    chat = await TcpService.start((socket) => socket.pipe(socket));
  });
  beforeEach(async () => {
    const origin = `http://127.0.0.1:${(service.address() as AddressInfo).port}`;
    door = await openDoor(world, folder, origin, { tcp: [`chat=${chat.address}`] });
    return () => door.close();
  });
  afterAll(async () => {
    await dispatcher.destroy();
    await chat?.close();
    service?.closeAllConnections();
    service?.close();
    await world?.close();
    await rm(folder, { recursive: true, force: true });
  });

  /** Goes in at the door as a browser that is signed in at the console; its cookie. */
  async function enter(person: Person): Promise<string> {
    const pathOf = (location: unknown) => {
      const url = new URL(String(location));
      return url.pathname + url.search;
    };
    const at = { host: door.host };
    const headers = { accept: "text/html" };
    const knock = await ask(world, "/", { ...at, headers });
    const cookie = `__Host-door-nonce=${cookieOf(knock, "__Host-door-nonce")}`;
    const handoff = await ask(world, pathOf(knock.headers.location), {
      token: person.token,
      headers,
    });
    const entered = await ask(world, pathOf(handoff.headers.location), {
      ...at,
      headers: { cookie },
    });
    return `__Host-door=${cookieOf(entered, "__Host-door")}`;
  }

  /** Everything that a person may have open at a door. */
  async function openAll(person: Person) {
    const { token } = await accessToken(world, person);
    const cookie = await enter(person);
    const own = { host: door.host, cookie };
    const socket = new WebSocket(`ws://127.0.0.1:${world.port}/`, [], {
      headers: { ...own, origin: `http://${door.host}` },
      ...closing,
    });
    await once(socket, "open");
    const page = await request(`http://127.0.0.1:${world.port}/`, { headers: own, dispatcher });
    expect(page.statusCode).toBe(200);
    const { publicKey = "" } = (await new Home(join(folder, door.label)).identity()) ?? {};
    const link = `http://${door.host}`;
    const tunnel = await openTunnel({ link, token, service: "chat", publicKey });
    tunnel.on("error", () => undefined);
    tunnel.resume();
    const ends = {
      "a WebSocket": once(socket, "close"),
      "a page on its way": page.body.text().then(
        () => "complete",
        () => "broken",
      ),
      // Not `once` of events, which fails with what the tunnel says of its end.
      "a tunnel": new Promise((resolve) => tunnel.once("close", resolve)),
    };
    page.body.on("error", () => undefined); // it breaks off with all that is open
    return { ends, socket, tunnel, cookie };
  }

  /** What has not ended in time. */
  async function lasting(ends: Readonly<Record<string, Promise<unknown>>>): Promise<string[]> {
    const late = new Promise<"late">((resolve) => setTimeout(resolve, CLOSED_MS, "late").unref());
    const all = await Promise.all(
      Object.entries(ends).map(
        async ([name, end]) => [name, await Promise.race([end, late])] as const,
      ),
    );
    return all.filter(([, end]) => end === "late").map(([name]) => name);
  }

  async function erase({ token, password }: Person): Promise<void> {
    const erased = await ask(world, "/api/account", {
      method: "DELETE",
      token,
      body: { password },
    });
    expect(erased.status).toBe(204);
  }

  it("[RGT-14] ends all that is open at its devices, the device's own socket too", async () => {
    await door.change("/access", { mode: "owner" });
    const { ends, cookie } = await openAll(door.owner);
    const agent = door.ended.then((end) => expect(end).toBe("unregistered"));
    await erase(door.owner);
    expect(await lasting({ ...ends, "the agent": agent })).toEqual([]);
    expect(await ends["a page on its way"]).toBe("broken");
    expect((await ask(world, "/", { host: door.host, headers: { cookie } })).status).toBe(404);
  });

  it("[RGT-14] ends all that is open as a visitor, and nothing of anybody else's", async () => {
    const guest = await newPerson(world);
    await door.change("/access", { mode: "listed" });
    await door.change(`/access/people/${guest.accountId}`, {});
    await door.change("/access/rules", { service: "chat", mode: "listed" });
    const device = await ask(world, `/api/devices/${door.deviceId}`, { token: door.owner.token });
    const rule = device.json.access.rules.find(
      (one: { service?: string }) => one.service === "chat",
    );
    await door.change(`/access/rules/${rule.id}/people/${guest.accountId}`, {});
    const theirs = await openAll(guest);
    const owners = await openAll(door.owner);
    await erase(guest);
    expect(await lasting(theirs.ends)).toEqual([]);
    expect(await theirs.ends["a page on its way"]).toBe("broken");
    const headers = { cookie: theirs.cookie };
    expect((await ask(world, "/", { host: door.host, headers })).status).toBe(401);
    owners.socket.send("still here");
    expect(String((await once(owners.socket, "message"))[0])).toBe("still here");
    owners.tunnel.write("here too");
    expect(String((await once(owners.tunnel, "data"))[0])).toBe("here too");
    await door.change("/features/link", { on: false }); // ends it all, so that the agent has nothing to wait for
    expect(await lasting(owners.ends)).toEqual([]);
  });
});
