/** Two regions with people in them, and databases whose effects a test delays or cuts off. */

import { env } from "cloudflare:workers";
import { drizzle } from "drizzle-orm/d1";
import type { MigrationFile } from "../../db/migrate.ts";
import { personKey, sealedAt } from "../../db/queries/accounts.ts";
import { type ProfileFieldName, putField, type Visibility } from "../../db/queries/profiles.ts";
import { account } from "../../db/schema/region.ts";
import { systemRandom } from "../../durable-objects/platform.ts";
import { newId } from "../../protocol/ids.ts";
import type { Db, Ports } from "../../workers/ports.ts";
import type { Client } from "../../workers/sign-in/client.ts";
import { type TestPorts, testPorts } from "../support/ports.ts";

export const bindings = env as unknown as {
  DIRECTORY: D1Database;
  DB_HOME: D1Database;
  TEST_MIGRATIONS: { region: MigrationFile[] };
};
export const client: Client = { userAgent: "curl/8.5.0", peer: "198.51.100.7" };

/** Gives the region `eu` its tables, beside the directory's; once a file. */
export async function addRegion(): Promise<void> {
  const { region } = bindings.TEST_MIGRATIONS;
  for (const statement of region.flatMap(({ sql }) => sql.split(";"))) {
    if (statement.trim() !== "") await bindings.DIRECTORY.prepare(statement).run();
  }
}

/** Ports with the regions `home` and `eu`. */
export function twoRegions(): TestPorts {
  return testPorts({ env, variables: { REGIONS: "home:At_home:DB_HOME eu:Europe:DIRECTORY" } });
}

/** An account with nothing but its row. */
export async function newPerson(region: "home" | "eu" = "home"): Promise<string> {
  const id = newId("acc", region, systemRandom.bytes);
  const db = drizzle(region === "home" ? bindings.DB_HOME : bindings.DIRECTORY) as Db;
  await db.insert(account).values({ id, createdAt: 1, activeDay: 0 });
  return id;
}

/** An account that is nobody's. */
export const nobody = (region = "home") => newId("acc", region, systemRandom.bytes);

/** Writes a field past every service. */
export async function say(
  ports: Ports,
  accountId: string,
  field: ProfileFieldName,
  text: string,
  visibility: Visibility,
): Promise<void> {
  const id = `${accountId}/${field}`;
  const valueSealed = await ports.sealer.seal(personKey(accountId), sealedAt.profile(id), text);
  const row = { id, accountId, field, valueSealed, visibility, fallback: visibility };
  const db = ports.regions.db(accountId) as Db;
  await putField(db, row, ports.clock.now());
}

/**
 * `ports` whose every database effect first awaits `gate`; a gate that rejects is a crash. Building a
 * statement is no effect; running it is.
 */
export function gated(ports: Ports, gate: () => Promise<unknown>): Ports {
  const watch = <T extends object>(target: T): T =>
    new Proxy(target, {
      get(object, property) {
        const value = Reflect.get(object, property, object) as unknown;
        if (typeof value !== "function") return value;
        if (property === "then") {
          return (...done: Parameters<Promise<unknown>["then"]>) =>
            gate()
              .then(() => object)
              .then(...done);
        }
        return (...given: unknown[]) => {
          const made = value.apply(object, given) as unknown;
          return typeof made === "object" && made !== null ? watch(made) : made;
        };
      },
    });
  const db = (id: string) => {
    const found = ports.regions.db(id);
    return found === null ? null : watch(found);
  };
  return { ...ports, regions: { ...ports.regions, db } };
}
