/**
 * What a device's logic may use of the world. The Durable Object shell (index.ts) and the in-process
 * host (durable-objects/host) each build one, so the same logic runs on workerd, on Deno and in tests.
 */

import type { Clock, KeyStore, Random } from "../../db/primitives.ts";
import type { ZoneRpc } from "../zone/rpc.ts";
import type { Budgets } from "./budgets.ts";
import type { SignedZone } from "./signatures.ts";

export type SqlValue = string | number | null;

/** The object's own database: synchronous, durable before anything leaves the object. */
export interface ObjectSql {
  all<Row extends Record<string, SqlValue>>(query: string, ...params: SqlValue[]): Row[];
  run(query: string, ...params: SqlValue[]): void;
  /** All of `work` or nothing of it. `work` must not await. */
  transaction<T>(work: () => T): T;
}

/** One WebSocket, which may outlive the object's memory; `attachment` survives with it. */
export interface Socket {
  send(data: string | Uint8Array): void;
  /** @param code null: none is said (RFC 6455 §7.1.5) */
  close(code: number | null, reason: string): void;
  /** Bytes that were sent and that the other end has not taken; null where nobody can tell. */
  bufferedBytes(): number | null;
  attachment(): unknown;
  /** Keeps plain data of at most 16 KiB with the socket. */
  attach(value: unknown): void;
  /** When the platform last answered a ping of this socket by itself; null when it never did. */
  heardAt(): number | null;
}

export interface Sockets {
  /** Accepts the upgrade in `request`; the socket is found again under each of `tags`. */
  accept(request: Request, tags: readonly string[], attachment: unknown): Response;
  /** The same, with the socket. */
  acceptSocket(
    request: Request,
    tags: readonly string[],
    attachment: unknown,
  ): [response: Response, socket: Socket];
  tagged(tag: string): Socket[];
}

export interface DeviceContext {
  readonly deviceId: string;
  readonly sql: ObjectSql;
  readonly sockets: Sockets;
  readonly clock: Clock;
  readonly random: Random;
  readonly keys: KeyStore;
  /** Holds the zone for the DNS fronts. */
  readonly zone: ZoneRpc;
  /** Lets documentation and loopback addresses into DNS, for tests and trying out. */
  readonly allowSpecialAddresses: boolean;
  /**
   * The client of a request that the edge passed on as it came; absent where the edge always says it
   * (said.ts).
   */
  readonly clientOf?: (request: Request) => string | null;
  /** Where doors are; there where `clientOf` is. */
  readonly linkZone?: string;
  /** Where the device's name stands and who signs there; absent: nothing is signed. */
  readonly signing?: SignedZone;
  /** What visitors may take, as the operator set it; absent: as this program has it. */
  readonly budgets?: Budgets;
  /** Wakes the device at `at` (ms since the epoch); null forgets the wake-up. */
  wakeAt(at: number | null): void;
  /** Keeps the object in memory until `work`, which never rejects, is done. */
  background(work: Promise<void>): void;
  /** Drops the whole store: the best deletion there is. */
  deleteAll(): Promise<void>;
}
