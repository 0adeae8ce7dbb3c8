/**
 * Ports: the few things a service may use of the outside world. `c.env` is `Ports`; only the two
 * entries (index.ts on Cloudflare, deno.ts on Deno) build them, and tests build their own.
 */

import type { BaseSQLiteDatabase } from "drizzle-orm/sqlite-core";
import type { EgressRecipient, egressMap, logMap } from "../db/data-map/outside.ts";
import type { Db } from "../db/db.ts";
import type { Directory } from "../db/directory.ts";
import type { Names } from "../db/names.ts";
import type { BlobStore, Clock, KeyStore, Ledger, Random } from "../db/primitives.ts";
import type { Sealer } from "../db/seal.ts";
import type { ZoneKeys } from "../db/zone-keys.ts";
import type { DeviceStub } from "../durable-objects/device/rpc.ts";
import type { ZoneStub } from "../durable-objects/zone/rpc.ts";
import type { Reply } from "../protocol/dns/reply.ts";
import type { RegionId } from "../protocol/ids.ts";
import type { Config } from "./config.ts";

export type { Clock, Db, KeyStore, Ledger, Random };
export type AnyDb = BaseSQLiteDatabase<"async", unknown>;

/** Region databases, each bound to its region: an id finds its own and no other. */
export interface Regions {
  readonly ids: readonly RegionId[];
  readonly default: RegionId;
  /** The database that holds the rows of `id` (an identifier or a region); null when unknown. */
  db(id: string): Db | null;
}

export interface Devices {
  /** The object of `deviceId`. Asking for a stub creates nothing; calling it does. */
  get(deviceId: string): DeviceStub;
  /** True where an object knows the client of a request that the edge passes on as it came. */
  readonly knowClients?: boolean;
}

/** Files that pages load: public, built beforehand, named by their content (workers/assets.ts). */
export interface Assets {
  /** The bytes of the file of this name; null when there is none. */
  get(name: string): Promise<ReadableStream | Uint8Array<ArrayBuffer> | null>;
}

/** Counts tries, one object per key: only when they were, under a keyed hash, until their window ends. */
export interface Limits {
  /** Counts one try of `subject`; false when `max` within `windowMs` is used up. */
  take(kind: string, subject: string, max: number, windowMs: number): Promise<boolean>;
}

export interface MailMessage {
  readonly to: string;
  readonly subject: string;
  readonly text: string;
}

/** The gate that everything leaving the house passes: a recipient and fields the data map names. */
export interface Egress {
  send<R extends EgressRecipient>(
    recipient: R,
    fields: { readonly [F in (typeof egressMap)[R]["fields"][number]]: string },
  ): Promise<EgressAnswers[R]>;
}

/** What a recipient answers; most answer nothing that is of use. */
export interface EgressAnswers {
  mail: undefined;
  sms: undefined;
  /** The range's suffixes and counts, a line each. */
  "breached passwords": string;
  "identity provider": IdentityAnswer;
  "asker's own port": PortAnswer;
  "certificate authority": AuthorityAnswer;
  "cloudflare dns": RecordsAnswer;
  "dns resolver": ResolverAnswer;
}

/** What a resolver says; null for what is no answer to the question. */
export type ResolverAnswer = Reply | null;

/** What the API of a DNS service answers, whatever its status. */
export interface RecordsAnswer {
  readonly status: number;
  readonly body: string;
}

/** What a certificate authority answers, whatever its status; headers of RFC 8555. */
export interface AuthorityAnswer {
  readonly status: number;
  readonly nonce: string | null;
  readonly location: string | null;
  readonly retryAfter: string | null;
  readonly body: string;
}

/** What a provider of accounts elsewhere answers, whatever its status. */
export interface IdentityAnswer {
  readonly status: number;
  readonly contentType: string;
  readonly body: string;
}

/** What a port did when it was tried. */
export interface PortAnswer {
  readonly outcome: "open" | "closed" | "filtered";
  /** The beginning of what was answered. */
  readonly text: string;
}

export interface SmsMessage {
  /** E.164, e.g. `+4915112345678`. */
  readonly to: string;
  /** Pure text, without a link (NOT-5). */
  readonly text: string;
}

export interface Sms {
  /** Hands the message to the provider; rejects when it refuses. */
  send(message: SmsMessage): Promise<void>;
}

export interface Mail {
  /** Hands the message to the relay; rejects when the relay refuses. */
  send(message: MailMessage): Promise<void>;
}

/** Writes one line of the fields that the data map declares, and no other. */
export type Log = (line: { readonly [F in keyof typeof logMap]?: string | number }) => void;

/** What answers devices, and visitors at a door: an edge has it before any database is open. */
export interface FrontPorts {
  readonly config: Config;
  readonly names: Names;
  readonly devices: Devices;
  /** The object that holds the zone for the DNS fronts. */
  readonly zone: () => ZoneStub;
  /** Keys, photos and erasures: each region has its own store of them (db/regional.ts). */
  readonly keys: KeyStore;
  /** What signs the DDNS zone. */
  readonly zoneKeys: ZoneKeys;
  readonly sealer: Sealer;
  readonly blobs: BlobStore;
  readonly ledger: Ledger;
  readonly assets: Assets;
  readonly limits: Limits;
  readonly mail: Mail;
  readonly sms: Sms;
  readonly egress: Egress;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  /** Keeps `work` alive after the response. */
  readonly background: (work: Promise<unknown>) => void;
  /** The client's address as the configured source policy sees it; null when there is none. */
  readonly peer: string | null;
  /** The country the request came from, by the edge's own reckoning; null where nobody reckons. */
  readonly place: string | null;
  /** The same with the databases, which the first who asks opens. */
  whole(): Ports | Promise<Ports>;
}

/** All that a service may use. */
export interface Ports extends FrontPorts {
  readonly regions: Regions;
  readonly directory: Directory;
}
