/** The remote surface of the object that holds the zone, and what it may use of the world. */

import type { Clock, KeyStore, Random } from "../../db/primitives.ts";
import type { FeedName, Position, Published } from "../../protocol/feed.ts";
import type { ObjectSql, Sockets } from "../device/context.ts";

/** What a device's object tells of itself. */
export interface Publication {
  readonly deviceId: string;
  /** Grows with each change; an older one never overtakes a newer one. */
  readonly version: number;
  /** What is published, and the same sealed under the key of the device's name; null: nothing. */
  readonly name: (Published & { readonly sealed: string }) | null;
}

/** The version of a device that is gone for good. */
export const lastVersion = Number.MAX_SAFE_INTEGER;

/** Names in the order of their last change, from where the publisher stands. */
export interface ZonePage {
  /** True for the first page of everything. */
  readonly whole: boolean;
  readonly names: readonly FeedName[];
  readonly to: Position;
  /** True when nothing follows. */
  readonly end: boolean;
}

export interface ZoneRpc {
  /** Keeps what a device publishes and tells the fronts. Idempotent. */
  publish(publication: Publication): Promise<void>;
}

export interface ZoneStub extends ZoneRpc {
  /** What the publisher has still to push (workers/name/publisher.ts). */
  unpublished(): Promise<ZonePage>;
  /** Everything up to here is pushed; with `reading`, what follows belongs to the same reading. */
  published(to: Position, reading: boolean): Promise<void>;
  /** The upgrade of a front's socket; the edge has let it in. */
  fetch(request: Request): Promise<Response>;
}

/** Where what a device publishes is sealed. */
export const publishedAt = (deviceId: string) => `zone_name.name:${deviceId}`;

export interface ZoneContext {
  readonly sql: ObjectSql;
  readonly sockets: Sockets;
  readonly clock: Clock;
  readonly random: Random;
  readonly keys: KeyStore;
  /** Wakes the object at `at` (ms since the epoch); null forgets the wake-up. */
  wakeAt(at: number | null): void;
}
