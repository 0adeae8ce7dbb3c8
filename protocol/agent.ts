/** What the agent and the edge say to each other outside the relay's frames. */

import { parseAddress } from "./addresses.ts";
import { limits } from "./limits.ts";
import type { Reach } from "./reach.ts";

/** The WebSocket subprotocol (RFC 6455 §1.9) that an agent must offer. */
export const agentSubprotocol = "latchkey.link.v1";
export const agentSocketPath = "/api/agent/socket";

/** The bulk lane: a segment of a body, sent beside the frames. The device's id follows. */
export const agentBulkPath = "/api/agent/bulk/";
/** How many bytes of this body went in frames: the segment begins behind them. */
export const bulkOffsetHeader = "latchkey-offset";

/**
 * The header of an agent's upgrade: `<id> <epoch>`. Without it a program is one of a kind that
 * knows no other: each of its connections replaces the one before. What it can do, its HELLO says.
 */
export const agentHeader = "latchkey-agent";

/** Which program on the box this is, and which of its connections. */
export interface AgentGreeting {
  /** Random, kept while the program runs; "" for a program that gave none. */
  readonly id: string;
  /** Counts the program's connections, from 1: a newer one replaces an older one. */
  readonly epoch: number;
}

export function greetingText({ id, epoch }: AgentGreeting): string {
  return `${id} ${epoch}`;
}

/** Reads what `greetingText` wrote; null for anything else. */
export function parseGreeting(text: string): AgentGreeting | null {
  const [, id, epoch] = /^([A-Za-z0-9_-]{16,64}) ([1-9]\d{0,14})$/.exec(text) ?? [];
  return id === undefined ? null : { id, epoch: Number(epoch) };
}

/**
 * Text messages that the platform answers without waking the object, on every socket of the object: so
 * they are nothing that a visitor's WebSocket would say.
 */
export const pingText = "latchkey.link.v1 ping";
export const pongText = "latchkey.link.v1 pong";

/** Text messages from the edge to the agent; everything else on the socket is binary frames. */
export type EdgeNotice =
  /** Which features are on: the agent serves a feature only while it is. */
  | {
      readonly type: "features";
      readonly name: boolean;
      readonly link: boolean;
      readonly lan: boolean;
    }
  /** What the device is called: the first label of its name and of its door. */
  | { readonly type: "label"; readonly label: string }
  /** The device is gone for good; do not reconnect. */
  | { readonly type: "unregistered" };

/** The one text message from the agent beside the ping: where the box can be reached (`lan` is on). */
export interface ReachReport {
  readonly type: "reach";
  readonly reach: Reach;
}

/** What an agent said of its ways, not yet checked; null for any other text. */
export function parseReach(text: string): { readonly reach: unknown } | null {
  if (text.length > limits.reachReportLength) return null;
  try {
    const value = JSON.parse(text) as { type?: unknown; reach?: unknown } | null;
    return value?.type === "reach" ? { reach: value.reach } : null;
  } catch {
    return null;
  }
}

/** What the agent found at its local service: it answers, it does not, or there is none. */
export const serviceStates = ["up", "down", "none"] as const;
export type ServiceState = (typeof serviceStates)[number];

/**
 * With which the agent says, when it connects while the name is on, which IPv6 address it keeps: the
 * one it connects from lasts for a day (RFC 8981).
 */
export const agentAddressHeader = "latchkey-ipv6";

/** The same while it is connected. */
export interface AddressNotice {
  readonly type: "address";
  /** As text (RFC 4291 §2.2). */
  readonly ipv6: string;
}

/** Which address an agent says that it keeps, in its canonical form; null for anything else. */
export function parseAddressNotice(text: string): string | null {
  if (text.length > 128) return null;
  try {
    const notice = JSON.parse(text) as { type?: unknown; ipv6?: unknown } | null;
    return notice?.type === "address" ? keptAddress(notice.ipv6) : null;
  } catch {
    return null;
  }
}

/** An IPv6 address as its agent said it; null for anything else. */
export function keptAddress(said: unknown): string | null {
  const address = typeof said === "string" ? parseAddress(said) : null;
  return address?.family === "ipv6" ? address.text : null;
}

/** Text messages from the agent to the edge. */
export interface AgentNotice {
  readonly type: "service";
  readonly state: ServiceState;
}

/** Reads an agent's notice; null for anything else. */
export function parseAgentNotice(text: string): AgentNotice | null {
  try {
    const notice = JSON.parse(text) as { type?: unknown; state?: unknown } | null;
    const state = serviceStates.find((candidate) => candidate === notice?.state);
    return notice?.type === "service" && state !== undefined ? { type: "service", state } : null;
  } catch {
    return null;
  }
}

/** What an agent said in a text message; null for what is not understood. */
export type AgentWord =
  | { readonly kind: "service"; readonly state: ServiceState }
  | { readonly kind: "kept"; readonly ipv6: string }
  /** Not yet checked. */
  | { readonly kind: "reach"; readonly reach: unknown };

export function agentSaid(text: string): AgentWord | null {
  const notice = parseAgentNotice(text);
  if (notice !== null) return { kind: "service", state: notice.state };
  const ipv6 = parseAddressNotice(text);
  if (ipv6 !== null) return { kind: "kept", ipv6 };
  const report = parseReach(text);
  return report === null ? null : { kind: "reach", reach: report.reach };
}

/** Close codes (RFC 6455 §7.4.2, 4000–4999 are the application's). */
export const closeCodes = {
  replaced: 4001, // a newer connection of the same program took over
  unregistered: 4002, // do not reconnect
  protocolError: 4003,
  silent: 4004, // not heard of for `limits.agentStaleMs`
} as const;

/** RFC 8628 §3.2 device authorization response. */
export interface EnrolmentStart {
  readonly device_code: string;
  readonly user_code: string;
  readonly verification_uri: string;
  readonly verification_uri_complete: string;
  readonly expires_in: number;
  readonly interval: number;
}

/** RFC 8628 §3.4: what the agent asks with; the assertion proves that it holds the key. */
export interface EnrolmentPoll {
  readonly device_code: string;
  /** An assertion (protocol/assertion.ts) whose subject is `hashToken(device_code)`. */
  readonly client_assertion: string;
}

/** RFC 8628 §3.5 and RFC 6749 §5.2. */
export const enrolmentErrors = [
  "authorization_pending",
  "slow_down",
  "access_denied",
  "expired_token",
  "invalid_grant",
] as const;
export type EnrolmentError = (typeof enrolmentErrors)[number];

/** What the agent learns once its owner approved it. */
export interface EnrolmentDone {
  readonly device_id: string;
  readonly label: string;
  /** `https://<label>.<link zone>` */
  readonly link: string;
  /** `<label>.<DDNS zone>` */
  readonly host: string;
}

/**
 * A public key's fingerprint for people to compare: 64 bits of its SHA-256, in groups of four
 * hexadecimal digits. The agent prints it, the console shows it, before anyone approves.
 */
export async function keyFingerprint(publicKey: string): Promise<string> {
  const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(publicKey));
  const hex = [...new Uint8Array(digest, 0, 8)].map((byte) => byte.toString(16).padStart(2, "0"));
  return (hex.join("").match(/.{4}/g) ?? []).join(" ");
}
