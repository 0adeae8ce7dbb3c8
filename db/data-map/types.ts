/**
 * The language of the data map: what may be said about a piece of held data.
 *
 * The map is the source of the public privacy page, the erasure plan, the switching-off of a
 * feature, the sweeps and the tests. A column, object table, key prefix, cookie, log field or
 * outgoing field that is not declared does not compile or fails the gate.
 */

import type { Table } from "drizzle-orm";

/** What a person switches on and off. `account` and `device` are there while they exist. */
export type Feature = "account" | "device" | "name" | "link";

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
  /** Until the last recoverable copy is gone or unreadable, in plain words. */
  readonly total: string;
  /** The longest life in a live store; null when it lives as long as its owner wants. */
  readonly liveMs: number | null;
  /** Who may see it. */
  readonly seenBy: string;
  /** What deletes it. */
  readonly deletedBy: string;
  readonly inExport: "yes" | "metadata" | "no";
  readonly place:
    | "region"
    | "directory"
    | "keys"
    | "device object"
    | "browser"
    | "memory"
    | "recipient";
  readonly obligations: readonly string[];
}

/** What a column contains, hence what must protect it. */
export type ColumnKind =
  | "id" // random identifier
  | "sealed" // personal data, sealed under a key without history
  | "personal" // personal data in clear: only inside a store that is dropped whole
  | "secret hash" // hash of a bearer secret or password
  | "keyed hash" // HMAC under a key of ours
  | "public key"
  | "time"
  | "state"; // an enumeration or a number that says nothing about a person

export interface ColumnRule {
  readonly kind: ColumnKind;
  /** The class, where it differs from the table's. */
  readonly class?: string;
}

/** How erasing an account reaches a table. */
export type EraseRule =
  | { readonly by: string } // delete where this column is the account
  | { readonly via: "device" } // goes when the account's devices are unregistered
  | { readonly keep: string }; // nothing personal: the reason

export interface TableRule<Columns extends string = string> {
  readonly class: string;
  readonly columns: { readonly [C in Columns]: ColumnRule };
  readonly erase: EraseRule;
  /** The column whose time says when a row has gone; the sweep deletes, reads filter. */
  readonly expires?: Columns;
  /** The primary key, which the sweep deletes by. */
  readonly key: Columns;
}

type SqlName<T extends Table> = {
  [K in keyof T["_"]["columns"]]: T["_"]["columns"][K]["_"]["name"];
}[keyof T["_"]["columns"]];

/** A rule for every table of a drizzle schema and every column of each table. */
export type MapOf<Schema extends Record<string, Table>> = {
  readonly [T in keyof Schema as Schema[T]["_"]["name"]]: TableRule<
    Extract<SqlName<Schema[T]>, string>
  >;
};
