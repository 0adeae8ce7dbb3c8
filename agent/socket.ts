/**
 * The device's WebSocket (RFC 6455). `ws` is used on Node and on Deno alike: it tells the status of a
 * refused upgrade, can send headers, and lets us choose the mask (docs/decisions/agent.md).
 */

import { WebSocket } from "ws";
import {
  type AgentGreeting,
  agentAddressHeader,
  agentHeader,
  agentSocketPath,
  agentSubprotocol,
  greetingText,
} from "../protocol/agent.ts";
import { limits } from "../protocol/limits.ts";
import { tcpHeader } from "../protocol/tunnel.ts";
import { isLoopback } from "./cloud.ts";
import { reasonOf } from "./failure.ts";

export interface AgentSocket {
  /** @param sent called when the bytes of `data`, which must not change until then, are on their way */
  send(data: string | Uint8Array<ArrayBuffer>, sent?: () => void): void;
  /** Closes politely; `onEnd` follows. */
  close(code: number, reason: string): void;
  /** Drops the connection; `onEnd` follows. */
  terminate(): void;
  bufferedAmount(): number;
}

/** How a connection ended, or why there was none. */
export type SocketEnd =
  | { readonly kind: "closed"; readonly code: number }
  | { readonly kind: "refused"; readonly status: number }
  | { readonly kind: "unreachable"; readonly reason: string };

export interface SocketEvents {
  onOpen(): void;
  onText(text: string): void;
  onBinary(data: Uint8Array<ArrayBufferLike>): void;
  /** Called once, last. */
  onEnd(end: SocketEnd): void;
}

/** Opens the socket of a device at `cloud`. */
export type OpenSocket = (cloud: string, who: UpgradeWords, events: SocketEvents) => AgentSocket;

/** What the upgrade says of the one who asks for it. */
export interface UpgradeWords {
  readonly assertion: string;
  readonly userAgent: string;
  readonly greeting: AgentGreeting;
  /** The names of the TCP services that it offers. */
  readonly tcp: readonly string[];
  /** The IPv6 address that the box keeps; null: nothing is said of it. */
  readonly ipv6: string | null;
}

/**
 * RFC 6455 §10.3: masks guard intermediaries that read the bytes. Under TLS and on loopback there are none,
 * and masking costs more than all the rest; elsewhere masks stay unpredictable.
 */
export const openSocket: OpenSocket = (cloud, who, events) => {
  const url = socketUrl(cloud);
  return opened(url, who, events, url.protocol === "wss:" || isLoopback(url.hostname));
};

/** The same with unpredictable masks always: for a network whose proxy opens TLS and reads what passes. */
export const openMasked: OpenSocket = (cloud, who, events) =>
  opened(socketUrl(cloud), who, events, false);

const socketUrl = (cloud: string) => new URL(agentSocketPath, cloud.replace(/^http/, "ws"));

/** @param unseen nobody on the way reads the bytes */
function opened(url: URL, who: UpgradeWords, events: SocketEvents, unseen: boolean): AgentSocket {
  // workerd keeps the connection for ten seconds after the closing handshake; do not wait for it.
  const closing = { closeTimeout: limits.agentCloseMs };
  const socket = new WebSocket(url, [agentSubprotocol], {
    ...closing,
    headers: {
      authorization: `Bearer ${who.assertion}`,
      "user-agent": who.userAgent,
      [agentHeader]: greetingText(who.greeting),
      ...(who.tcp.length > 0 ? { [tcpHeader]: who.tcp.join(",") } : {}),
      ...(who.ipv6 === null ? {} : { [agentAddressHeader]: who.ipv6 }),
    },
    perMessageDeflate: false,
    handshakeTimeout: limits.agentOpenMs,
    maxPayload: limits.linkMessageBytes,
    ...(unseen ? { generateMask: (mask: Buffer) => void mask.fill(0) } : {}),
  });
  let end: SocketEnd | null = null;
  socket.on("open", () => events.onOpen());
  socket.on("message", (data: Buffer, isBinary: boolean) => {
    if (isBinary) events.onBinary(new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
    else events.onText(data.toString("utf8"));
  });
  socket.on("unexpected-response", (_request, response) => {
    end ??= { kind: "refused", status: response.statusCode ?? 0 };
    socket.terminate();
  });
  socket.on("error", (error) => {
    end ??= { kind: "unreachable", reason: reasonOf(error) };
  });
  socket.on("close", (code) => events.onEnd(end ?? { kind: "closed", code }));
  return {
    send: (data, sent) => {
      if (socket.readyState !== WebSocket.OPEN) return;
      // A `Buffer` is masked where it lies, anything else in a copy.
      const bytes =
        typeof data === "string"
          ? data
          : Buffer.from(data.buffer, data.byteOffset, data.byteLength);
      socket.send(bytes, sent);
    },
    close: (code, reason) => socket.close(code, reason),
    terminate: () => socket.terminate(),
    bufferedAmount: () => socket.bufferedAmount,
  };
}
