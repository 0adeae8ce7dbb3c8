/**
 * The language of the data map for tables: what may be said about a column and how it ends.
 *
 * The map is the source of the public privacy page, the erasure plan, the switching-off of a
 * feature, the sweeps and the tests. A column, object table, key prefix, cookie, log field or
 * outgoing field that is not declared does not compile or fails the gate (gate.ts).
 */

import type { Table } from "drizzle-orm";
import type { ClassName } from "./classes.ts";
import type { Feature } from "./data-class.ts";

/** What a column contains, hence what must protect it. */
export type ColumnKind =
  | "id" // random identifier
  | "sealed" // personal data, sealed under a key without history
  | "personal" // personal data in clear: only inside a store that is dropped whole
  | "secret hash" // hash of a bearer secret
  | "keyed hash" // HMAC under a key of ours
  | "public key"
  | "time"
  | "state"; // an enumeration or a number that says nothing about a person

interface PlainRule {
  readonly kind: Exclude<ColumnKind, "sealed">;
  /** The class, where it differs from the table's. */
  readonly class?: ClassName;
  /** Who said it, where it was somebody other than the person (SHR-6). */
  readonly source?: string;
}

/** Sealed under the person's key at `<at>:<the row's by>`, whence the export opens it. */
export interface SealedRule<Columns extends string = string> {
  readonly kind: "sealed";
  readonly at: string;
  readonly by: Columns;
  /** The fields of sealed JSON that an export shows, `[]` for none of it; absent: everything. */
  readonly shows?: readonly string[];
  readonly class?: ClassName;
  readonly source?: string;
}

export type ColumnRule<Columns extends string = string> = PlainRule | SealedRule<Columns>;

/**
 * Sealed under a key of the device, `feature/<device>/<key>`, at the place `at`, or `<at>:<the row's by>`
 * where the table may have more than one row.
 */
interface ObjectSealedRule {
  readonly kind: "sealed";
  readonly at: string;
  readonly by?: string;
  readonly key: "connection" | "name" | "lan" | "link" | "traffic";
  /** The fields of sealed JSON that an export shows; absent: everything. */
  readonly shows?: readonly string[];
  readonly class?: ClassName;
}

export type ObjectColumnRule = PlainRule | ObjectSealedRule;

/** How erasing an account reaches a table. */
export type EraseRule =
  // Delete where `by` is the account; in every region where `mentions` is, in other people's rows.
  | { readonly by: string; readonly mentions?: string }
  | { readonly via: "device" } // goes when the account's devices are unregistered
  | { readonly keep: string } // nothing personal: the reason
  | { readonly soon: string }; // what an erasure leaves to do; sealed, and gone within a day: the reason

export interface TableRule<Columns extends string = string> {
  readonly class: ClassName;
  readonly columns: { readonly [C in Columns]: ColumnRule<Columns> };
  readonly erase: EraseRule;
  /** The column whose time says when a row has gone; the sweep deletes, reads filter. */
  readonly expires?: Columns;
  /** The column that says since when a row is held. */
  readonly since?: Columns;
  /** The column of a person whose key goes with an expired row, unless the account came to be. */
  readonly keyOf?: Columns;
  /** The primary key, which the sweep deletes by. */
  readonly key: Columns;
}

/** A table of a device's object: dropped whole with the device, emptied with its feature. */
export interface ObjectTableRule {
  readonly class: ClassName;
  /** Emptied when this feature is switched off; `device`: stays until unregistering. */
  readonly feature: Feature;
  readonly columns: Readonly<Record<string, ObjectColumnRule>>;
  readonly expires?: string;
  readonly since?: string;
}

type SqlName<T extends Table> = {
  [K in keyof T["_"]["columns"]]: T["_"]["columns"][K]["_"]["name"];
}[keyof T["_"]["columns"]];

/** The tables among what a schema module exports. */
type TablesOf<Module> = {
  readonly [Name in keyof Module as Module[Name] extends Table ? Name : never]: Extract<
    Module[Name],
    Table
  >;
};

/** A rule for every table of a drizzle schema module and every column of each table. */
export type MapOf<Module> = {
  readonly [T in keyof TablesOf<Module> as TablesOf<Module>[T]["_"]["name"]]: TableRule<
    Extract<SqlName<TablesOf<Module>[T]>, string>
  >;
};
