/** How the agent masks what it sends (RFC 6455 §5.3, §10.3), read off the wire by a server of our own. */

import { createHash } from "node:crypto";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { expect, it } from "vitest";
import { type OpenSocket, openMasked, openSocket } from "../../agent/socket.ts";
import { agentSubprotocol } from "../../protocol/agent.ts";

const MESSAGES = 20;
const MESSAGE = Buffer.from(
  "what a box says to the edge, and long enough for masks in native code",
);

/** The masks of so many messages, each with what it hid. */
async function masksOf(open: OpenSocket): Promise<{ mask: string; said: string }[]> {
  const heard = Promise.withResolvers<Buffer>();
  const frameBytes = 2 + 4 + MESSAGE.length;
  const server = createServer().on("upgrade", (request, socket) => {
    const key = `${request.headers["sec-websocket-key"]}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`;
    const accept = createHash("sha1").update(key).digest("base64");
    socket.write(
      `HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n` +
        `Sec-WebSocket-Accept: ${accept}\r\nSec-WebSocket-Protocol: ${agentSubprotocol}\r\n\r\n`,
    );
    let all = Buffer.alloc(0);
    socket.on("data", (chunk: Buffer) => {
      all = Buffer.concat([all, chunk]);
      if (all.length < MESSAGES * frameBytes) return;
      heard.resolve(all);
      socket.destroy();
    });
    socket.on("error", () => undefined);
  });
  await new Promise<void>((listening) => server.listen(0, "127.0.0.1", listening));
  const cloud = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const who = {
    assertion: "none",
    userAgent: "test",
    greeting: { id: "", epoch: 1 },
    tcp: [],
    ipv6: null,
  };
  const socket = open(cloud, who, {
    onOpen: () => {
      for (let at = 0; at < MESSAGES; at++) socket.send(Uint8Array.from(MESSAGE));
    },
    onText: () => undefined,
    onBinary: () => undefined,
    onEnd: () => undefined,
  });
  const all = await heard.promise;
  socket.terminate();
  await new Promise((closed) => server.close(closed));
  return Array.from({ length: MESSAGES }, (_, at) => {
    const frame = all.subarray(at * frameBytes, (at + 1) * frameBytes);
    expect([frame[0], frame[1]]).toEqual([0x82, 0x80 | MESSAGE.length]);
    const mask = frame.subarray(2, 6);
    const said = frame.subarray(6).map((byte, index) => byte ^ (mask[index & 3] as number));
    return { mask: mask.toString("hex"), said: Buffer.from(said).toString() };
  });
}

it("is by nothing where nobody is on the way", async () => {
  const masks = await masksOf(openSocket);
  expect(new Set(masks.map(({ mask }) => mask))).toEqual(new Set(["00000000"]));
  expect(masks.every(({ said }) => said === MESSAGE.toString())).toBe(true);
});

it("is by another mask for each message with --masked, and says the same", async () => {
  const masks = await masksOf(openMasked);
  expect(new Set(masks.map(({ mask }) => mask)).size).toBe(MESSAGES);
  expect(masks.every(({ said }) => said === MESSAGE.toString())).toBe(true);
});
