/** The visitor's end of a tunnel when what carries it breaks: for which answers it comes back, and for which not. */

import { once } from "node:events";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, beforeEach, expect, it, onTestFinished } from "vitest";
import { type WebSocket, WebSocketServer } from "ws";
import { Carriers } from "../../agent/tunnel/carriers.ts";
import { PipeDuplex } from "../../agent/tunnel/duplex.ts";
import { LastingTunnel } from "../../agent/tunnel/lasting.ts";
import { limits } from "../../protocol/limits.ts";
import { encodeMessage, frameType } from "../../protocol/link/frames.ts";
import type { SocketHandler } from "../../protocol/link/messages.ts";
import type { LinkStream } from "../../protocol/link/stream.ts";
import { tunnelAtHeader, tunnelCloseCodes, tunnelSubprotocol } from "../../protocol/tunnel.ts";

let server: Server;
/** What each asking gets: a socket, or a status. */
let answers: ("socket" | "nothing" | number)[];
let asked: (string | undefined)[];
let onSocket: (socket: WebSocket) => void;

beforeEach(async () => {
  [answers, asked] = [[], []];
  const sockets = new WebSocketServer({ noServer: true, handleProtocols: () => tunnelSubprotocol });
  server = createServer();
  server.on("upgrade", (request, raw, head) => {
    asked.push(request.headers[tunnelAtHeader] as string | undefined);
    const answer = answers.shift();
    if (answer === "nothing") {
      raw.destroy();
      return;
    }
    if (answer !== "socket") {
      raw.end(`HTTP/1.1 ${answer} No\r\ncontent-length: 0\r\nconnection: close\r\n\r\n`);
      return;
    }
    sockets.handleUpgrade(request, raw, head, (socket) => {
      const payload = [new TextEncoder().encode("0 0")];
      socket.send(encodeMessage([{ type: frameType.head, end: false, stream: 1, payload }]));
      onSocket(socket);
    });
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
});
afterEach(() => {
  server.closeAllConnections();
  server.close();
});

/** Opens a tunnel; its sockets as they come, and the sentence it ends with. */
function begin() {
  const link = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const duplex = new PipeDuplex();
  duplex.on("error", () => undefined);
  const got: WebSocket[] = [];
  let wake: () => void = () => undefined;
  onSocket = (socket) => {
    got.push(socket);
    wake();
  };
  const end = new Promise<string>((resolve) => {
    new Carriers(duplex, { link, token: "lk_pat_x", service: "ssh" }, resolve).open();
  });
  const next = async (): Promise<WebSocket> => {
    while (got.length === 0) await new Promise<void>((resolve) => (wake = resolve));
    return got.shift() as WebSocket;
  };
  return { duplex, end, next };
}

it("comes back while a program of the box says that it has no such tunnel: another may", async () => {
  answers = ["socket", 410, 503, 410, "socket"];
  const { duplex, end, next } = begin();
  (await next()).close(tunnelCloseCodes.lost);
  const again = await next();
  expect(asked).toEqual([undefined, "0 0", "0 0", "0 0", "0 0"]);
  expect(duplex.destroyed).toBe(false);
  again.close(tunnelCloseCodes.ended);
  expect(await end).toBe("The box's program was stopped.");
  expect(duplex.destroyed).toBe(true);
});

it.each([
  ["lost", 503, true],
  ["vanished", 503, false],
  ["vanished", "nothing", true],
] as const)("comes back to one that was %s, then heard %s: %s", async (how, then, waits) => {
  const changed = limits as { tunnelVanishedMs: number };
  const before = limits.tunnelVanishedMs;
  changed.tunnelVanishedMs = 0;
  onTestFinished(() => {
    changed.tunnelVanishedMs = before;
  });
  answers = ["socket", then, 410, waits ? "socket" : 410];
  const { end, next } = begin();
  (await next()).close(tunnelCloseCodes[how]);
  if (waits) (await next()).close(1000);
  expect(await end).toBe(waits ? "The connection was lost." : "The box has given this tunnel up.");
  expect(asked.length).toBe(waits ? 4 : 3);
});

it("has more patience with a program that comes back than with one that went without a word", () => {
  const { agentBackoffMinMs, tunnelElsewhereMs, tunnelLastingMs, tunnelVanishedMs } = limits;
  // One that lives noticed too, and has tried several times by then.
  expect(tunnelVanishedMs).toBeGreaterThan(4 * agentBackoffMinMs);
  expect(tunnelElsewhereMs).toBeGreaterThan(tunnelVanishedMs);
  expect(tunnelLastingMs).toBeGreaterThan(tunnelElsewhereMs);
});

it.each([400, 401, 403, 404, 426])("does not come back after status %i", async (status) => {
  answers = ["socket", status, "socket"];
  const { end, next } = begin();
  (await next()).close(tunnelCloseCodes.lost);
  await end;
  expect(asked.length).toBe(2);
});

it("is not opened at first by asking twice", async () => {
  answers = [410, "socket"];
  expect(await begin().end).toBe("The box has given this tunnel up.");
  expect(asked).toEqual([undefined]);
});

it.each([false, true])("the box keeps an end whose visitor spoke, and no other (%s)", (spoke) => {
  let over = false;
  let carrier: SocketHandler | undefined;
  const stream = {
    sendHead: () => undefined,
    upgrade: (handler: SocketHandler) => {
      carrier = handler;
    },
    ...{ send: () => true, consumed: () => undefined, close: () => undefined },
  };
  const tunnel = new LastingTunnel(() => {
    over = true;
  });
  tunnel.carry(stream as unknown as LinkStream, { received: 0, taken: 0 });
  const payload = [new Uint8Array(3)];
  const words = encodeMessage([{ type: frameType.data, end: false, stream: 1, payload }]);
  if (spoke) carrier?.message(words, false, true);
  expect(tunnel.met).toBe(spoke);
  carrier?.reset(null);
  expect(over).toBe(!spoke);
  tunnel.end("ended");
  expect(over).toBe(true);
});
