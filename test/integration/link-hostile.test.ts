/**
 * Hostile devices at a running edge, over raw WebSockets: whatever breaks a rule of docs/link.md ends
 * that connection with a reason, and what breaks none of them changes nothing. An honest device's
 * transfer runs beside each attack and ends whole.
 */

import { createHash } from "node:crypto";
import { once } from "node:events";
import { createServer, type Server } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import { Agent, request } from "undici";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import type WebSocket from "ws";
import { closeCodes } from "../../protocol/agent.ts";
import { limits } from "../../protocol/limits.ts";
import { endFlag, frameType, u32 } from "../../protocol/link/frames.ts";
import { deno } from "../contract/deno-process.ts";
import { Box } from "../contract/suite/box.ts";
import { newPerson } from "../contract/suite/person.ts";
import type { TestSocket } from "../contract/suite/socket.ts";
import { newLabel, World } from "../contract/suite/world.ts";
import { workerd } from "../contract/workerd.ts";
import { memoryBytes, processOn } from "../support/processes.ts";

const MIB = 1 << 20;
const TRANSFER_MIB = 2;
const block = Buffer.alloc(MIB, "what an honest device sends. ");
const ABNORMAL = 1006;
const TOO_BIG = 1009; // RFC 6455 §7.4.1, said by a runtime that counts before we do

/** One frame, right or wrong. */
function frame(type: number, stream: number, payload: Uint8Array | string = "", flags = 0): Buffer {
  const body = Buffer.from(payload);
  const head = Buffer.alloc(12);
  head.writeUInt8(type, 0);
  head.writeUInt8(flags, 1);
  head.writeUInt32BE(stream, 4);
  head.writeUInt32BE(body.byteLength, 8);
  return Buffer.concat([head, body]);
}

const head = (stream: number, json = '{"status":200,"headers":[]}') =>
  frame(frameType.head, stream, json);
const data = (stream: number, bytes: number, flags = 0) =>
  frame(frameType.data, stream, new Uint8Array(bytes), flags);
/** As many of a small frame as a message holds. */
const flood = (small: Buffer) =>
  Buffer.concat(Array(Math.floor(limits.linkMessageBytes / small.byteLength)).fill(small));
const altered = (bytes: Buffer, at: number, value: number) => {
  bytes.writeUInt8(value, at);
  return bytes;
};

/** What a hostile device says; `stream` is that of a visitor who waits. */
type Attack = (stream: number) => (Buffer | string)[];

const broken: readonly (readonly [string, Attack])[] = [
  ["text where frames belong", () => ["hello"]],
  ["an empty message", () => [Buffer.alloc(0)]],
  ["a message that is too long", () => [Buffer.alloc(limits.linkMessageBytes + 1, 4)]],
  ["an unknown type", (stream) => [frame(200, stream)]],
  ["type 0", (stream) => [frame(0, stream)]],
  ["reserved bits", (stream) => [altered(head(stream), 3, 1)]],
  ["a flag nobody knows", (stream) => [frame(frameType.head, stream, "{}", 128)]],
  ["half a header", (stream) => [head(stream).subarray(0, 7)]],
  ["half a frame", (stream) => [head(stream).subarray(0, 20)]],
  ["a length of 4 GiB", (stream) => [altered(head(stream), 8, 255)]],
  ["HELLO of a device", () => [frame(frameType.hello, 0, u32(1 << 16))]],
  ["OPEN of a device", () => [frame(frameType.open, 2, '{"service":"web"}')]],
  ["a stream of the wrong parity", () => [data(2, 1)]],
  ["a head without a stream", () => [head(0)]],
  ["DATA before HEAD", (stream) => [data(stream, 1)]],
  ["HEAD twice", (stream) => [Buffer.concat([head(stream), head(stream)])]],
  ["a head that is no JSON", (stream) => [head(stream, "[[[[")]],
  ["a head that is no HTTP", (stream) => [head(stream, '{"status":200,"headers":[["a b","c"]]}')]],
  [
    "a head with a line end",
    (stream) => [head(stream, '{"status":200,"headers":[["a","b\\r\\nc: d"]]}')],
  ],
  ["an informational head", (stream) => [head(stream, '{"status":101,"headers":[]}')]],
  [
    "a head of 64 KiB and one byte",
    (stream) => [head(stream, " ".repeat(limits.linkHeadBytes + 1))],
  ],
  [
    "10,000 headers",
    (stream) => [
      head(stream, JSON.stringify({ status: 200, headers: Array(6000).fill(["a", "b"]) })),
    ],
  ],
  [
    "a frame of more than 64 KiB",
    (stream) => [Buffer.concat([head(stream), data(stream, limits.linkDataBytes + 1)])],
  ],
  ["credit beyond every window", (stream) => [frame(frameType.credit, stream, u32(0xffff_ffff))]],
  ["a credit of three bytes", (stream) => [frame(frameType.credit, stream, "abc")]],
  ["a ping of 65 bytes", () => [frame(frameType.ping, 0, "p".repeat(65))]],
];

/** Breaks no rule: the connection stands, and the visitor is served after it. */
const tiresome: readonly (readonly [string, Attack])[] = [
  [
    "RESETs of streams that are gone",
    (stream) => Array(20).fill(flood(frame(frameType.reset, stream - 2, u32(1)))),
  ],
  ["CREDIT of nothing", (stream) => Array(20).fill(flood(frame(frameType.credit, stream, u32(0))))],
  [
    "CREDIT for the connection",
    () => Array(20).fill(flood(frame(frameType.credit, 0, u32(0xffff_ffff)))),
  ],
  ["PONGs nobody asked for", () => Array(20).fill(flood(frame(frameType.pong, 0)))],
  ["DATA of a stream that is gone", (stream) => Array(20).fill(data(stream - 2, 1000))],
];

describe.each([workerd, deno])("hostile devices on $name", (runtime) => {
  let world: World;
  let honest: Box;
  let hostile: Box;
  let service: Server;
  let agent: TestSocket;
  /** Sockets of the hostile device, which end with their test. */
  const met: WebSocket[] = [];
  const dispatcher = new Agent({ connections: 300, headersTimeout: 30_000 });

  beforeAll(async () => {
    world = await World.create(runtime);
    const owner = await newPerson(world);
    honest = await Box.enroll(world, owner, newLabel());
    hostile = await Box.enroll(world, owner, newLabel());
    for (const box of [honest, hostile]) {
      await box.switch("link", true);
      await box.ask("/access", "PUT", { mode: "everyone" });
    }
    service = createServer((_from, to) => {
      to.setHeader("content-length", TRANSFER_MIB * MIB);
      for (let at = 0; at < TRANSFER_MIB; at++) to.write(block);
      to.end();
    });
    service.listen(0, "127.0.0.1");
    await once(service, "listening");
    agent = await honest.serve(`http://127.0.0.1:${(service.address() as AddressInfo).port}`);
  });
  afterEach(async () => {
    for (const socket of met.splice(0)) {
      const closed = socket.readyState === socket.CLOSED || once(socket, "close");
      socket.terminate();
      await closed;
    }
  });
  afterAll(async () => {
    agent?.socket.terminate();
    service?.closeAllConnections();
    service?.close();
    await dispatcher.destroy();
    await world?.close();
  });

  const visit = (box: Box, init: { method?: "GET" | "PUT"; body?: Buffer } = {}) =>
    request(`http://127.0.0.1:${world.port}/`, {
      ...init,
      headers: { host: world.doorHost(box.label) },
      dispatcher,
    });

  /** A transfer of the honest device that is on its way; resolves with whether it came whole. */
  async function transfer(): Promise<() => Promise<boolean>> {
    const answer = await visit(honest);
    return async () => {
      const [got, sent] = [createHash("sha256"), createHash("sha256")];
      for await (const chunk of answer.body) got.update(chunk as Buffer);
      for (let at = 0; at < TRANSFER_MIB; at++) sent.update(block);
      return got.digest("hex") === sent.digest("hex");
    };
  }

  /** The hostile device's socket with a visitor who waits, and what became of the visitor. */
  async function meet() {
    const { socket, closed } = await hostile.connect();
    met.push(socket);
    const reason = once(socket, "close").then(([, text]) => String(text));
    const opened = nextStream(socket);
    const visitor = visit(hostile, { method: "PUT", body: Buffer.from("waits") }).then(
      async ({ statusCode, body }) => ({ status: statusCode, whole: await isWhole(body) }),
    );
    return { socket, closed, reason, visitor, stream: await opened };
  }

  it.each(broken)("%s ends the connection with a reason", async (_name, attack) => {
    const whole = await transfer();
    const { socket, closed, reason, visitor, stream } = await meet();
    for (const message of attack(stream)) socket.send(message);
    expect([closeCodes.protocolError, TOO_BIG]).toContain(await closed);
    if ((await closed) === closeCodes.protocolError) expect(await reason).toMatch(/[a-z]{3} [a-z]/);
    const { status, whole: served } = await visitor;
    expect(status === 502 || !served, "the visitor got no success").toBe(true);
    expect(await whole()).toBe(true);
  });

  it.each(tiresome)("a flood of %s changes nothing", async (_name, attack) => {
    const whole = await transfer();
    const { socket, visitor, stream } = await meet();
    for (const message of attack(stream)) socket.send(message);
    socket.send(Buffer.concat([head(stream), data(stream, 3, endFlag)]));
    expect(await visitor).toEqual({ status: 200, whole: true });
    expect(await whole()).toBe(true);
  });

  it("more than a window, to a visitor who does not read, ends the connection", async () => {
    const whole = await transfer();
    const { socket, closed } = await hostile.connect();
    met.push(socket);
    const opened = nextStream(socket);
    const answer = visit(hostile);
    const stream = await opened;
    socket.send(head(stream));
    const { body } = await answer;
    body.on("error", () => {}); // it is cut off
    const piece = Buffer.concat(Array(3).fill(data(stream, limits.linkFrameBytes)));
    for (let sent = 0; sent < 64 && socket.readyState === socket.OPEN; sent++) socket.send(piece);
    // What was on its way when the edge closed makes a reset of it, which may pass the reason.
    expect([closeCodes.protocolError, ABNORMAL]).toContain(await closed);
    expect(await whole()).toBe(true);
    body.destroy();
  });

  it("a device that never reads costs the edge no memory", async () => {
    const whole = await transfer();
    const { socket } = await hostile.connect();
    met.push(socket);
    const raw = (socket as unknown as { _socket: Socket })._socket;
    const pid = await processOn(world.port);
    const before = await memoryBytes(pid);
    raw.pause();
    // Four uploads of 64 MiB stop at their windows; 120 MiB of pings are not answered for ever.
    const uploads = Array.from({ length: 4 }, () =>
      visit(hostile, { method: "PUT", body: Buffer.alloc(64 * MIB) }).catch(() => null),
    );
    // As many as may come at once: more are "too many pings".
    const ping = frame(frameType.ping, 0, "p".repeat(64));
    const pings = Buffer.concat(Array(limits.linkControlFrames - 1).fill(ping));
    for (let sent = 0; sent < 1600 && socket.readyState === socket.OPEN; sent++) {
      socket.send(pings);
      if (sent % 16 === 0) await new Promise((resolve) => setImmediate(resolve));
    }
    expect(await whole()).toBe(true);
    await drained(socket);
    expect((await memoryBytes(pid)) - before).toBeLessThan(96 * MIB);
    await Promise.all(uploads);
  });
});

/** The stream of the next OPEN. */
function nextStream(socket: WebSocket): Promise<number> {
  return new Promise((resolve) => {
    const look = (message: Buffer, isBinary: boolean) => {
      for (let at = 0; isBinary && at + 12 <= message.byteLength; ) {
        if (message.readUInt8(at) === frameType.open) {
          socket.off("message", look);
          return resolve(message.readUInt32BE(at + 4));
        }
        at += 12 + message.readUInt32BE(at + 8);
      }
    };
    socket.on("message", look);
  });
}

async function isWhole(body: AsyncIterable<unknown>): Promise<boolean> {
  try {
    for await (const _ of body);
    return true;
  } catch {
    return false;
  }
}

/** Resolves when everything was sent, or when nothing more goes out: the edge takes no more of it. */
async function drained(socket: WebSocket): Promise<void> {
  for (let still = 0, last = -1; still < 50 && socket.bufferedAmount > 0; still++) {
    if (socket.bufferedAmount !== last) still = 0;
    last = socket.bufferedAmount;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
