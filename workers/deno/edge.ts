/**
 * The edge in one Deno process: the ports on libSQL and folders, and the server in front of
 * `handle`. Everything it keeps is in one data folder:
 *
 *     directory.db  system-keys/  lock
 *     <region>.db  devices/<region>/  keys/<region>/  photos/<region>/  ledger/<region>/
 */

import { join } from "node:path";
import type { Db } from "../../db/db.ts";
import { Directory, readLabel } from "../../db/directory.ts";
import { Names } from "../../db/names.ts";
import { zoneKeys as readZoneKeys } from "../../db/queries/zone-keys.ts";
import { Sealer } from "../../db/seal.ts";
import { ZoneKeys } from "../../db/zone-keys.ts";
import { DeviceHost } from "../../durable-objects/host/host.ts";
import { type Upgrade, upgrades } from "../../durable-objects/host/sockets.ts";
import { clientAddress } from "../../durable-objects/peer.ts";
import { systemClock, systemRandom } from "../../durable-objects/system.ts";
import { regionOf } from "../../protocol/ids.ts";
import { limits } from "../../protocol/limits.ts";
import { isForHop } from "../../protocol/link/headers.ts";
import { handle } from "../app.ts";
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
} from "../egress/egress.ts";
import { logGate } from "../egress/log.ts";
import { forNetworks } from "../limits.ts";
import type { FrontPorts, Ports } from "../ports.ts";
import { sweep as sweepExpired } from "../privacy/sweep.ts";
import { problemResponse } from "../problem.ts";
import { folderAssets } from "./assets.ts";
import { type OpenDatabase, openDatabase } from "./databases.ts";
import { takeFolder } from "./folder.ts";
import { memoryLimits } from "./limits.ts";
import { type Settings, StartError } from "./settings.ts";
import { folderStores, type Stores } from "./stores.ts";

export interface DenoEdge {
  /** Runs the sweep and empties the write-ahead logs, as it does by itself once a minute. */
  sweep(): Promise<void>;
  /** Ends every connection, finishes what runs, and lets go of the folder. */
  close(): Promise<void>;
}

/** What scripts/build-console.ts built. */
const CONSOLE = join(import.meta.dirname as string, "../../console/dist/public");

const log = logGate(console.error);

type SharedPorts = Omit<Ports, "background" | "peer" | "place" | "whole">;

/** @throws StartError with a sentence */
export async function startDenoEdge(settings: Settings): Promise<DenoEdge> {
  const release = takeFolder(settings.data);
  const databases = await openAll(settings);
  const regions = settings.config.regions.map(({ id }) => id);
  const stores = folderStores(settings.data, regions, systemRandom);
  const sealer = new Sealer(stores.keys, systemClock, systemRandom);
  const directory = databases.get("")?.db as Db;
  const zoneKeys = new ZoneKeys(() => readZoneKeys(directory), sealer, systemClock);
  const host = new DeviceHost({
    folder: join(settings.data, "devices"),
    clock: systemClock,
    random: systemRandom,
    keys: stores.keys,
    allowSpecialAddresses: settings.config.allowSpecialAddresses,
    signing: { apex: settings.config.ddnsZone, keys: zoneKeys },
    budgets: settings.config.budgets,
    onError: (error) => reportError("device-event-failed", error),
  });
  const shared = portsOf(settings, databases, stores, { host, sealer, zoneKeys });
  const working = new Set<Promise<unknown>>();
  const background = (work: Promise<unknown>) => {
    const done = work
      .catch((error) => reportError("background-failed", error))
      .finally(() => working.delete(done));
    working.add(done);
  };
  // The databases are open from the start.
  function whole(this: FrontPorts): Ports {
    return this as Ports;
  }
  const server = serve(settings, (request, peer) =>
    handle(request, {
      ...shared,
      peer: clientAddress(settings.config, request.headers, peer),
      place: null,
      background,
      whole,
    }),
  );
  host.start();
  const forgetDeleted = async () => {
    for (const database of databases.values()) await database.forgetDeleted();
  };
  const sweep = async () => {
    await sweepExpired({ ...shared, peer: null, place: null, background, whole });
    await forgetDeleted();
  };
  const timer = setInterval(() => background(sweep()), limits.cronMs);
  return {
    sweep,
    async close() {
      clearInterval(timer);
      // Requests that came before are answered; a visitor who reads too slowly is not waited for.
      const answered = server.shutdown();
      host.endSockets();
      await Promise.race([answered, new Promise((late) => setTimeout(late, limits.shutdownMs))]);
      while (working.size > 0) await Promise.all([...working]);
      await host.close();
      await forgetDeleted();
      for (const database of databases.values()) database.close();
      release();
    },
  };
}

/** The directory under `""`, each region under its id. */
async function openAll(settings: Settings): Promise<Map<string, OpenDatabase>> {
  const databases = new Map<string, OpenDatabase>();
  try {
    databases.set("", await openDatabase(join(settings.data, "directory.db"), "directory"));
    for (const { id, database } of settings.config.regions) {
      const path = join(settings.data, `${database.toLowerCase()}.db`);
      databases.set(id, await openDatabase(path, "region"));
    }
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new StartError(`The databases in ${settings.data} cannot be opened: ${reason}.`);
  }
  return databases;
}

function portsOf(
  settings: Settings,
  databases: ReadonlyMap<string, OpenDatabase>,
  stores: Stores,
  { host, sealer, zoneKeys }: { host: DeviceHost; sealer: Sealer; zoneKeys: ZoneKeys },
): SharedPorts {
  const { config } = settings;
  const { keys } = stores;
  const directory = databases.get("")?.db as Db;
  const names = new Names(readLabel(directory), keys, systemClock);
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
  return {
    config,
    regions: {
      ids: config.regions.map((region) => region.id),
      default: (config.regions[0] as { id: string }).id,
      db: (id) => (id === "" ? null : (databases.get(regionOf(id) ?? id)?.db ?? null)),
    },
    names,
    directory: new Directory(directory, names, systemClock),
    devices: host,
    zone: () => host.zone,
    ...stores,
    sealer,
    zoneKeys,
    assets: folderAssets(CONSOLE),
    limits: forNetworks(memoryLimits(systemClock), config.networkLimitFactor),
    egress,
    mail: { send: (message) => egress.send("mail", { from: config.mailFrom, ...message }) },
    sms: { send: (message) => egress.send("sms", { from: config.smsFrom ?? "", ...message }) },
    clock: systemClock,
    random: systemRandom,
    log,
  };
}

type Answer = (request: Request, peer: string) => Response | Promise<Response>;

/** Listens. @throws StartError when it cannot */
function serve({ port, host, config }: Settings, answer: Answer): Deno.HttpServer {
  const options = {
    port,
    hostname: host,
    onListen: () => undefined,
    // Only a body can still fail here: its device went, and the visitor is shown an error.
    onError: () => {
      log({ event: "response-cut-off" });
      return problemResponse("internal");
    },
  };
  try {
    return Deno.serve(options, async (request, info) => {
      const peer = (info.remoteAddr as Deno.NetAddr).hostname;
      try {
        const answered = () => answer(asVisited(request, config.origin), peer);
        return withoutLength(request, await upgrading(request, answered));
      } catch (error) {
        reportError("internal-error", error);
        return problemResponse("internal");
      }
    });
  } catch (error) {
    if (error instanceof Deno.errors.AddrInUse) {
      throw new StartError(
        `Port ${port} is taken. Stop what uses it, or choose another with --port.`,
      );
    }
    const reason = error instanceof Error ? error.message : String(error);
    throw new StartError(`Cannot listen on ${host}:${port}: ${reason}.`);
  }
}

/**
 * Deno would say `Content-Length: 0` in an answer to HEAD that does not say how long the body is: a
 * lie about the GET (RFC 9110 §8.6). It does not where the body is a stream, which it never reads.
 */
function withoutLength(request: Request, response: Response): Response {
  const silent = request.method === "HEAD" && response.body === null;
  if (!silent || response.headers.has("content-length")) return response;
  return new Response(new ReadableStream(), response);
}

/** Performs the WebSocket upgrade that a device accepted on the way, on the runtime's own request. */
async function upgrading(
  request: Request,
  answer: () => Response | Promise<Response>,
): Promise<Response> {
  const upgrade: Upgrade = { socket: null };
  try {
    const response = await upgrades.run(upgrade, async () => await answer());
    if (response.status !== 101 || upgrade.socket === null) return response;
    const idleTimeout = limits.agentStaleMs / 1000;
    const upgraded = Deno.upgradeWebSocket(request, { idleTimeout });
    // As headers, the subprotocol too: Deno 2.9 knows no offer of several without blanks between them.
    for (const [name, value] of response.headers) upgraded.response.headers.append(name, value);
    upgrade.socket.connect(upgraded.socket);
    upgrade.socket = null;
    return upgraded.response;
  } finally {
    upgrade.socket?.lost();
  }
}

/** The request as the visitor made it: a proxy in front that ends TLS leaves only `http` to be seen. */
function asVisited(request: Request, origin: string): Request {
  const { protocol } = new URL(origin);
  // No `Request` can be made with a method for the hop; nobody serves one, so its scheme matters to nobody.
  if (request.url.startsWith(protocol) || isForHop(request.method)) return request;
  return new Request(request.url.replace(/^[a-z]+:/, protocol), request);
}

/** An error's name only: its message may hold what a person sent. */
function reportError(event: string, error: unknown): void {
  log({ event, code: error instanceof Error ? error.name : "unknown" });
}
