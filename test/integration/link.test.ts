/**
 * Link on a whole running edge, with the agent's real end and a local service: large bodies, paused
 * readers, every shape of an answer, and no trace of what passed.
 */

import { createHash } from "node:crypto";
import { once } from "node:events";
import { readdir, readFile, readlink } from "node:fs/promises";
import {
  createServer,
  type IncomingMessage,
  request as plainRequest,
  type Server,
  type ServerResponse,
} from "node:http";
import type { AddressInfo } from "node:net";
import { Readable } from "node:stream";
import { gzipSync } from "node:zlib";
import { Agent, request } from "undici";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import WebSocket from "ws";
import { bulkLaneTo } from "../../agent/bulk.ts";
import { LinkServer } from "../../agent/link.ts";
import { agentSocketPath, agentSubprotocol, pingText } from "../../protocol/agent.ts";
import { limits } from "../../protocol/limits.ts";
import { deno } from "../contract/deno-process.ts";
import { Box } from "../contract/suite/box.ts";
import { type Ask, ask, cookieOf } from "../contract/suite/http.ts";
import { newPerson, type Person } from "../contract/suite/person.ts";
import { newLabel, World } from "../contract/suite/world.ts";
import { workerd } from "../contract/workerd.ts";
import { newMarker, search } from "../support/canary.ts";

const MIB = 1 << 20;
const LARGE_MIB = 256;
const block = Buffer.alloc(MIB, "latchkey, the cloud half of a box that people keep at home. ");
const dispatcher = new Agent({ connections: 128 });

describe.each([workerd, deno])("Link on $name", (runtime) => {
  let world: World;
  let owner: Person;
  let box: Box;
  let socket: WebSocket;
  let link: LinkServer;
  let service: Server;
  /** Bytes that the device has handed to its socket. */
  let sent = 0;
  /** Bytes that came over it. */
  let heard = 0;
  /** How each request to `/taken` ended at the service, and after how many bytes. */
  const taken: { complete: boolean; bytes: number }[] = [];

  beforeAll(async () => {
    world = await World.create(runtime);
    owner = await newPerson(world);
    box = await Box.enroll(world, owner, newLabel());
    await box.switch("link", true);
    service = createServer((from, to) => void serve(from, to));
    service.listen(0, "127.0.0.1");
    await once(service, "listening");
    await connect();
  });

  afterAll(async () => {
    socket?.terminate();
    service?.closeAllConnections();
    service?.close();
    await world?.close();
  });

  /** Connects like the agent does: whoever waits is served from the first message on. */
  async function connect(): Promise<void> {
    const raw = new WebSocket(
      `ws://127.0.0.1:${world.port}${agentSocketPath}`,
      [agentSubprotocol],
      {
        headers: {
          host: `localhost:${world.port}`,
          authorization: `Bearer ${await box.assertion()}`,
        },
        perMessageDeflate: false,
      },
    );
    const server = new LinkServer({
      origin: `http://127.0.0.1:${(service.address() as AddressInfo).port}`,
      send: (message, done) => {
        sent += message.byteLength;
        raw.send(message, done);
      },
      bufferedAmount: () => raw.bufferedAmount,
      onProtocolError: (reason) => raw.close(4003, reason),
      bulk: bulkLaneTo(door(), box.id),
    });
    raw.on("message", (data: Buffer, isBinary) => {
      if (isBinary) server.onMessage(data);
      heard += data.byteLength;
    });
    const pings = setInterval(() => raw.send(pingText), limits.agentPingMs);
    raw.on("close", () => {
      clearInterval(pings);
      server.close();
    });
    [link, socket] = [server, raw];
    await once(raw, "message"); // its features
  }

  /** The service at home. */
  async function serve(from: IncomingMessage, to: ServerResponse): Promise<void> {
    const url = new URL(from.url ?? "/", "http://home.invalid");
    const count = Number(url.searchParams.get("mib") ?? 1);
    switch (url.pathname) {
      case "/file":
        to.setHeader("content-length", count * MIB);
        for (let at = 0; at < count && !to.destroyed; at++) {
          if (!to.write(block)) await room(to);
        }
        return void to.end();
      case "/hash": {
        const hash = createHash("sha256");
        for await (const chunk of from) hash.update(chunk);
        return void to.end(hash.digest("hex"));
      }
      case "/taken": {
        let bytes = 0;
        from.on("data", (chunk: Buffer) => {
          bytes += chunk.byteLength;
        });
        from.on("close", () => void taken.push({ complete: from.complete, bytes }));
        from.on("end", () => void to.end("all of it"));
        from.on("error", () => undefined);
        return;
      }
      case "/chunked":
        for (const word of ["one ", "two ", "three"]) {
          to.write(word);
          await new Promise((resolve) => setImmediate(resolve));
        }
        return void to.end();
      case "/cookies":
        to.setHeader("set-cookie", ["a=1", "b=2; Domain=link.localhost; Path=/", "__Host-door=x"]);
        return void to.end("set");
      case "/gzip":
        to.writeHead(200, { "content-encoding": "gzip", "content-type": "text/plain" });
        return void to.end(gzipSync("squeezed ".repeat(1000)));
      case "/latin":
        to.setHeader("x-file", Buffer.from("inline; filename=caf\u00e9").toString("latin1"));
        return void to.end(Buffer.from(String(from.headers["x-name"]), "latin1"));
      case "/range":
        to.writeHead(206, { "content-range": "bytes 2-4/9" });
        return void to.end(from.headers.range);
      case "/fresh":
        to.writeHead(304, { etag: '"v1"' });
        return void to.end();
      case "/nothing":
        to.writeHead(204);
        return void to.end();
      case "/empty":
        return void to.end();
      case "/moved":
        to.writeHead(302, { location: "http://169.254.169.254/latest/meta-data" });
        return void to.end();
      case "/part":
        to.write("part");
        return; // and never ends
      case "/trace": {
        const body: Buffer[] = [];
        for await (const chunk of from) body.push(chunk as Buffer);
        to.setHeader("x-marker", from.headers["x-marker"] ?? "");
        return void to.end(`${from.url} ${Buffer.concat(body)}`);
      }
      default:
        return void to.writeHead(404).end("not here");
    }
  }

  /** Resolves when more may be written, or when nobody is there to read it. */
  function room(to: ServerResponse): Promise<void> {
    return new Promise((resolve) => {
      const done = () => {
        to.off("drain", done).off("close", done);
        resolve();
      };
      to.on("drain", done).on("close", done);
    });
  }

  const door = () => `http://127.0.0.1:${world.port}`;
  const host = () => world.doorHost(box.label);
  const visit = (path: string, options: Ask = {}) => ask(world, path, { host: host(), ...options });

  /** Asks as a stream. */
  const stream = (path: string) =>
    request(`${door()}${path}`, { headers: { host: host() }, dispatcher });

  /** The hash of `count` blocks. */
  function hashOf(count: number): string {
    const hash = createHash("sha256");
    for (let at = 0; at < count; at++) hash.update(block);
    return hash.digest("hex");
  }

  /** The process that listens on the edge's port. */
  async function edgeProcess(): Promise<number> {
    const port = world.port.toString(16).toUpperCase().padStart(4, "0");
    const listening = (await readFile("/proc/net/tcp", "utf8"))
      .split("\n")
      .map((line) => line.trim().split(/\s+/))
      .find((fields) => fields[1]?.endsWith(`:${port}`) && fields[3] === "0A");
    const wanted = `socket:[${listening?.[9]}]`;
    for (const pid of (await readdir("/proc")).filter((name) => /^\d+$/.test(name))) {
      const files = await readdir(`/proc/${pid}/fd`).catch(() => []);
      for (const file of files) {
        if ((await readlink(`/proc/${pid}/fd/${file}`).catch(() => "")) === wanted)
          return Number(pid);
      }
    }
    throw new Error("nobody listens on the edge's port");
  }

  async function memoryBytes(pid: number): Promise<number> {
    const status = await readFile(`/proc/${pid}/status`, "utf8");
    return Number(/VmRSS:\s+(\d+) kB/.exec(status)?.[1]) * 1024;
  }

  /** Resolves with a number that has stopped changing. */
  function still(read: () => number): Promise<number> {
    let last = -1;
    return vi.waitFor(
      () => {
        const now = read();
        const same = now === last;
        last = now;
        if (!same) throw new Error("still moving");
        return now;
      },
      { timeout: 30_000, interval: 500 },
    );
  }

  describe("a door that is open to everyone", () => {
    beforeAll(async () => {
      await box.ask("/access", "PUT", { mode: "everyone" });
    });

    it("brings 256 MiB out with an equal hash; on workerd, nearly all of it by the bulk lane", async () => {
      const framed = sent;
      const pid = await edgeProcess();
      const before = await memoryBytes(pid);
      const answer = await stream(`/file?mib=${LARGE_MIB}`);
      expect(answer.headers["content-length"]).toBe(String(LARGE_MIB * MIB));
      const hash = createHash("sha256");
      let most = before;
      let count = 0;
      for await (const chunk of answer.body) {
        hash.update(chunk as Buffer);
        if (count++ % 200 === 0) most = Math.max(most, await memoryBytes(pid));
      }
      expect(hash.digest("hex")).toBe(hashOf(LARGE_MIB));
      expect(most - before).toBeLessThan(96 * MIB);
      if (runtime === workerd) expect(sent - framed).toBeLessThan(8 * MIB);
    });

    it("takes 256 MiB in with an equal hash, of known and of unknown length; on workerd, nearly all of it beside the frames", async () => {
      const pid = await edgeProcess();
      const before = await memoryBytes(pid);
      for (const known of [true, false]) {
        async function* body() {
          for (let at = 0; at < LARGE_MIB; at++) yield block;
        }
        const headers: Record<string, string> = { host: host() };
        if (known) headers["content-length"] = String(LARGE_MIB * MIB);
        const framed = heard;
        const answer = await request(`${door()}/hash`, {
          method: "PUT",
          headers,
          body: Readable.from(body()),
          dispatcher,
        });
        expect(await answer.body.text()).toBe(hashOf(LARGE_MIB));
        if (runtime === workerd) expect(heard - framed).toBeLessThan(8 * MIB);
      }
      expect((await memoryBytes(pid)) - before).toBeLessThan(128 * MIB);
    });

    it.each(["the visitor", "the device's connection"])(
      "makes an upload that breaks off a broken request, never a short one: %s goes in the middle",
      async (who) => {
        const before = taken.length;
        const gone = new AbortController();
        const leaves = () => (who === "the visitor" ? gone.abort() : socket.terminate());
        async function* body() {
          for (let at = 0; at < 64; at++) {
            if (at === 40) leaves();
            yield block;
          }
        }
        const answer = await request(`${door()}/taken`, {
          method: "PUT",
          headers: { host: host() },
          body: Readable.from(body()),
          signal: gone.signal,
          dispatcher,
        }).then(
          ({ statusCode, body: said }) => said.dump().then(() => statusCode),
          (error: Error & { code?: unknown }) => (gone.signal.aborted ? 0 : error.code),
        );
        if (who !== "the visitor") await connect();
        // Where more of the body is on its way when the edge answers, the end of the connection may reach the
        // visitor before the answer does (RFC 9112 §9.6).
        const broken = ["EPIPE", "ECONNRESET", "UND_ERR_SOCKET"];
        expect(who === "the visitor" ? [0] : [502, ...broken]).toContain(answer);
        const [ended] = await vi.waitFor(() => {
          expect(taken.length).toBe(before + 1);
          return taken.slice(before);
        });
        expect(ended?.complete).toBe(false);
        expect(ended?.bytes).toBeLessThan(64 * MIB);
      },
    );

    it("holds the device back while a visitor does not read, in bounded memory", async () => {
      const pid = await edgeProcess();
      const before = await memoryBytes(pid);
      const start = sent;
      // Eight visitors who read nothing: without credits 2 GiB would come to lie in the edge.
      const paused = await Promise.all(
        Array.from({ length: 8 }, () => stream(`/file?mib=${LARGE_MIB}`)),
      );
      const held = (await still(() => sent)) - start;
      // What the kernel's and the clients' own buffers take comes on top of a window each.
      expect(held).toBeLessThan(8 * 12 * MIB);
      expect((await memoryBytes(pid)) - before).toBeLessThan(64 * MIB);
      expect((await visit("/chunked")).text).toBe("one two three");
      for (const { body } of paused) body.destroy();
      await vi.waitFor(() => expect(link.session.size).toBe(0), { timeout: 10_000 });
    });

    it("passes every shape of an answer", async () => {
      expect((await visit("/chunked")).text).toBe("one two three");
      const empty = await visit("/empty");
      expect([empty.status, empty.body.length]).toEqual([200, 0]);
      expect((await visit("/nothing")).status).toBe(204);
      const fresh = await visit("/fresh");
      expect([fresh.status, fresh.headers.etag, fresh.body.length]).toEqual([304, '"v1"', 0]);
      const range = await visit("/range", { headers: { range: "bytes=2-4" } });
      expect([range.status, range.text]).toEqual([206, "bytes=2-4"]);
      expect(range.headers["content-range"]).toBe("bytes 2-4/9");
      const headOnly = await visit("/file?mib=3", { method: "HEAD" });
      expect([headOnly.status, headOnly.headers["content-length"], headOnly.body.length]).toEqual([
        200,
        String(3 * MIB),
        0,
      ]);
      const moved = await visit("/moved");
      expect([moved.status, moved.headers.location]).toEqual([
        302,
        "http://169.254.169.254/latest/meta-data",
      ]);
      expect((await visit("/nowhere")).status).toBe(404);
    });

    it("has a viewer beside the device's pages: its page, a frame, what the frame needs", async () => {
      const view = "/.well-known/latchkey/view";
      const page = await visit(`${view}?path=/a.pdf`, {
        headers: { accept: "text/html", cookie: "__Host-door-seen=yes" },
      });
      expect([page.status, page.text]).toEqual([200, expect.stringContaining("<h1")]);
      const frame = /view-pdf\.\w+\.html/.exec(page.text)?.[0];
      for (const [name, type] of [
        [frame, "text/html; charset=utf-8"],
        ["pdfjs-6.5.438-jbig2.wasm", "application/wasm"],
        ["pdfjs-6.5.438-78-EUC-H.bcmap", "application/octet-stream"],
      ]) {
        const file = await visit(`${view}/${name}`, { headers: { "accept-encoding": "gzip" } });
        expect([name, file.status, file.headers["content-type"]]).toEqual([name, 200, type]);
      }
      expect((await visit(`${view}/index.html`)).status).toBe(404);
    });

    it("keeps each Set-Cookie apart, without a parent domain, and none of ours", async () => {
      expect((await visit("/cookies")).headers["set-cookie"]).toEqual(["a=1", "b=2; Path=/"]);
    });

    it("leaves compressed bytes as they are, both ways", async () => {
      const squeezed = gzipSync("squeezed ".repeat(1000));
      const answer = await visit("/gzip", { headers: { "accept-encoding": "gzip" } });
      expect(answer.headers["content-encoding"]).toBe("gzip");
      expect(answer.body.equals(squeezed)).toBe(true);
      const headers = { "content-encoding": "gzip" };
      const hash = createHash("sha256").update(squeezed).digest("hex");
      expect((await visit("/hash", { body: squeezed, headers })).text).toBe(hash);
    });

    it("keeps the bytes of header values", async () => {
      const utf8 = Buffer.from("caf\u00e9").toString("latin1");
      const answer = await new Promise<IncomingMessage>((resolve, reject) => {
        const headers = { host: host(), "x-name": utf8 };
        plainRequest({ host: "127.0.0.1", port: world.port, path: "/latin", headers }, resolve)
          .on("error", reject)
          .end();
      });
      let body = Buffer.alloc(0);
      for await (const chunk of answer) body = Buffer.concat([body, chunk as Buffer]);
      const file = Buffer.from(String(answer.headers["x-file"]), "latin1");
      expect(file.toString("utf8")).toBe("inline; filename=caf\u00e9");
      expect(body.toString("utf8")).toBe("caf\u00e9");
    });

    it("serves a hundred at once", async () => {
      const answers = await Promise.all(
        Array.from({ length: 100 }, (_, at) => visit(`/trace?${at}`, { body: `body ${at}` })),
      );
      for (const [at, answer] of answers.entries())
        expect(answer.text).toBe(`/trace?${at} body ${at}`);
      await vi.waitFor(() => expect(link.session.size).toBe(0));
    });

    it("makes the visitor see an error when the device drops, and is back with it", async () => {
      const answer = await stream("/part");
      const text = answer.body.text();
      socket.terminate();
      await expect(text).rejects.toThrow();
      const waiting = visit("/empty");
      await connect();
      expect((await waiting).status).toBe(200);
    });
  });

  describe("what passed", () => {
    it("[CON-8] leaves no trace of 1,000 requests in any store", async () => {
      await box.ask("/access", "PUT", { mode: "owner" });
      const cookie = await enter();
      const markers = {
        url: newMarker(),
        header: newMarker(),
        cookie: newMarker(),
        body: newMarker(),
        origin: newMarker(),
      };
      for (let batch = 0; batch < 1000; batch += 50) {
        await Promise.all(
          Array.from({ length: 50 }, async (_, at) => {
            const number = `x${batch + at}`;
            const answer = await visit(`/trace/../trace?${markers.url}${number}`, {
              body: `${markers.body}${number}`,
              headers: {
                "x-marker": `${markers.header}${number}`,
                cookie: `${cookie}; own=${markers.cookie}${number}`,
                "sec-fetch-site": "same-origin",
                referer: `http://${host()}/${markers.origin}${number}`,
              },
            });
            expect(answer.text).toContain(`${markers.url}${number} ${markers.body}${number}`);
            expect(answer.headers["x-marker"]).toBe(`${markers.header}${number}`);
          }),
        );
      }
      const controls = { "the device's label": box.label };
      expect(await search({ folder: world.data, markers, controls })).toEqual([]);
      socket.terminate();
      await world.restart();
      expect(await search({ folder: world.data, markers, controls })).toEqual([]);
    });

    /** Goes through the door as the owner; the cookie of the visit. */
    async function enter(): Promise<string> {
      const headers = { accept: "text/html" };
      const knock = await visit("/", { headers });
      const nonce = cookieOf(knock, "__Host-door-nonce");
      const path = (answer: typeof knock) => {
        const url = new URL(String(answer.headers.location));
        return url.pathname + url.search;
      };
      const handoff = await ask(world, path(knock), { token: owner.token, headers });
      const entered = await visit(path(handoff), {
        headers: { cookie: `__Host-door-nonce=${nonce}` },
      });
      return `__Host-door=${cookieOf(entered, "__Host-door")}`;
    }
  });
});
