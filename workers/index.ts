/** The entry on Cloudflare: builds the ports from the platform's bindings and hands requests to app.ts. */

import { Names } from "../db/names.ts";
import { Sealer } from "../db/seal.ts";
import { ZoneKeys } from "../db/zone-keys.ts";
import type { DeviceObject } from "../durable-objects/device/index.ts";
import type { DeviceStub } from "../durable-objects/device/rpc.ts";
import type { LimiterObject } from "../durable-objects/limiter/index.ts";
import { clientOnWorkerd } from "../durable-objects/peer.ts";
import {
  boundAssets,
  keysOf,
  labelsIn,
  ledgerOf,
  photosOf,
  systemClock,
  systemRandom,
  zoneKeysIn,
} from "../durable-objects/platform.ts";
import { type ZoneObject, zoneObjectName } from "../durable-objects/zone/index.ts";
import type { ZoneStub } from "../durable-objects/zone/rpc.ts";
import { regionOf } from "../protocol/ids.ts";
import { limits } from "../protocol/limits.ts";
import { handle } from "./app.ts";
import { requireBindings } from "./bindings.ts";
import { cautionsOf, readConfig } from "./config.ts";
import {
  authorityTransport,
  breachTransport,
  cloudflareTransport,
  egressGate,
  identityTransport,
  portTransport,
  resolverTransport,
  smsTransport,
  smtpTransport,
} from "./egress/egress.ts";
import { logGate } from "./egress/log.ts";
import { forNetworks } from "./limits.ts";
import type { FrontPorts, Limits, Ports } from "./ports.ts";

export { DeviceObject } from "../durable-objects/device/index.ts";
export { LimiterObject } from "../durable-objects/limiter/index.ts";
export { ZoneObject } from "../durable-objects/zone/index.ts";

export interface Env {
  readonly DIRECTORY: D1Database;
  readonly ASSETS: Fetcher;
  readonly DEVICES: DurableObjectNamespace<DeviceObject>;
  readonly LIMITER: DurableObjectNamespace<LimiterObject>;
  readonly ZONE: DurableObjectNamespace<ZoneObject>;
  readonly [variable: string]: unknown;
}

/** What outlives a request. */
type Shared = Omit<FrontPorts, "background" | "peer" | "place" | "whole">;
type Databases = Pick<Ports, "regions" | "directory">;

const built = new WeakMap<Env, Shared>();

/** Everything that outlives a request; built once an isolate, holds no I/O promise. */
function portsOf(env: Env): Shared {
  const existing = built.get(env);
  if (existing !== undefined) return existing;
  const config = readConfig(env);
  requireBindings(env, config.regions);
  const keys = keysOf(env);
  const sealer = new Sealer(keys, systemClock, systemRandom);
  const names = new Names(labelsIn(env.DIRECTORY), keys, systemClock);
  const egress = egressGate({
    mail: smtpTransport(config.smtpUrl, { clock: systemClock, random: systemRandom }),
    sms: smsTransport(config.smsUrl),
    "breached passwords": breachTransport(config.breachUrl),
    "identity provider": identityTransport(config.identityProviders),
    "certificate authority": authorityTransport(config.authority),
    "asker's own port": portTransport(config.allowSpecialAddresses),
    "cloudflare dns": cloudflareTransport(config.cloudflareZone),
    "dns resolver": resolverTransport(config.resolver),
  });
  const ports: Shared = {
    config,
    names,
    devices: { get: (deviceId) => deviceStub(env, config, deviceId), knowClients: true },
    zone: () => env.ZONE.getByName(zoneObjectName) as unknown as ZoneStub,
    keys,
    zoneKeys: new ZoneKeys(zoneKeysIn(env.DIRECTORY), sealer, systemClock),
    sealer,
    blobs: photosOf(env),
    ledger: ledgerOf(
      env,
      config.regions.map((region) => region.id),
    ),
    assets: boundAssets(env.ASSETS),
    limits: forNetworks(limitsOf(env, names), config.networkLimitFactor),
    egress,
    mail: { send: (message) => egress.send("mail", { from: config.mailFrom, ...message }) },
    sms: { send: (message) => egress.send("sms", { from: config.smsFrom ?? "", ...message }) },
    clock: systemClock,
    random: systemRandom,
    // To standard error: on one machine, standard output is for who started it.
    log: logGate(console.error),
  };
  for (const { event } of cautionsOf(config)) ports.log({ event });
  built.set(env, ports);
  return ports;
}

function deviceStub(env: Env, config: Ports["config"], deviceId: string): DeviceStub {
  const region = config.regions.find((candidate) => candidate.id === regionOf(deviceId));
  const namespace =
    region?.jurisdiction == null
      ? env.DEVICES
      : env.DEVICES.jurisdiction(region.jurisdiction as DurableObjectJurisdiction);
  let id = objectIds.get(deviceId);
  if (id === undefined) {
    id = namespace.idFromName(deviceId);
    if (objectIds.size >= limits.labelCacheEntries) objectIds.clear();
    objectIds.set(deviceId, id);
  }
  return namespace.get(id) as unknown as DeviceStub;
}

/** By device: making one of a name is a hash, which visitors would pay for each time. */
const objectIds = new Map<string, DurableObjectId>();

/** The platform remembers object names, so a subject (an address, an account) is named by its hash. */
function limitsOf(env: Env, names: Names): Limits {
  return {
    take: async (kind, subject, max, windowMs) => {
      const name = await names.hash("limit", `${kind}:${subject}`);
      return await env.LIMITER.getByName(name).take(max, windowMs);
    },
  };
}

/** The country as Cloudflare reckons it; anywhere else nobody does. */
function placeOf(config: Ports["config"], cf: unknown): string | null {
  const country = (cf as { country?: unknown } | undefined)?.country;
  const known = config.sourceAddress === "edge" && typeof country === "string";
  return known && /^[A-Z]{2}$/.test(country) ? country : null;
}

/** Whose databases are open. */
const opened = new WeakSet<Shared>();

/** Opens the databases, with all that reads them. */
async function open(env: Env, shared: Shared): Promise<Shared & Databases> {
  const { databasesOf } = await import("./databases.ts");
  if (!opened.has(shared)) Object.assign(shared, databasesOf(env, shared));
  opened.add(shared);
  return shared as Shared & Databases;
}

type MakePorts = (request: Request, context: ExecutionContext) => FrontPorts;
const makers = new WeakMap<Env, MakePorts>();

/**
 * Makes the ports of one request. What outlives it is inherited and not copied, for copying two dozen
 * fields costs more than routing does; the peer is read when asked for, for `cf` is parsed anew each
 * time somebody looks at it.
 */
function portsMaker(env: Env): MakePorts {
  const existing = makers.get(env);
  if (existing !== undefined) return existing;
  const shared = portsOf(env);
  class RequestPorts {
    readonly #request: Request;
    readonly background: Ports["background"];

    constructor(request: Request, context: ExecutionContext) {
      this.#request = request;
      this.background = (work) => context.waitUntil(work);
    }

    get peer(): string | null {
      return clientOnWorkerd(shared.config, this.#request);
    }

    get place(): string | null {
      return placeOf(shared.config, this.#request.cf);
    }

    whole(): Ports | Promise<Ports> {
      const ports = this as unknown as Ports;
      return opened.has(shared) ? ports : open(env, shared).then(() => ports);
    }
  }
  Object.setPrototypeOf(RequestPorts.prototype, shared);
  const make: MakePorts = (request, context) =>
    new RequestPorts(request, context) as RequestPorts & Shared;
  makers.set(env, make);
  return make;
}

export default {
  async fetch(request, env, context) {
    return (await handle(request, portsMaker(env)(request, context))) as never;
  },
  async scheduled(_controller, env, context) {
    const background = (work: Promise<unknown>) => context.waitUntil(work);
    const { sweep } = await import("./privacy/sweep.ts");
    const shared = await open(env, portsOf(env));
    const ports: Ports = { ...shared, peer: null, place: null, background, whole: () => ports };
    await sweep(ports);
  },
} satisfies ExportedHandler<Env>;
