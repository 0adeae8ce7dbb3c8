/**
 * What the three parties of a tunnel agree on: the visitor's program, the edge and the device.
 *
 * The visitor opens a WebSocket at the device's host and says frames of link/frames.ts on it, all of
 * stream 1 (link/pipe.ts). Inside runs TLS 1.3 from the visitor to the device: what the edge splices
 * is ciphertext.
 */

import { limits } from "./limits.ts";
import { webService } from "./link/headers.ts";

/** The WebSocket subprotocol (RFC 6455 §1.9) that a visitor must offer. */
export const tunnelSubprotocol = "latchkey.tunnel.v1";
/** On the device's host; `?service=` names one of the device's services. */
export const tunnelPath = "/.well-known/latchkey/tunnel";
/** With which the agent names its TCP services when it connects: names alone, never a target. */
export const tcpHeader = "latchkey-tcp";

const SERVICE = /^[a-z][a-z0-9-]{0,31}$/;

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
  /** The device's connection went, or the edge restarted: open it again. */
  lost: 4012,
  /** `limits.tunnelBytesPerDay` passed today. */
  spent: 4013,
  protocolError: 4003,
} as const;
