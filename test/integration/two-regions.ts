/** An edge with two regions on each runtime, and a look into its databases. */

import { cp, mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { startEdge } from "../../scripts/local/edge.ts";
import { deno } from "../contract/deno-process.ts";
import type { Runtime } from "../contract/runtime.ts";
import type { World } from "../contract/suite/world.ts";

const REGIONS = "home:At_home:DB_HOME eu:Europe:DB_EU";
export const twoRegions: readonly Runtime[] = [
  {
    name: "workerd",
    async start({ variables, ...options }) {
      const edge = await startEdge({ ...options, variables: { ...variables, REGIONS } });
      return { sweep: edge.sweep, stop: edge.close, kill: edge.close };
    },
  },
  {
    name: "Deno",
    start: ({ variables, ...options }) =>
      deno.start({ ...options, variables: { ...variables, REGIONS } }),
  },
];

/** Every table of every database on the disk, read from a copy: `WAL` and all. */
export async function tablesOnDisk(world: World): Promise<Record<string, object[]>[]> {
  const copy = await mkdtemp(join(tmpdir(), "latchkey-regions-"));
  await cp(world.data, copy, { recursive: true });
  const files = (await readdir(copy, { recursive: true })).filter((file) =>
    /(d1.*\.sqlite|^\w+\.db)$/i.test(file),
  );
  const databases = files.map((file) => {
    const database = new DatabaseSync(join(copy, file));
    const named = database.prepare("SELECT name FROM sqlite_master WHERE type = 'table'").all();
    const tables = named
      .map((row) => String(row.name))
      .filter((name) => !/^(_cf|sqlite_)/.test(name));
    const rows = tables.map((name) => [name, database.prepare(`SELECT * FROM "${name}"`).all()]);
    database.close();
    return Object.fromEntries(rows) as Record<string, object[]>;
  });
  await rm(copy, { recursive: true });
  return databases;
}

/** The names of objects in one bucket (a folder on Deno). */
export interface ObjectsOnDisk {
  /** The folder's path; of a bucket, the file of its names. */
  readonly place: string;
  readonly names: readonly string[];
}

const FOLDERS = /^(system-keys|(keys|photos|ledger)\/\w+)$/;

/** Every object that the edge keeps, by where it lies; read from a copy. */
export async function objectsOnDisk(world: World): Promise<ObjectsOnDisk[]> {
  const copy = await mkdtemp(join(tmpdir(), "latchkey-objects-"));
  await cp(world.data, copy, { recursive: true });
  const paths = await readdir(copy, { recursive: true });
  const buckets = paths
    .filter((path) => /R2BucketObject.*\.sqlite$/.test(path))
    .map((place) => {
      const database = new DatabaseSync(join(copy, place));
      const tables = database.prepare("SELECT name FROM sqlite_master").all();
      const rows = tables.some(({ name }) => name === "_mf_objects")
        ? database.prepare("SELECT key FROM _mf_objects").all()
        : [];
      database.close();
      return { place, names: rows.map(({ key }) => String(key)) };
    });
  const folders = paths
    .filter((path) => FOLDERS.test(path))
    .map(async (place) => ({
      place,
      names: (await readdir(join(copy, place))).map(decodeURIComponent),
    }));
  const found = [...buckets, ...(await Promise.all(folders))];
  await rm(copy, { recursive: true });
  return found.filter(({ names }) => names.length > 0);
}
