/**
 * Record sets of a device's name, as they travel: from the device's object to whoever answers DNS, and
 * along the feed to the fronts. Plain data, so that JSON carries it.
 */

import type { Data } from "./rdata.ts";

/** What may stand at a device's name or below it, and what the zone has at its own names. */
export type SetType =
  | "A"
  | "AAAA"
  | "TXT"
  | "CAA"
  | "HTTPS"
  | "SVCB"
  | "NSEC"
  | "SOA"
  | "NS"
  | "DNSKEY"
  | "CDS"
  | "CDNSKEY";

/** All records of one type at one name (RFC 2181 §5): published, changed and signed together. */
export interface RecordSet {
  /**
   * Relative to the device's label (or, for the zone's own, to its apex), in lower case: `""` is the
   * name itself, `*` whatever below it has no records of its own, `_acme-challenge` one name below it.
   */
  readonly owner: string;
  readonly type: SetType;
  /** Seconds. */
  readonly ttl: number;
  /** At least one, all of `type`. */
  readonly data: readonly Data[];
}

/** A set as DNS answers it. */
export interface PublishedSet extends RecordSet {
  /** RDATA of the RRSIG records that cover it, base64url; none while the zone has no key. */
  readonly signatures: readonly string[];
}
