/** What the edge may ask of a device's object about its name: addresses, and tokens that may change them. */

import type { Family } from "../../protocol/addresses.ts";

/**
 * What a token of the name may do:
 * - `address`: say where the name leads
 * - `acme`: answer for the name to an authority that makes certificates (RFC 8555, dns-01)
 */
export const nameScopes = ["address", "acme"] as const;
export type NameScope = (typeof nameScopes)[number];

export interface NameDescription {
  readonly ipv4: string | null;
  readonly ipv6: string | null;
  /** Null until the first address. */
  readonly changedAt: number | null;
  /** How many tokens may speak for it. */
  readonly tokens: number;
  /** Of how many the client asks far too often. */
  readonly flooding: number;
  /** How many nobody has used for so long that they end soon. */
  readonly idle: number;
}

/** What its owner says of a token; each part was checked before. */
export interface NewNameToken {
  /** The router or program that it goes to; may be empty. */
  readonly name: string;
  readonly scopes: readonly NameScope[];
  /** Where it works from, as `networkText` writes them; none: from everywhere. */
  readonly networks: readonly string[];
  /** Milliseconds since the epoch; null: while the name is on. */
  readonly endsAt: number | null;
  /** The names of the device that it speaks for; none: all of them, also those to come. */
  readonly labels: readonly string[];
  /** Whether it says addresses for the owner's other devices too. */
  readonly allDevices: boolean;
}

export interface NameTokenDescription extends NewNameToken {
  readonly id: string;
  readonly createdAt: number;
  /** Start of the day (UTC) of its last use; null when it was never used. */
  readonly usedDay: number | null;
  /** When it ends because nobody has used it; ms since the epoch. */
  readonly idleEndsAt: number;
  /** When its client last asked far too often; null: it did not since its owner looked. */
  readonly floodedAt: number | null;
  /** Its client goes on like this, and is answered `abuse` until its owner looks. */
  readonly isBlocked: boolean;
}

/** Tokens that end soon because nobody uses them, and that nobody was told of before. */
export interface IdleNameTokens {
  readonly ending: readonly { readonly name: string; readonly endsAt: number }[];
  /** When to ask again; ms since the epoch, null: not until another token is made. */
  readonly lookAt: number | null;
}

/** `secret` is told this once. */
export type MadeNameToken =
  | { readonly kind: "made"; readonly token: NameTokenDescription; readonly secret: string }
  | { readonly kind: "full" }
  | { readonly kind: "off" };

/**
 * What becomes of a family. A prefix, such as `2001:db8:1::/56`, moves the interface that is known into
 * another network.
 */
export type AddressChange =
  | { readonly set: string }
  | { readonly prefix: string }
  | "clear"
  | "keep";

export interface AddressChanges {
  readonly ipv4: AddressChange;
  readonly ipv6: AddressChange;
}

/** One call for the name. `keep` leaves a family as it is. */
export interface AddressUpdate extends AddressChanges {
  /** The token as the client sent it; null when the device's own socket speaks. */
  readonly secret: string | null;
  /** The names that it is about; absent: none in particular. One that is none of its own is `nohost`. */
  readonly labels?: readonly string[];
  /** In place of a token: an account whose token says addresses for all its devices. */
  readonly account?: string;
  /** The client's address by the operator's policy, for tokens that work from some networks only. */
  readonly from?: string | null;
  /** True where no token is shown and the change counts against the limit all the same. */
  readonly isCounted?: boolean;
  /** Which program it is, in a word of ours, for the owner. */
  readonly client?: string;
  /** True where it is only asked what would become of it: nothing changes, and only a refusal is noted. */
  readonly isTrial?: boolean;
}

/** `abuse`: its client asks so often that its owner must look first. */
export const updateVerdicts = [
  "good",
  "nochg",
  "badauth",
  "nohost",
  "dnserr",
  "abuse",
  "911",
] as const;
export type UpdateVerdict = (typeof updateVerdicts)[number];

/** `ended`: nobody used the token for so long that it ended. */
export const eventVerdicts = [...updateVerdicts, "ended"] as const;

/** One thing that happened to the name; never an address. */
export interface NameEvent {
  /** Milliseconds since the epoch. */
  readonly at: number;
  readonly verdict: (typeof eventVerdicts)[number];
  /** Which families it was about. */
  readonly families: readonly Family[];
  /** Which program it was, in a word of ours; `device` for the device's own connection. */
  readonly client: string;
  /** What the owner calls the token that it used; "" for none. */
  readonly token: string;
}

export interface UpdateResult {
  readonly verdict: UpdateVerdict;
  readonly ipv4: string | null;
  readonly ipv6: string | null;
  /** Seconds to wait before the next try; only with `911`. */
  readonly retryAfter?: number;
}

/** What a token may say right now. */
export interface NameRight {
  /** The device's names that it speaks for. */
  readonly labels: readonly string[];
  /** Whose other devices it speaks for as well; null: for none. */
  readonly account: string | null;
}

/** The part of the remote surface that is about the name. Null: the name is off, or the device gone. */
export interface NameRpc {
  updateAddresses(update: AddressUpdate): Promise<UpdateResult>;
  /**
   * What a token may do `scope` for, from where it comes; null for wrong, ended and switched off alike.
   * @param from the client's address by the operator's policy; null when it is not known
   */
  nameRight(secret: string, scope: NameScope, from: string | null): Promise<NameRight | null>;
  /** The tokens that work now, the oldest first. */
  nameTokens(): Promise<readonly NameTokenDescription[] | null>;
  /** Those that are about to end unused; each is answered once, until it is used again. */
  takeIdleNameTokens(): Promise<IdleNameTokens | null>;
  makeNameToken(asked: NewNameToken): Promise<MadeNameToken>;
  /** Ends a token at once. @returns what its owner called it; null when there is none of that id */
  endNameToken(id: string): Promise<string | null>;
  /** Forgets that its client asked too often. @returns as `endNameToken` */
  excuseNameToken(id: string): Promise<string | null>;
  /** What happened to the name, the latest first. */
  nameHistory(): Promise<readonly NameEvent[] | null>;
}
