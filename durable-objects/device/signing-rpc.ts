/** What the edge may ask of a device's object about signed DNS updates (RFC 2136, RFC 8945). */

import type { AddressUpdate, UpdateResult } from "./name-rpc.ts";

/** What a message with a good signature asks for. */
export interface SignedUpdate extends Pick<AddressUpdate, "ipv4" | "ipv6"> {
  /** Seconds since the epoch, by the client's clock. */
  readonly signedAt: number;
}

/** What is known of the key, without the key. */
export interface SigningKeyState {
  /** Start of the day (UTC) on which the newest message was signed that was taken; null: none was. */
  readonly usedDay: number | null;
}

export interface SigningRpc {
  /** Makes the key, base64, and ends the old one; null while the name is off. */
  makeSigningKey(): Promise<string | null>;
  /** The key, base64, for the edge to check a signature; null when there is none. */
  signingKey(): Promise<string | null>;
  /** Null when there is none. */
  signingKeyState(): Promise<SigningKeyState | null>;
  /** Ends the key; false when there was none. */
  endSigningKey(): Promise<boolean>;
  /** `replayed` for a message that is older than the newest that was taken. */
  updateSigned(update: SignedUpdate): Promise<UpdateResult | "replayed">;
}
