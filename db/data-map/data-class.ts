/** What the data map says of a class of data: one line of the published policy. */

/** What a person switches on and off. `account` and `device` are there while they exist. */
export type Feature = "account" | "device" | "name" | "link" | "lan";

/** Where a class is kept. */
export type Place =
  | "region"
  | "region and photos"
  | "directory"
  | "keys"
  | "device object"
  | "counter object"
  | "zone object"
  | "browser"
  | "memory"
  | "recipient";

/** A class of data: one line of the published policy. */
export interface DataClass {
  /** As a person would call it. */
  readonly title: string;
  /** What is held, in plain words. */
  readonly holds: string;
  /** Why it is held (RET-9). */
  readonly purpose: string;
  readonly basis: "contract" | "legitimate interest" | "consent" | "legal duty";
  readonly feature: Feature;
  /** How long it lives, in plain words. */
  readonly live: string;
  /** The longest life in a live store, after which it deletes itself; null: until someone ends it. */
  readonly liveMs: number | null;
  /** From its end until the last recoverable copy is gone, or unreadable because its key is. */
  readonly copiesMs: number;
  /** Who may see it. */
  readonly seenBy: string;
  /** What deletes it. */
  readonly deletedBy: string;
  readonly inExport: "yes" | "metadata" | "no";
  readonly place: Place;
  readonly obligations: readonly string[];
}
