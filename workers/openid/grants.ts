/**
 * Grants: what a person allowed an app, on one kind of browser or one device. It stays until its owner
 * ends it; signing out of the console does not end it, for an app at home goes on by itself.
 */

import { personKey, sealedAt } from "../../db/queries/accounts.ts";
import { allowGrant, deleteGrant, grantsOf } from "../../db/queries/openid-grants.ts";
import { isId, newId, regionOf } from "../../protocol/ids.ts";
import { note } from "../account/activity.ts";
import { notice } from "../account/notices.ts";
import type { Ports } from "../ports.ts";
import { Problem } from "../problem.ts";
import type { Client as Browser } from "../sign-in/client.ts";
import type { Client } from "./clients.ts";
import { type Scope, scopesOf, scopeText } from "./scopes.ts";

export interface GrantView {
  readonly id: string;
  readonly clientId: string;
  /** The app's name when it was allowed. */
  readonly app: string;
  /** Where it is used: a browser such as `Firefox on Linux`, or a device's name. */
  readonly on: string;
  readonly scopes: readonly Scope[];
  /** Milliseconds since the epoch; `usedDay` is exact to a day. */
  readonly createdAt: number;
  readonly usedDay: number;
}

/** Who was asked, for what, and where it will be used. */
export interface Allowing {
  readonly accountId: string;
  readonly client: Client;
  readonly scope: readonly Scope[];
  /** A browser's name or a device's, for the owner to know it by. */
  readonly on: string;
  /** Tells apart what `on` does not: a random text makes a grant of its own. */
  readonly slot: string;
}

/** What an account allowed a client so far, on whatever device. */
export async function allowedScopes(
  ports: Ports,
  accountId: string,
  clientId: string,
): Promise<Scope[][]> {
  const db = ports.regions.db(accountId);
  const rows = db === null ? [] : await grantsOf(db, accountId, clientId);
  return rows.map(({ scope }) => scopesOf(scope));
}

/**
 * Keeps what was allowed; tells the owner when the app is new to the account.
 * @returns the grant's id
 * @throws Problem `not-signed-in` when the account was erased meanwhile
 */
export async function allow(ports: Ports, allowing: Allowing, browser: Browser): Promise<string> {
  const { accountId, client, on, slot } = allowing;
  const [region, db] = [regionOf(accountId), ports.regions.db(accountId)];
  if (region === null || db === null) throw new Problem("not-signed-in");
  const slotHash = await ports.names.hash("grant", `${accountId}\n${client.id}\n${on}\n${slot}`);
  const before = await grantsOf(db, accountId, client.id);
  const same = before.find((grant) => grant.slotHash === slotHash);
  const scope = scopesOf(`${same?.scope ?? ""} ${scopeText(allowing.scope)}`);
  const id = newId("grt", region, ports.random.bytes);
  const appSealed = await ports.sealer.seal(
    personKey(accountId),
    sealedAt.grant(id),
    JSON.stringify({ app: client.name, on }),
  );
  const row = { id, slotHash, accountId, clientId: client.id, scope: scopeText(scope), appSealed };
  const kept = await allowGrant(db, row, ports.clock.now());
  if (kept === null) throw new Problem("not-signed-in");
  if (before.length === 0) {
    await note(ports, accountId, "app-allowed", { client: browser, about: client.name });
    notice(ports, accountId, "app-allowed", { client: browser, about: client.name });
  }
  return kept;
}

/** What an account allowed, the latest used first. */
export async function listGrants(ports: Ports, accountId: string): Promise<GrantView[]> {
  const db = ports.regions.db(accountId);
  if (db === null) return [];
  const rows = await grantsOf(db, accountId);
  return await Promise.all(
    rows.map(async ({ id, clientId, scope, appSealed, createdAt, usedDay }) => {
      const { app, on } = await opened(ports, accountId, id, appSealed);
      return { id, clientId, app, on, scopes: scopesOf(scope), createdAt, usedDay };
    }),
  );
}

async function opened(ports: Ports, accountId: string, id: string, appSealed: string) {
  const text = await ports.sealer.open(personKey(accountId), sealedAt.grant(id), appSealed);
  const kept = JSON.parse(text ?? "{}") as Partial<Pick<GrantView, "app" | "on">>;
  return { app: kept.app ?? "An app", on: kept.on ?? "Unknown" };
}

/** Ends a grant with all its tokens, at once; false when the account has no such grant. */
export async function endGrant(
  ports: Ports,
  accountId: string,
  grantId: string,
  browser: Browser,
): Promise<boolean> {
  const db = ports.regions.db(accountId);
  if (db === null || !isId("grt", grantId)) return false;
  const ended = await deleteGrant(db, accountId, grantId);
  if (ended === null) return false;
  const { app } = await opened(ports, accountId, grantId, ended.appSealed);
  await note(ports, accountId, "app-ended", { client: browser, about: app });
  return true;
}
