/**
 * The cases of Autobahn's WebSocket suite, frame by frame, at a door in front of an echo: what is
 * allowed comes back whole, what is not ends this WebSocket and no other, and never reaches the service.
 */

import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { type WebSocket, WebSocketServer } from "ws";
import { limits } from "../../protocol/limits.ts";
import { deno } from "../contract/deno-process.ts";
import { World } from "../contract/suite/world.ts";
import { workerd } from "../contract/workerd.ts";
import { type OpenDoor, openDoor } from "../support/open-door.ts";
import { closing, frame, opcode, type RawFrame, RawWebSocket } from "../support/raw-websocket.ts";

const { more, text, binary, close, ping, pong } = opcode;
const MIB = 1 << 20;
/** RFC 6455 §7.4.1: why an end may be told for bytes that are not the protocol's. */
const FAULTS = [1002, 1003, 1007, 1009];

describe.each([workerd, deno])("the cases of Autobahn on $name", (runtime) => {
  let world: World;
  let folder: string;
  let echo: WebSocketServer;
  let door: OpenDoor;
  const heard: (Buffer | string)[] = [];
  const open: RawWebSocket[] = [];

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "latchkey-autobahn-"));
    world = await World.create(runtime);
    echo = new WebSocketServer({
      host: "127.0.0.1",
      port: 0,
      maxPayload: limits.linkSocketMessageBytes,
      perMessageDeflate: true,
    });
    await once(echo, "listening");
    echo.on("connection", (socket) =>
      socket.on("message", (data: Buffer, isBinary) => {
        heard.push(isBinary ? data : data.toString());
        socket.send(data, { binary: isBinary });
      }),
    );
    const { port } = echo.address() as AddressInfo;
    door = await openDoor(world, folder, `http://127.0.0.1:${port}`);
  });
  afterAll(async () => {
    await door?.close();
    for (const socket of echo?.clients ?? []) socket.terminate();
    echo?.close();
    await world?.close();
    await rm(folder, { recursive: true, force: true });
  });
  afterEach(() => {
    for (const socket of open.splice(0)) socket.close();
    heard.length = 0;
  });

  async function dial(...headers: string[]): Promise<RawWebSocket> {
    const socket = await RawWebSocket.open(world.port, door.host, "/echo", headers);
    open.push(socket);
    return socket;
  }

  const codeOf = (end: RawFrame | null) =>
    end?.opcode === close && end.payload.length >= 2 ? end.payload.readUInt16BE(0) : null;

  /** Reads on to the end; how it was closed, or null where it broke off. */
  async function ended(socket: RawWebSocket): Promise<{ code: number | null; came: RawFrame[] }> {
    const came: RawFrame[] = [];
    for (;;) {
      const one = await socket.message();
      if (one === null) return { code: null, came };
      if (one.opcode === close) return { code: codeOf(one), came };
      came.push(one);
    }
  }

  const whole: readonly (readonly [string, Buffer[], RawFrame["opcode"], string | Buffer])[] = [
    ["1.1.1 an empty text", [frame(text)], text, ""],
    ["1.1.2 a text of 125", [frame(text, "*".repeat(125))], text, "*".repeat(125)],
    ["1.1.3 a text of 126", [frame(text, "*".repeat(126))], text, "*".repeat(126)],
    ["1.1.5 a text of 128", [frame(text, "*".repeat(128))], text, "*".repeat(128)],
    ["1.1.6 a text of 65535", [frame(text, "*".repeat(65_535))], text, "*".repeat(65_535)],
    ["1.1.7 a text of 65536", [frame(text, "*".repeat(65_536))], text, "*".repeat(65_536)],
    ["1.2.1 an empty binary", [frame(binary)], binary, ""],
    [
      "1.2.7 a binary of 65536",
      [frame(binary, Buffer.alloc(65_536, 254))],
      binary,
      Buffer.alloc(65_536, 254),
    ],
    [
      "5.3 a text in two pieces",
      [frame(text, "one", { fin: false }), frame(more, "two")],
      text,
      "onetwo",
    ],
    [
      "5.8 a binary in pieces, some of them empty",
      [frame(binary, "", { fin: false }), frame(more, "a", { fin: false }), frame(more, "")],
      binary,
      "a",
    ],
    [
      "6.1.3 pieces, of which the last is empty",
      [frame(text, "a", { fin: false }), frame(more)],
      text,
      "a",
    ],
    [
      "6.2.3 a letter cut within its bytes",
      [...Buffer.from("κόσμε")].map((byte, at, all) =>
        frame(at === 0 ? text : more, Buffer.from([byte]), { fin: at === all.length - 1 }),
      ),
      text,
      "κόσμε",
    ],
    ["6.7.1 the letter zero", [frame(text, "\0")], text, "\0"],
    [
      "6.22 letters that are none",
      [frame(text, "\ufffe\uffff\u{10ffff}")],
      text,
      "\ufffe\uffff\u{10ffff}",
    ],
    ["9.1.5 a text of 8 MiB", [frame(text, "*".repeat(8 * MIB))], text, "*".repeat(8 * MIB)],
    [
      "9.2.5 a binary of 8 MiB",
      [frame(binary, Buffer.alloc(8 * MIB, 7))],
      binary,
      Buffer.alloc(8 * MIB, 7),
    ],
    [
      "9.3.5 a text of 4 MiB in pieces of 64 KiB",
      Array.from({ length: 64 }, (_, at) =>
        frame(at === 0 ? text : more, "*".repeat(65_536), { fin: at === 63 }),
      ),
      text,
      "*".repeat(4 * MIB),
    ],
  ];
  it.each(whole)("%s comes back whole", async (_name, frames, kind, expected) => {
    const socket = await dial();
    socket.send(...frames);
    const answer = await socket.message();
    expect(answer?.opcode).toBe(kind);
    expect(answer?.payload.equals(Buffer.from(expected as string))).toBe(true);
  });

  it("1.1.8 a message comes whole, however its bytes come", async () => {
    const socket = await dial();
    socket.socket.setNoDelay(true);
    const bytes = frame(text, "*".repeat(9000));
    for (let at = 0; at < bytes.length; at += 997) {
      socket.socket.write(bytes.subarray(at, at + 997));
      await new Promise((resolve) => setImmediate(resolve));
    }
    expect((await socket.message())?.payload.length).toBe(9000);
  });

  it.each([
    ["2.1 an empty ping", ""],
    ["2.2 a ping with words", "Hello, world!"],
    ["2.3 a ping with bytes that are no text", Buffer.from([0, 255, 254, 253, 252, 251, 0, 255])],
    ["2.4 a ping of 125", Buffer.alloc(125, 254)],
  ])("%s is answered with the same, and no service hears of it", async (_name, payload) => {
    const socket = await dial();
    socket.send(frame(ping, payload));
    const answer = await socket.message();
    expect([answer?.opcode, answer?.payload]).toEqual([pong, Buffer.from(payload as string)]);
    expect(heard).toEqual([]);
  });

  it("2.7, 2.10, 5.6 pongs that nobody asked for, ten pings, a ping between two pieces", async () => {
    const socket = await dial();
    socket.send(frame(pong, "unasked"));
    socket.send(...Array.from({ length: 10 }, (_, at) => frame(ping, `ping ${at}`)));
    // The last of several may be answered alone (RFC 6455 §5.5.3).
    let last = "";
    while (last !== "ping 9") last = String((await socket.message())?.payload);
    socket.send(frame(text, "one", { fin: false }), frame(ping, "between"), frame(more, "two"));
    const answers = [await socket.message(), await socket.message()];
    expect(answers.map((one) => [one?.opcode, String(one?.payload)])).toEqual([
      [pong, "between"],
      [text, "onetwo"],
    ]);
  });

  const wrong: readonly (readonly [string, readonly Buffer[]])[] = [
    ["2.5 a ping of 126", [frame(ping, Buffer.alloc(126, 254))]],
    ...[1, 2, 3, 4, 5, 6, 7].map(
      (rsv) => [`3.${rsv} reserved bits ${rsv}`, [frame(text, "x", { rsv })]] as const,
    ),
    ...[3, 4, 5, 6, 7, 11, 12, 13, 14, 15].map(
      (code) => [`4 the reserved opcode ${code}`, [frame(code, "x")]] as const,
    ),
    ["5.1 a ping in pieces", [frame(ping, "a", { fin: false }), frame(more, "b")]],
    ["5.2 a pong in pieces", [frame(pong, "a", { fin: false }), frame(more, "b")]],
    ["5.9 the rest of nothing", [frame(more, "rest")]],
    [
      "5.10 the rest of nothing, with more to come",
      [frame(more, "rest", { fin: false }), frame(text, "x")],
    ],
    ["5.18 a text within a text", [frame(text, "a", { fin: false }), frame(text, "b")]],
    [
      "6.3.1 bytes that are no text",
      [frame(text, Buffer.from("cebae1bdb9cf83cebcceb5eda080656469746564", "hex"))],
    ],
    ["6.8.1 the beginning of a letter", [frame(text, Buffer.from([0xc2]))]],
    [
      "6.3.2 no text, in pieces",
      [frame(text, Buffer.from([0xce]), { fin: false }), frame(more, Buffer.from([0xff]))],
    ],
  ];
  /** What workerd's parser lets pass: letters that are none become U+FFFD, a long ping is answered. */
  const passedByWorkerd = /^(2\.5|6)/;
  it.each(wrong)("%s ends it, and the service hears nothing", async (name, frames) => {
    const socket = await dial();
    const other = await dial();
    socket.send(...frames, frame(text, "behind it"));
    if (runtime === workerd && passedByWorkerd.test(name)) {
      await expect.poll(() => heard).toContain("behind it"); // else the next case would hear it
    } else {
      const { code, came } = await ended(socket);
      if (code !== null) expect(FAULTS).toContain(code);
      expect(came.filter((one) => one.opcode === text)).toEqual([]);
      expect(heard).toEqual([]);
    }
    other.send(frame(text, "unharmed"));
    expect(String((await other.message())?.payload)).toBe("unharmed");
    expect(heard).toContain("unharmed");
  });

  const closes: readonly (readonly [string, Buffer])[] = [
    ["7.3.2 one byte", Buffer.from("x")],
    ["7.5.1 a reason that is no text", closing(1000, Buffer.from([0xce, 0xba, 0xed, 0xa0, 0x80]))],
    ["7.3.6 a reason of 124 bytes", closing(1000, "*".repeat(124))],
    ...[0, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999].map(
      (code) => [`7.9 the code ${code}`, closing(code)] as const,
    ),
  ];
  it.each(closes)(
    "a close with %s ends it for both, at once, and harms no other",
    async (name, payload) => {
      const socket = await dial();
      const other = await dial();
      const service = [...echo.clients].at(-2) as WebSocket;
      const end = once(service, "close");
      const behind = `behind ${name}`; // its own: what a case before it said may come late
      socket.send(frame(close, payload), frame(text, behind));
      expect((await ended(socket)).came).toEqual([]);
      expect([1000, 1001, 1002, 1005, 1006]).toContain((await end)[0]);
      other.send(frame(text, "unharmed"));
      expect(String((await other.message())?.payload)).toBe("unharmed");
      expect(heard).toContain("unharmed");
      expect(heard).not.toContain(behind);
    },
  );

  it.each([1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 3000, 3999, 4000, 4999])(
    "7.7 the code %i is answered with itself",
    async (code) => {
      const socket = await dial();
      socket.send(frame(text, "before"));
      expect(String((await socket.message())?.payload)).toBe("before");
      socket.send(frame(close, closing(code, "*".repeat(123))));
      expect((await ended(socket)).code).toBe(code);
    },
  );

  it("7.3.1 a close without a code, and 7.1.4 what is said behind one", async () => {
    const socket = await dial();
    socket.send(frame(close), frame(text, "too late"), frame(ping, "late too"));
    const end = await socket.next();
    expect([end?.opcode, [null, 1000, 1005]]).toEqual([
      close,
      expect.arrayContaining([codeOf(end)]),
    ]);
    expect(heard).toEqual([]);
  });

  it.each([
    "permessage-deflate",
    "permessage-deflate; client_max_window_bits",
    "permessage-deflate; client_no_context_takeover; server_max_window_bits=10, permessage-deflate",
    "x-nobody-knows; a=1",
  ])("12 an offer of %s is taken or not, and words pass", async (offer) => {
    const socket = await dial(`Sec-WebSocket-Extensions: ${offer}`);
    const [, taken = ""] = /sec-websocket-extensions: (.*)/i.exec(socket.head) ?? [];
    expect(taken).toMatch(offer.startsWith("permessage") ? /^(permessage-deflate.*)?$/ : /^$/);
    socket.send(frame(text, "not packed, which is allowed"));
    await expect.poll(() => heard).toEqual(["not packed, which is allowed"]);
    const answer = await socket.message();
    // Packed only if it was agreed.
    if (answer?.rsv === 4) expect(taken).not.toBe("");
    else expect(String(answer?.payload)).toBe("not packed, which is allowed");
  });
});
