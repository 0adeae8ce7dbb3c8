/**
 * Ports for tests inside workerd: the real databases, keys and objects of `env`, and a clock, mail,
 * log and egress that the test holds in its hand. Nothing here reaches the network.
 */

import { drizzle } from "drizzle-orm/d1";
import { vi } from "vitest";
import type { Db } from "../../db/db.ts";
import { Directory } from "../../db/directory.ts";
import { Names } from "../../db/names.ts";
import type { Clock, Random } from "../../db/primitives.ts";
import { Sealer } from "../../db/seal.ts";
import { ZoneKeys } from "../../db/zone-keys.ts";
import type { DeviceStub } from "../../durable-objects/device/rpc.ts";
import { Window } from "../../durable-objects/limiter/window.ts";
import {
  boundAssets,
  keysOf,
  labelsIn,
  ledgerOf,
  photosOf,
  systemRandom,
  zoneKeysIn,
} from "../../durable-objects/platform.ts";
import type { ZoneStub } from "../../durable-objects/zone/rpc.ts";
import { type RegionId, regionOf } from "../../protocol/ids.ts";
import { type Config, readConfig } from "../../workers/config.ts";
import { egressGate } from "../../workers/egress/egress.ts";
import type {
  AuthorityAnswer,
  IdentityAnswer,
  MailMessage,
  PortAnswer,
  Ports,
  ResolverAnswer,
  SmsMessage,
} from "../../workers/ports.ts";

/** A clock that stands still until it is told. */
export class TestClock implements Clock {
  time: number;

  constructor(time = 1_800_000_000_000) {
    this.time = time;
  }

  now(): number {
    return this.time;
  }

  /** Moves the clock forward by `ms`. */
  advance(ms: number): void {
    this.time += ms;
  }
}

export interface TestPortsOptions {
  /** `env` of `cloudflare:workers`. */
  readonly env: unknown;
  readonly clock?: TestClock;
  readonly random?: Random;
  /** Overrides of wrangler.toml's `[vars]`. */
  readonly variables?: Readonly<Record<string, string>>;
  /** Region databases besides those bound in `env`, by region. */
  readonly databases?: Readonly<Record<RegionId, Db>>;
  /** The client's address; `198.51.100.7` when not given. */
  readonly peer?: string | null;
  /** Replaces single ports. */
  readonly replace?: Partial<Ports>;
}

export interface TestPorts {
  readonly ports: Ports;
  readonly clock: TestClock;
  /** Mail that left, in order. While `failing`, the relay refuses. */
  readonly mail: { readonly sent: MailMessage[]; failing: boolean };
  /** Text messages that left, in order. While `failing`, the provider refuses. */
  readonly sms: { readonly sent: SmsMessage[]; failing: boolean };
  /** What the breached-password service answers. While `failing`, it is away. */
  readonly breaches: { range: string; failing: boolean };
  /** What providers of accounts elsewhere answer; null: they are away. */
  readonly identity: {
    answer: ((fields: Readonly<Record<string, string>>) => Promise<IdentityAnswer>) | null;
  };
  /** What the certificate authority answers; at first it is away. */
  readonly authority: {
    answer: (fields: Readonly<Record<string, string>>) => Promise<AuthorityAnswer>;
  };
  /** What the resolver says; at first nothing that is an answer. */
  readonly resolver: {
    answer: (fields: Readonly<Record<string, string>>) => Promise<ResolverAnswer>;
  };
  /** What a port that is tried does. */
  readonly port: {
    answer: (fields: Readonly<Record<string, string>>) => Promise<PortAnswer>;
  };
  readonly lines: Parameters<Ports["log"]>[0][];
  /** Everything that left the house: the recipient and the fields. */
  readonly egress: { recipient: string; fields: Readonly<Record<string, string>> }[];
  /** Resolves when all background work is done; rejects when some of it failed. */
  settle(): Promise<void>;
}

interface Bindings {
  readonly DIRECTORY: D1Database;
  readonly ASSETS: Fetcher;
  readonly DEVICES: DurableObjectNamespace;
  readonly ZONE: DurableObjectNamespace;
  readonly [name: string]: unknown;
}

export function testPorts(options: TestPortsOptions): TestPorts {
  const env = options.env as Bindings;
  const clock = options.clock ?? new TestClock();
  const random = options.random ?? systemRandom;
  const config = readConfig({ ...env, ...options.variables });
  const keys = keysOf(env);
  const mail = { sent: [] as MailMessage[], failing: false };
  const sms = { sent: [] as SmsMessage[], failing: false };
  const breaches = { range: "", failing: false };
  const identity: TestPorts["identity"] = { answer: null };
  const authority: TestPorts["authority"] = {
    answer: async () => {
      throw new Error("the authority is away");
    },
  };
  const resolver: TestPorts["resolver"] = { answer: async () => null };
  const port: TestPorts["port"] = { answer: async () => ({ outcome: "filtered", text: "" }) };
  const lines: TestPorts["lines"] = [];
  const left: TestPorts["egress"] = [];
  const pending: Promise<unknown>[] = [];
  const egress = egressGate({
    mail: async (fields) => {
      if (mail.failing) throw new Error("the relay refuses");
      left.push({ recipient: "mail", fields });
      mail.sent.push(fields as unknown as MailMessage);
    },
    sms: async (fields) => {
      if (sms.failing) throw new Error("the provider refuses");
      left.push({ recipient: "sms", fields });
      sms.sent.push(fields as unknown as SmsMessage);
    },
    "breached passwords": async (fields) => {
      if (breaches.failing) throw new Error("the service is away");
      left.push({ recipient: "breached passwords", fields });
      return breaches.range;
    },
    "dns resolver": async (fields) => {
      left.push({ recipient: "dns resolver", fields });
      return await resolver.answer(fields);
    },
    "cloudflare dns": async (fields) => {
      left.push({ recipient: "cloudflare dns", fields });
      throw new Error("the service is away");
    },
    "asker's own port": async (fields) => {
      left.push({ recipient: "asker's own port", fields });
      return await port.answer(fields);
    },
    "certificate authority": async (fields) => {
      left.push({ recipient: "certificate authority", fields });
      return await authority.answer(fields);
    },
    "identity provider": async (fields) => {
      if (identity.answer === null) throw new Error("the provider is away");
      left.push({ recipient: "identity provider", fields });
      return await identity.answer(fields);
    },
  });
  const names = new Names(labelsIn(env.DIRECTORY), keys, clock);
  const ports: Ports = {
    config,
    regions: regionsOf(env, config, options.databases ?? {}),
    names,
    directory: new Directory(drizzle(env.DIRECTORY) as Db, names, clock),
    devices: { get: (id) => env.DEVICES.getByName(id) as unknown as DeviceStub },
    zone: () => env.ZONE.getByName("zone") as unknown as ZoneStub,
    keys,
    sealer: new Sealer(keys, clock, random),
    zoneKeys: new ZoneKeys(zoneKeysIn(env.DIRECTORY), new Sealer(keys, clock, random), clock),
    blobs: photosOf(env),
    ledger: ledgerOf(
      env,
      config.regions.map((region) => region.id),
    ),
    assets: boundAssets(env.ASSETS),
    limits: limitsOf(clock),
    egress,
    mail: { send: (message) => egress.send("mail", { from: config.mailFrom, ...message }) },
    sms: { send: (message) => egress.send("sms", { from: config.smsFrom ?? "", ...message }) },
    clock,
    random,
    log: (line) => void lines.push(line),
    background: (work) => void pending.push(work),
    peer: options.peer === undefined ? "198.51.100.7" : options.peer,
    place: null,
    whole() {
      return this;
    },
    ...options.replace,
  };
  const settle = async () => {
    while (pending.length > 0) await Promise.all(pending.splice(0));
  };
  return {
    ports,
    clock,
    mail,
    sms,
    breaches,
    identity,
    authority,
    port,
    resolver,
    lines,
    egress: left,
    settle,
  };
}

function regionsOf(
  env: Bindings,
  config: Config,
  extra: Readonly<Record<RegionId, Db>>,
): Ports["regions"] {
  const databases = new Map(
    config.regions.map((region) => [
      region.id,
      extra[region.id] ?? (drizzle(env[region.database] as D1Database) as Db),
    ]),
  );
  const ids = [...databases.keys()];
  return {
    ids,
    default: ids[0] as RegionId,
    db: (id) => databases.get(regionOf(id) ?? id) ?? null,
  };
}

/** The limiter's own window on the test's clock: the object would count on the system's. */
function limitsOf(clock: Clock): Ports["limits"] {
  const windows = new Map<string, Window>();
  return {
    take: async (kind, subject, max, windowMs) => {
      const key = `${kind}:${subject}`;
      const window = windows.get(key) ?? new Window();
      windows.set(key, window);
      return window.take(max, windowMs, clock.now());
    },
  };
}

/** Counts the statements that any D1 database runs from now on, until the mocks are restored. */
export function countQueries(database: D1Database): () => number {
  const statement = Object.getPrototypeOf(database.prepare("SELECT 1")) as D1PreparedStatement;
  const ways = (["all", "raw", "run", "first"] as const).map((way) => vi.spyOn(statement, way));
  return () => ways.reduce((sum, way) => sum + way.mock.calls.length, 0);
}
