/** The databases of an edge on Cloudflare: the directory, and one for each region. */

import { drizzle } from "drizzle-orm/d1";
import type { Db } from "../db/db.ts";
import { Directory } from "../db/directory.ts";
import { regionOf } from "../protocol/ids.ts";
import type { FrontPorts, Ports } from "./ports.ts";

/** Opens what `config` names among the bindings. */
export function databasesOf(
  env: Readonly<Record<string, unknown>>,
  { config, names, clock }: Pick<FrontPorts, "config" | "names" | "clock">,
): Pick<Ports, "regions" | "directory"> {
  const open = (binding: string) => drizzle(env[binding] as D1Database) as Db;
  const databases = new Map(config.regions.map(({ id, database }) => [id, open(database)]));
  return {
    regions: {
      ids: [...databases.keys()],
      default: (config.regions[0] as { id: string }).id,
      db: (id) => databases.get(regionOf(id) ?? id) ?? null,
    },
    directory: new Directory(open("DIRECTORY"), names, clock),
  };
}
