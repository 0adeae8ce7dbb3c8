/**
 * What the edge may ask of a device's object about its door: who may come in and by what, shares, the
 * operator's word, what the device is told of its visitors, and tunnels.
 */

import { type ReportKind, reportKinds } from "../../protocol/reports.ts";
import type { DeviceDescription } from "./rpc.ts";

export const accessModes = ["owner", "listed", "contacts", "everyone"] as const;
export type AccessMode = (typeof accessModes)[number];

/** Whom a share is for: people by their IDs, the owner's contacts, whoever has its link. */
export const audiences = ["people", "contacts", "link"] as const;
export type Audience = (typeof audiences)[number];

/** Who may come in to a path and all below it; the deepest rule counts. */
export interface RuleDescription {
  readonly id: string;
  /** `web`, or a service that is reached through a tunnel: that has one rule, for `/`. */
  readonly service: string;
  /** `/` or `/a/b`, spelled as browsers send it. */
  readonly path: string;
  readonly mode: AccessMode;
  /** Who is on its list; they count while the mode is `listed`. */
  readonly people: readonly string[];
}

/** One file or folder that is open to somebody until a time. */
export interface NewShare {
  readonly path: string;
  /** What its owner calls it; empty for nothing. */
  readonly name: string;
  readonly audience: Audience;
  readonly people: readonly string[];
  /** For a link; null for none. */
  readonly password: string | null;
  readonly expiresAt: number;
}

export interface ShareDescription extends Omit<NewShare, "password"> {
  readonly id: string;
  readonly createdAt: number;
  readonly hasPassword: boolean;
}

/** `secret`: what the link ends with, told this once; null for a share without a link. */
export type MadeShare =
  | { readonly kind: "made"; readonly share: ShareDescription; readonly secret: string | null }
  | { readonly kind: "full" }
  | { readonly kind: "off" };

/** What somebody who has a link says to it. */
export interface LinkOpening {
  readonly secret: string;
  readonly password: string;
  /** The visit that this browser has already; null for none. */
  readonly visit: string | null;
}

/** `visit`: for the cookie. `no` is all that a wrong, ended or made-up link is told. */
export type LinkOpened =
  | { readonly kind: "opened"; readonly visit: string; readonly path: string }
  | { readonly kind: "no" };

/** What the device is told of who comes: nothing, an identifier of its own, a name with it. */
export const identityModes = ["off", "id", "name"] as const;
export type IdentityMode = (typeof identityModes)[number];

/** What an operator closed a door for. */
export const closeReasons = reportKinds;

/**
 * How much an operator closed:
 * - `open`: what anybody may open, and links; whom the owner lets in by name still comes in
 * - `all`: everything but to the owner: pages, shares, tunnels, ways at home, the device's name
 */
export const closeExtents = ["open", "all"] as const;
export type CloseExtent = (typeof closeExtents)[number];

/** The operator's word on a door. */
export interface Closure {
  readonly reason: ReportKind;
  readonly extent: CloseExtent;
  /** The statement of reasons, for the owner. */
  readonly words: string;
  readonly at: number;
}

/** What became of the operator's word; not `changed` when it was said before. */
export interface ClosureSet {
  readonly device: DeviceDescription;
  readonly changed: boolean;
}

/** What somebody who may open tunnels needs to know of a device. */
export interface TunnelOffer {
  readonly id: string;
  readonly label: string;
  /** Ed25519 public key, base64url of 32 bytes. */
  readonly publicKey: string;
  readonly online: boolean;
  /** Those that they may use. */
  readonly services: readonly string[];
}

export type DoorCodeResult =
  | { readonly kind: "code"; readonly code: string }
  | { readonly kind: "forbidden" }
  | { readonly kind: "off" };

/** The part of the remote surface that says who may come in. */
export interface DoorRpc {
  setAccess(mode: AccessMode): Promise<DeviceDescription | null>;
  /**
   * @param ruleId whose list; null: the list of `/` of the web service
   * @returns `full`: the list has `limits.peoplePerDevice` people already
   */
  allow(accountId: string, ruleId?: string | null): Promise<DeviceDescription | "full" | null>;
  disallow(accountId: string, ruleId?: string | null): Promise<DeviceDescription | null>;
  /**
   * Makes a rule, or changes the one of the same service and path.
   * @param path one that `rulePrefix` made
   */
  setRule(
    service: string,
    path: string,
    mode: AccessMode,
  ): Promise<DeviceDescription | "full" | null>;
  /** What is below it comes under the rule above it. Idempotent. */
  removeRule(ruleId: string): Promise<DeviceDescription | null>;
  /** Somebody is no contact of the owner any more: ends what they had as one. Idempotent. */
  endContact(accountId: string): Promise<void>;
  /** Shares whose time has not come, the latest first; null for a device that is gone. */
  shares(): Promise<readonly ShareDescription[] | null>;
  makeShare(share: NewShare): Promise<MadeShare | null>;
  /** Ends a share and what is on its way by it. @returns who was let in by it; null: there was none */
  stopShare(shareId: string): Promise<readonly string[] | null>;
  openShare(opening: LinkOpening): Promise<LinkOpened>;
  setIdentity(mode: IdentityMode): Promise<DeviceDescription | null>;
  /** Whose visit this is and what the device wants to know of them; null: nothing, or nobody's. */
  identityOf(visit: string): Promise<{ account: string; owner: string; name: boolean } | null>;
  /** What a visitor may do now with a service that no path leads to, such as `ssh`. */
  mayUse(service: string, accountId: string, isContact: boolean): Promise<boolean>;
  /** Closes doors by the operator's word, or opens them again (null). Idempotent. */
  close(closure: Closure | null): Promise<ClosureSet | null>;
  /** Removes every trace of a person: the list entry, door codes and door visits. */
  forgetPerson(accountId: string): Promise<void>;
  /**
   * A one-time code that lets `accountId` through the door in the browser that holds the nonce.
   * @param sessionId the session that asked: the visit ends with it
   * @param isContact true when they are an accepted contact of the owner
   */
  issueDoorCode(
    accountId: string,
    nonceHash: string,
    sessionId: string,
    isContact?: boolean,
  ): Promise<DoorCodeResult>;
  /** Ends the visits that a session opened, and its codes. Idempotent. */
  endVisits(sessionId: string): Promise<void>;
  /**
   * What `accountId` needs to know to open tunnels; null where it may not.
   * @param isContact true when they are an accepted contact of the owner
   */
  tunnelOffer(accountId: string, isContact?: boolean): Promise<TunnelOffer | null>;
  /** Ends the tunnels that an access token opened. Idempotent. */
  endToken(tokenId: string): Promise<void>;
}
