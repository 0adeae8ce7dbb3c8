/**
 * What the three parties of a tunnel agree on: the visitor's program, the edge and the device.
 *
 * The visitor opens a WebSocket at the device's host, which the edge carries to the device like any
 * other. In its messages both ends say frames of link/frames.ts, all of stream 1 (link/pipe.ts). Inside
 * runs TLS 1.3 from the visitor to the device: what the edge carries is ciphertext.
 */

import { limits } from "./limits.ts";
import { webService } from "./link/headers.ts";
import type { Position } from "./link/pipe.ts";

/** The WebSocket subprotocol (RFC 6455 §1.9) that a visitor must offer. */
export const tunnelSubprotocol = "latchkey.tunnel.v1";
/** On the device's host; `?service=` names one of the device's services. */
export const tunnelPath = "/.well-known/latchkey/tunnel";
/** With which the agent names its TCP services when it connects: names alone, never a target. */
export const tcpHeader = "latchkey-tcp";

/** With which a visitor names a tunnel: 192 bits of its own, so that it can go on with it. */
export const tunnelIdHeader = "latchkey-tunnel";
/** With which a visitor goes on with a tunnel: how far it got. */
export const tunnelAtHeader = "latchkey-tunnel-at";

const SERVICE = /^[a-z][a-z0-9-]{0,31}$/;
const ID = /^[\w-]{32}$/;

/** True for what may name a tunnel: base64url of 24 bytes. */
export function isTunnelId(text: string): boolean {
  return ID.test(text);
}

/** A position as text: the visitor's in a header, the device's in the first frame, a HEAD. */
export function positionText({ received, taken }: Position): string {
  return `${received} ${taken}`;
}

/** Reads what `positionText` wrote; null when it is none. */
export function readPosition(text: string): Position | null {
  const [, received, taken] = /^(\d{1,15}) (\d{1,15})$/.exec(text) ?? [];
  return received === undefined ? null : { received: Number(received), taken: Number(taken) };
}

/** True for what a TCP service may be called. `web` is the page's. */
export function isTcpService(name: string): boolean {
  return SERVICE.test(name) && name !== webService;
}

/** The names in an agent's header, each once, sorted; what is no name is left out. */
export function tcpServicesIn(header: string | null): string[] {
  const names = (header ?? "").split(",", 4 * limits.tcpServicesPerDevice);
  const good = new Set(names.map((name) => name.trim()).filter(isTcpService));
  return [...good].sort().slice(0, limits.tcpServicesPerDevice);
}

/**
 * The ALPN identifier (RFC 7301) of a service: part of what TLS authenticates, so nobody on the way
 * can lead a visitor of one service to another.
 */
export function tunnelAlpn(service: string): string {
  return `latchkey-tunnel/1/${service}`;
}

/** Close codes of a visitor's WebSocket (RFC 6455 §7.4.2), beside 1000: both directions ended. */
export const tunnelCloseCodes = {
  /** The right to be here ended: taken away, the token ended, or Link was switched off. */
  revoked: 4010,
  /** Nothing moved for `limits.tunnelIdleMs`. */
  idle: 4011,
  /** The device's connection went: the tunnel goes on with the next, if both ends come back. */
  lost: 4012,
  /** Too many bytes passed today (docs/link.md, `LINK_BUDGETS`). */
  spent: 4013,
  /** The box's program, which kept it, ends. */
  ended: 4014,
  /** As `lost`, and that program said no word: it crashed, or is back in a moment. */
  vanished: 4015,
  protocolError: 4003,
} as const;

/** What an answer of the device says that is no WebSocket. */
export const tunnelStatuses = {
  /** Nothing answers at the service. */
  unreachable: 502,
  /** It offers no such service. */
  unknown: 404,
  /** This program of the box knows no such tunnel, or no longer; another may. */
  gone: 410,
} as const;
