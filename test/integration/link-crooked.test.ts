/**
 * Hostile visitors at a running edge, over raw sockets: requests that two parsers might read in two
 * ways, visitors who never finish, and one who wants every stream. A device sees well-formed requests
 * or nothing, and others are served meanwhile.
 */

import { once } from "node:events";
import { createServer, type IncomingMessage, type Server } from "node:http";
import { type AddressInfo, connect, type Socket } from "node:net";
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from "vitest";
import { limits } from "../../protocol/limits.ts";
import { deno } from "../contract/deno-process.ts";
import { Box } from "../contract/suite/box.ts";
import { newPerson } from "../contract/suite/person.ts";
import type { TestSocket } from "../contract/suite/socket.ts";
import { newLabel, World } from "../contract/suite/world.ts";
import { workerd } from "../contract/workerd.ts";
import { crooked, exchange, oddPaths, statuses } from "../support/smuggling.ts";

/** The runtime answers these itself; no code of ours runs (docs/link.md). */
const RUNTIME_FAULTS = ["CONNECT", "CONNECT to a path", "a method nobody knows"];

/** What a URL makes of a path (WHATWG URL §4.4): dots are followed, a backslash is a slash. */
const NORMAL: { readonly [path: string]: string } = {
  "/%2e%2e/up": "/up",
  "/a/./b/../c": "/a/c",
  "/\\back\\slash": "//back/slash",
};

interface Seen {
  readonly method: string;
  readonly path: string;
  readonly headers: IncomingMessage["headers"];
  readonly body: string;
}

describe.each([workerd, deno])("hostile visitors on $name", (runtime) => {
  let world: World;
  let box: Box;
  let service: Server;
  let agent: TestSocket;
  let seen: Seen[] = [];
  let host: string;

  beforeAll(async () => {
    world = await World.create(runtime);
    box = await Box.enroll(world, await newPerson(world), newLabel());
    await box.switch("link", true);
    await box.ask("/access", "PUT", { mode: "everyone" });
    service = createServer((from, to) => {
      if (from.url === "/endless") return void to.write("x".repeat(1 << 20));
      let body = "";
      from.on("data", (chunk) => {
        body += chunk;
      });
      from.on("end", () => {
        seen.push({ method: from.method ?? "", path: from.url ?? "", headers: from.headers, body });
        to.end(`seen ${from.url}`);
      });
    });
    service.listen(0, "127.0.0.1");
    await once(service, "listening");
    agent = await box.serve(`http://127.0.0.1:${(service.address() as AddressInfo).port}`);
    host = world.doorHost(box.label);
  });
  afterAll(async () => {
    agent?.socket.terminate();
    service?.closeAllConnections();
    service?.close();
    await world?.close();
  });
  afterEach(() => {
    seen = [];
  });

  /** Whoever else comes is served as if nothing were. */
  async function othersAreServed(): Promise<void> {
    const honest = await box.visit("/honest");
    expect([honest.status, honest.text]).toEqual([200, "seen /honest"]);
    seen = seen.filter(({ path }) => path !== "/honest");
  }

  it.each(crooked.map((one, at) => [one.name, one, at] as const))("%s", async (_name, one, at) => {
    const path = `/case/${at}`;
    const came = await exchange(world.port, one.bytes(host, path));
    expect(seen.length, "at most one request").toBeLessThanOrEqual(1);
    for (const request of seen) {
      expect(one.refused ?? false, "a request that no device may get").toBe(false);
      expect([path, "/", "/*"]).toContain(request.path);
      expect(request.body).toBe(one.body ?? "");
      expect([host, host.replace(":", ".:")]).toContain(request.headers.host);
      expect(request.headers["x-forwarded-for"]).toBe("127.0.0.1");
      expect(Object.keys(request.headers).filter((name) => /latchkey|real.ip/.test(name))).toEqual(
        [],
      );
    }
    const ours = statuses(came);
    const wrong = ours.filter((status) => status >= 500 && !RUNTIME_FAULTS.includes(one.name));
    expect(wrong, "a fault of ours for a fault of theirs").toEqual([]);
    if (seen.length === 0) expect(ours).not.toContain(200);
    await othersAreServed();
  });

  it.each(oddPaths)("the target %s comes as it is written, or in its normal form", async (path) => {
    const head = `GET ${path} HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`;
    expect(statuses(await exchange(world.port, head))).toEqual([200]);
    expect(seen.map((request) => request.path)).toEqual([NORMAL[path] ?? path]);
  });

  /** Sockets of one client, which say these bytes and no more. */
  async function holding(count: number, from: string, bytes: string): Promise<Socket[]> {
    const sockets = Array.from({ length: count }, () =>
      connect({ host: "127.0.0.1", port: world.port, localAddress: from }),
    );
    for (const socket of sockets) {
      socket.on("error", () => {}); // it may be closed
      socket.write(bytes);
    }
    await Promise.all(sockets.map((socket) => once(socket, "connect")));
    return sockets;
  }

  const letGo = (sockets: readonly Socket[]) => {
    for (const socket of sockets) socket.destroy();
  };

  it("two hundred heads that never end keep nobody out", async () => {
    const slow = await holding(200, "127.0.0.9", `GET / HTTP/1.1\r\nHost: ${host}\r\nX-A: `);
    for (const socket of slow) socket.write("a");
    await othersAreServed();
    letGo(slow);
    expect(seen).toEqual([]);
  });

  it.each([
    ["uploads that never end", `PUT /slow HTTP/1.1\r\nHost: HOST\r\nContent-Length: 9\r\n\r\nx`],
    ["downloads that nobody reads", `GET /endless HTTP/1.1\r\nHost: HOST\r\n\r\n`],
  ])("256 %s by one visitor leave the door open for another", async (_name, bytes) => {
    const all = bytes.replace("HOST", host);
    const taken: Socket[] = [];
    const takeMore = async (count: number) => {
      const more = await holding(count, "127.0.0.9", all);
      for (const socket of more) socket.pause();
      taken.push(...more);
    };
    await takeMore(limits.linkStreams);
    // One more of the same visitor is told to come again, as soon as the share is used up.
    const refused = `GET /more HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`;
    await vi.waitFor(
      async () => {
        const came = await exchange(world.port, refused, { from: "127.0.0.9" });
        // Of so many at once a runtime may have closed some: the visitor goes on asking.
        if (statuses(came)[0] === 200) await takeMore(limits.linkStreamsPerVisitor);
        expect([statuses(came), /retry-after: 2/i.test(came)]).toEqual([[503], true]);
      },
      { timeout: 50_000, interval: 200 },
    );
    await othersAreServed();
    letGo(taken);
    // What they held is free again: the same visitor is served.
    await vi.waitFor(
      async () => {
        const came = await exchange(world.port, refused, { from: "127.0.0.9" });
        expect(statuses(came)).toEqual([200]);
      },
      { timeout: 50_000, interval: 200 },
    );
  });
});
