/**
 * Trusted browsers (CKY-3): who holds the secret of the `__Host-trust` cookie is asked for the first
 * step only, by the one account that trusts it, until the account ends it.
 */

import { personKey, sealedAt } from "../../db/queries/accounts.ts";
import {
  deleteTrust,
  deleteTrustedBrowser,
  type NewTrustedBrowser,
  trustedBrowsersOf,
  useTrust,
} from "../../db/queries/trusted-browsers.ts";
import { isId, newId, regionOf } from "../../protocol/ids.ts";
import { limits } from "../../protocol/limits.ts";
import { hashToken, newToken, parseToken } from "../../protocol/tokens.ts";
import { note } from "../account/activity.ts";
import type { Db, Ports } from "../ports.ts";
import { browserName, type Client, maskedNetwork } from "./client.ts";

/** Makes the secret of a browser that is to be trusted, and the row to keep of it. */
export async function newTrust(
  ports: Ports,
  accountId: string,
  client: Client,
  /** What the browser's cookie held before. */
  former: string | null,
): Promise<{ readonly token: string; readonly row: NewTrustedBrowser }> {
  const region = regionOf(accountId) as string;
  const id = newId("trb", region, ports.random.bytes);
  const token = newToken("tru", region, ports.random.bytes);
  const kept = { client: browserName(client.userAgent), network: maskedNetwork(client.peer) };
  const row = {
    id,
    tokenHash: await hashToken(token),
    clientSealed: await ports.sealer.seal(
      personKey(accountId),
      sealedAt.trusted(id),
      JSON.stringify(kept),
    ),
    expiresAt: ports.clock.now() + limits.trustedBrowserMs,
    replaces: former === null ? null : await hashToken(former),
  };
  return { token, row };
}

/** True when the account trusts the browser that brings `token`; notes the use. */
export async function isTrusted(
  ports: Ports,
  db: Db,
  accountId: string,
  token: string | null,
): Promise<boolean> {
  if (token === null || parseToken("tru", token) === null) return false;
  return await useTrust(db, accountId, await hashToken(token), ports.clock.now());
}

export interface TrustedBrowserView {
  readonly id: string;
  /** A browser's name such as `Firefox on Linux`. */
  readonly client: string;
  /** The network it was trusted from, masked; null when it was not known. */
  readonly network: string | null;
  /** True when it is the browser that asks. */
  readonly current: boolean;
  /** Milliseconds since the epoch. */
  readonly createdAt: number;
  readonly seenAt: number;
  readonly expiresAt: number;
}

/** The browsers an account trusts, the latest used first. */
export async function listTrusted(
  ports: Ports,
  accountId: string,
  /** What the cookie of the browser that asks holds. */
  own: string | null,
): Promise<TrustedBrowserView[]> {
  const db = ports.regions.db(accountId);
  if (db === null) return [];
  const ownHash = own === null ? null : await hashToken(own);
  const rows = await trustedBrowsersOf(db, accountId, ports.clock.now());
  return await Promise.all(
    rows.map(async ({ clientSealed, tokenHash, ...row }) => {
      const at = sealedAt.trusted(row.id);
      const opened = await ports.sealer.open(personKey(accountId), at, clientSealed);
      const kept = JSON.parse(opened ?? "{}") as Partial<TrustedBrowserView>;
      const { client = "Unknown", network = null } = kept;
      return { ...row, client, network, current: tokenHash === ownHash };
    }),
  );
}

/** Asks one browser for the second step again; false when the account does not trust such a browser. */
export async function revokeTrusted(
  ports: Ports,
  accountId: string,
  id: string,
  client: Client,
): Promise<boolean> {
  const db = ports.regions.db(accountId);
  if (db === null || !isId("trb", id)) return false;
  if (!(await deleteTrustedBrowser(db, accountId, id))) return false;
  await note(ports, accountId, "browser-untrusted", { client });
  return true;
}

/** Asks every browser of an account for the second step again. */
export async function revokeAllTrusted(
  ports: Ports,
  accountId: string,
  client: Client,
): Promise<void> {
  await endTrust(ports, accountId);
  await note(ports, accountId, "browser-untrusted", { client, about: "all" });
}

/**
 * Ends all that was granted before a password or a second step changed: the trust in every browser,
 * and sign-ins under way, which showed what counted then. Whoever changes one of these calls this
 * after the change.
 */
export async function endTrust(ports: Ports, accountId: string): Promise<void> {
  const db = ports.regions.db(accountId);
  if (db !== null) await deleteTrust(db, accountId);
}
