/**
 * The edge on this machine: one workerd with D1, Durable Objects and R2 in a folder, as fast as the
 * runtime itself (docs/decisions/local-serving.md). `npm start`, the tests and the benchmarks use it.
 */

import { cp, mkdir, readdir, readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { convertV4MiniflareOptions, Miniflare, type V4WorkerOptions } from "miniflare";
import { applyMigrations, type MigrationFile, onD1 } from "../../db/migrate.ts";
import { keysBinding, photosBinding, systemKeysBinding } from "../../durable-objects/bindings.ts";
import { readConfig } from "../../workers/config.ts";
import { publicFolder } from "../build-console.ts";
import { bundleWorker } from "./bundle.ts";
import { compatibilityDate, compatibilityFlags, localServer } from "./miniflare.ts";
import { useTruePeers } from "./workerd-config.ts";

const ROOT = join(import.meta.dirname, "../..");
const CRON_EVERY_MS = 60_000;

export interface EdgeOptions {
  /** Where D1, objects, R2 and assets keep their files. */
  readonly data: string;
  readonly port: number;
  /** Overrides of wrangler.toml's `[vars]`. */
  readonly variables?: Readonly<Record<string, string>>;
  /** Fires the cron trigger once a minute, as the platform would. */
  readonly crons?: boolean;
  /** Told of each line that the runtime or the worker logs; absent, they are printed. */
  readonly onLog?: (line: string) => void;
  /** Another worker of the same runtime, which may be bound to this one's objects and databases. */
  readonly beside?: V4WorkerOptions;
  /** Where the runtime lets a debugger in; nowhere when absent. */
  readonly inspectorPort?: number;
}

export interface Edge {
  readonly origin: string;
  /** `<label>.<linkZone>` on the same port is a device's door. */
  readonly linkZone: string;
  /** `<label>.<ddnsZone>` is a device's name. */
  readonly ddnsZone: string;
  /** Runs the scheduled handler now. */
  sweep(): Promise<void>;
  close(): Promise<void>;
}

/** Starts the edge; the promise resolves when it answers. */
export async function startEdge(options: EdgeOptions): Promise<Edge> {
  useTruePeers();
  await mkdir(options.data, { recursive: true });
  const origin = `http://localhost:${options.port}`;
  const variables = { ...defaults(origin), ...options.variables };
  const { regions } = readConfig(variables);
  const databases = ["DIRECTORY", ...regions.map(({ database }) => database)];
  const modules = await bundleWorker();
  const assets = await ownAssets(options.data);
  const miniflare = withoutSignalHandlers(
    () =>
      new Miniflare(
        convertV4MiniflareOptions({
          ...localServer,
          ...logging(options.onLog),
          resourcePersistencePath: options.data,
          ...(options.inspectorPort === undefined ? {} : { inspectorPort: options.inspectorPort }),
          workers: [
            {
              name: "latchkey",
              modules: [...modules],
              compatibilityDate,
              compatibilityFlags,
              bindings: variables,
              d1Databases: Object.fromEntries(databases.map((name) => [name, name.toLowerCase()])),
              r2Buckets: buckets(regions.map(({ id }) => id)),
              serviceBindings: { ASSETS: "assets" },
              durableObjects: {
                DEVICES: { className: "DeviceObject", useSQLite: true },
                LIMITER: { className: "LimiterObject", useSQLite: true },
                ZONE: { className: "ZoneObject", useSQLite: true },
              },
              unsafeDirectSockets: [{ host: "127.0.0.1", port: options.port }],
            },
            assetsWorker(assets),
            ...(options.beside === undefined ? [] : [{ ...options.beside, compatibilityDate }]),
          ],
        }),
      ),
  );
  await miniflare.ready;
  for (const name of databases) {
    const database = await miniflare.getD1Database(name);
    await applyMigrations(
      onD1(database),
      await migrationFiles(name === "DIRECTORY" ? "directory" : "region"),
    );
  }
  const worker = await miniflare.getWorker();
  const sweep = async () => void (await worker.scheduled({ cron: "* * * * *" }));
  const timer = options.crons ? setInterval(() => void sweep().catch(report), CRON_EVERY_MS) : null;
  return {
    origin,
    linkZone: variables.LINK_ZONE as string,
    ddnsZone: variables.DDNS_ZONE as string,
    sweep,
    async close() {
      if (timer !== null) clearInterval(timer);
      await miniflare.dispose();
    },
  };
}

function logging(onLog: EdgeOptions["onLog"]) {
  if (onLog === undefined) return {};
  return { handleStructuredLogs: ({ message }: { message: string }) => onLog(message) };
}

/** Each region's buckets, and the service's own. */
function buckets(regions: readonly string[]): Record<string, string> {
  const names = [
    systemKeysBinding,
    ...regions.flatMap((id) => [keysBinding(id), photosBinding(id)]),
  ];
  return Object.fromEntries(names.map((name) => [name, bucketName(name)]));
}

/** A bucket of a binding on this machine: buckets have no underscores in their names. */
function bucketName(binding: string): string {
  return binding.toLowerCase().replaceAll("_", "-");
}

/**
 * The platform's static assets, as a worker of their own: were they part of ours, Miniflare would put
 * a router in front of it, which hides a connection's true peer.
 */
function assetsWorker(directory: string) {
  return {
    name: "assets",
    modules: [{ type: "ESModule" as const, path: "none.js", contents: "export default {};" }],
    compatibilityDate,
    assets: { directory, assetConfig: { html_handling: "none" as const } },
  };
}

/** A copy of the built files: a build while the edge runs takes none away from under its pages. */
async function ownAssets(data: string): Promise<string> {
  const folder = join(data, "assets");
  await rm(folder, { recursive: true, force: true });
  await cp(publicFolder, folder, { recursive: true });
  return folder;
}

/**
 * Miniflare ends the process on a signal, before anything else could close. Whoever starts the edge
 * closes it.
 */
function withoutSignalHandlers<T>(start: () => T): T {
  const signals = ["SIGINT", "SIGTERM"] as const;
  const before = new Map(signals.map((signal) => [signal, new Set(process.listeners(signal))]));
  const started = start();
  for (const [signal, listeners] of before) {
    for (const listener of process.listeners(signal)) {
      if (!listeners.has(listener)) process.removeListener(signal, listener);
    }
  }
  return started;
}

function report(error: unknown): void {
  console.error(`The sweep did not run: ${error instanceof Error ? error.message : error}`);
}

export function defaults(origin: string): Record<string, string> {
  return {
    ORIGIN: origin,
    LINK_ZONE: "link.localhost",
    DDNS_ZONE: "ddns.test",
    REGIONS: "home:At_home:DB_HOME",
    SOURCE_ADDRESS: "socket",
    ALLOW_SPECIAL_ADDRESSES: "yes",
    NETWORK_LIMIT_FACTOR: "50",
    MAIL_FROM: "Latchkey <keys@latchkey.test>",
  };
}

/** The migration files of one kind of database, in order. */
export async function migrationFiles(kind: "directory" | "region"): Promise<MigrationFile[]> {
  const folder = join(ROOT, "db/migrations", kind);
  const names = (await readdir(folder)).filter((name) => name.endsWith(".sql")).sort();
  return await Promise.all(
    names.map(async (name) => ({ name, sql: await readFile(join(folder, name), "utf8") })),
  );
}
