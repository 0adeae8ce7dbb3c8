/**
 * What the edge may ask of a device's object. Plain data in, tagged results out; error classes do
 * not cross this boundary. `fetch` is for streams and WebSocket upgrades only (see Way).
 */

import type { ClassName } from "../../db/data-map/classes.ts";
import type { ExportedTable } from "../../db/data-map/export.ts";
import type { ServiceState } from "../../protocol/agent.ts";
import type { PublishedSet } from "../../protocol/dns/sets.ts";
import type { Reach } from "../../protocol/reach.ts";
import type { CertificateRpc } from "./certificate-rpc.ts";
import type { DomainsRpc } from "./domains-rpc.ts";
import type { AccessMode, Closure, DoorRpc, IdentityMode, RuleDescription } from "./door-rpc.ts";
import type { LabelsRpc } from "./labels-rpc.ts";
import type { NameDescription, NameRpc } from "./name-rpc.ts";
import type { RecordsRpc } from "./records-rpc.ts";
import type { SigningRpc } from "./signing-rpc.ts";

export * from "./certificate-rpc.ts";
export * from "./door-rpc.ts";
export * from "./labels-rpc.ts";
export * from "./name-rpc.ts";

export const featureNames = ["name", "link", "lan"] as const;
export type FeatureName = (typeof featureNames)[number];

export interface Registration {
  readonly deviceId: string;
  readonly accountId: string;
  /** Ed25519 public key, base64url of 32 bytes. */
  readonly publicKey: string;
  readonly label: string;
}

/** Everything the owner may see of a device. */
export interface DeviceDescription {
  readonly id: string;
  readonly accountId: string;
  readonly label: string;
  /** Every name that it answers to; `label` is the first. */
  readonly labels: readonly string[];
  /** Ed25519 public key, base64url of 32 bytes. */
  readonly publicKey: string;
  readonly createdAt: number;
  readonly features: Readonly<Record<FeatureName, boolean>>;
  readonly access: {
    /** Of `/` of the web service. */
    readonly mode: AccessMode;
    readonly people: readonly string[];
    /** All others. */
    readonly rules: readonly RuleDescription[];
    readonly identity: IdentityMode;
    /** Null while no operator has closed it. */
    readonly closed: Closure | null;
  };
  /** The newest connection; null when there is none on record. */
  readonly connection: ConnectionDescription | null;
  /** Every connection that stands, the newest first; none while every feature is off. */
  readonly agents: readonly AgentHealth[];
  /** Null while Link is off. */
  readonly traffic: TrafficView | null;
  /** Null while the name is off. */
  readonly name: NameDescription | null;
  /** The TCP services that the device offers while it is connected, sorted. */
  readonly tcp: readonly string[];
}

export interface ConnectionDescription {
  readonly online: boolean;
  /** When it connected, or when it was last seen if it is offline. */
  readonly since: number;
  readonly address: string | null;
  readonly agent: string;
}

/** One connection of one of the programs on the box. */
export interface AgentHealth {
  /** Tells the programs apart: random, another one after each start; "" when it gave none. */
  readonly id: string;
  readonly since: number;
  /** When it was last heard of. */
  readonly heardAt: number;
  readonly agent: string;
  /** What it found at the service that it offers; null: it has not said. */
  readonly service: ServiceState | null;
  /** It finishes what lives on it and takes nobody new. */
  readonly leaving: boolean;
  /** Visitors' requests on their way. */
  readonly streams: number;
}

/** What passed the door in one hour. */
export interface TrafficHour {
  /** When the hour began, ms since the epoch. */
  readonly at: number;
  readonly requests: number;
  /** Bytes, with what frames need. */
  readonly fromDevice: number;
  readonly toDevice: number;
  /** Requests that were turned away because too many were on the way. */
  readonly busy: number;
  /** Requests that were turned away or cut off because a budget was used up. */
  readonly overBudget: number;
}

export interface TrafficView {
  /** Of the last 24 hours, the oldest first, those in which something passed. */
  readonly hours: readonly TrafficHour[];
}

/** What the name resolves to. */
export interface NameAddresses {
  readonly ipv4: string | null;
  readonly ipv6: string | null;
}

export const openidAuths = ["none", "private_key_jwt"] as const;

/** What a device said of its own web page as an OpenID client (docs/openid.md). */
export interface OpenidSettings {
  /** `none`: a public client; `private_key_jwt`: it signs with the device's key (RFC 7523). */
  readonly auth: (typeof openidAuths)[number];
  /** Paths of its own hosts that a sign-in may lead back to, beside the usual one. */
  readonly paths: readonly string[];
}

/** A device as an OpenID client: all that a sign-in at its page needs to know. */
export interface OpenidDevice extends OpenidSettings {
  readonly label: string;
  /** Ed25519 public key, base64url of 32 bytes. */
  readonly publicKey: string;
}

/** What a person who is let in may know of the ways to a device. */
export interface WaysView {
  /** Ed25519 public key, base64url of 32 bytes: what answers must hold the other half. */
  readonly publicKey: string;
  readonly isOwner: boolean;
  readonly online: boolean;
  /** What the device says; null while the shortcut is off or nothing is on record. */
  readonly reach: Reach | null;
}

/** What one table of the object holds, without any of it. */
export interface HeldTable {
  readonly table: string;
  readonly class: ClassName;
  readonly count: number;
  /** Milliseconds since the epoch; null when no row says. */
  readonly since: number | null;
  readonly until: number | null;
}

/** The remote surface of a device. Every method answers null or `false` for a device that is gone. */
export interface DeviceRpc
  extends DoorRpc,
    NameRpc,
    LabelsRpc,
    SigningRpc,
    CertificateRpc,
    RecordsRpc,
    DomainsRpc {
  register(registration: Registration): Promise<void>;
  describe(): Promise<DeviceDescription | null>;
  /** Switches a feature; off deletes the feature's data and destroys its key. Idempotent. */
  setFeature(feature: FeatureName, on: boolean): Promise<DeviceDescription | null>;
  /**
   * What DNS answers at the name and below it; null while the name is off.
   * @param label the label that it is asked by; null too when it is none of the device's. Absent: its own
   * @param signed false where nobody wants signatures: then there are none, and no key is looked for
   */
  records(label?: string, signed?: boolean): Promise<readonly PublishedSet[] | null>;
  /**
   * The ways to the device, for its owner and the people it lets in by name; null for everybody else,
   * while the door is off, and for a device that is gone: none of them can be told from another.
   */
  ways(accountId: string): Promise<WaysView | null>;
  /** What the device says of its ways, for its owner, whether or not the door is on. */
  ownReach(): Promise<Reach | null>;
  /** The device as an OpenID client. */
  openid(): Promise<OpenidDevice | null>;
  /** Keeps what the device said of itself as an OpenID client; false for a device that is gone. */
  setOpenid(settings: OpenidSettings): Promise<boolean>;
  /** What is held, counted; empty for a device that is gone. */
  holdings(): Promise<readonly HeldTable[]>;
  /** When the device was last heard of, exact to a day (ms since the epoch); null: never, or gone. */
  lastUse(): Promise<number | null>;
  /** Everything held, as `owner` may see it; empty for anybody else and for a device that is gone. */
  exportFor(owner: string): Promise<readonly ExportedTable[]>;
  /** Closes every socket and drops the whole store. */
  unregister(): Promise<void>;
}

/** A device's remote surface plus the streams. */
export interface DeviceStub extends DeviceRpc {
  /** `request` carries the header `x-latchkey-way`, which the edge alone sets; without, see said.ts. */
  fetch(request: Request): Promise<Response>;
}

/**
 * Why a request comes to the object. A visitor's may come without, as they sent it (said.ts).
 * - `agent`: the device's own socket; `Authorization: Bearer <assertion>`
 * - `watch`: the owner's console follows the live state
 * - `door`: a visitor's request through Link
 * - `bulk`: a segment of a response beside the frames; `Authorization: Bearer <one-time token>`
 * - `tunnel`: a visitor's socket to one of the device's TCP services
 * - `update`: a router says where the device's name leads (update-requests.ts)
 */
export type Way = "agent" | "watch" | "door" | "tunnel" | "bulk" | "update";
export const wayHeader = "x-latchkey-way";
/** With `door`: the statement of who comes, for a device that wants it; signed by the edge. */
export const identityHeader = "x-latchkey-identity";
/**
 * With `tunnel`: whose access token the edge found good, which token, when it ends (ms), and `yes` for
 * an accepted contact of the device's owner.
 */
export const tunnelHeaders = {
  account: "x-latchkey-account",
  token: "x-latchkey-token",
  until: "x-latchkey-until",
  contact: "x-latchkey-contact",
} as const;
/** The visitor's or device's address as the edge sees it. */
export const peerHeader = "x-latchkey-peer";
/** Why a device that proved who it is gets no socket (agents.ts), for the edge to say. */
export const agentRefusalHeader = "x-latchkey-agent-refused";
