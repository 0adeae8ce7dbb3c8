/**
 * Personal access tokens: bearer secrets that a person makes for programs of their own. Each may do
 * what its scopes say and nothing else: it opens no page, changes nothing about the account, makes no
 * other token, and never counts as its owner showing who they are. It outlives a password change, for
 * it was never made from the password; ending it, its day, or erasing the account ends it.
 */

import { noteActiveDay, personKey, sealedAt, startOfDay } from "../../db/queries/accounts.ts";
import {
  deletePersonalToken,
  expirePersonalToken,
  insertPersonalToken,
  notePersonalTokenUse,
  personalTokenOf,
  personalTokensOf,
} from "../../db/queries/personal-tokens.ts";
import { isId, newId, regionOf } from "../../protocol/ids.ts";
import { DAY, limits } from "../../protocol/limits.ts";
import { hashToken, newToken, parseToken } from "../../protocol/tokens.ts";
import { atDevicesReached } from "../devices/reached.ts";
import type { Db, Ports } from "../ports.ts";
import { Problem } from "../problem.ts";
import type { Client } from "../sign-in/client.ts";
import { note } from "./activity.ts";
import { notice } from "./notices.ts";

/** Everything that a token can be allowed. A route that declares none of these takes no token. */
export const tokenScopes = [
  "account:read",
  "devices:read",
  "devices:write",
  "devices:connect",
] as const;
export type TokenScope = (typeof tokenScopes)[number];

const scopesOf = (text: string): TokenScope[] =>
  tokenScopes.filter((scope) => text.split(" ").includes(scope));

/** The longest life of a token, in days. */
export const personalTokenDays = limits.personalTokenMs / DAY;

function homeOf(ports: Ports, accountId: string): Db {
  const db = ports.regions.db(accountId);
  if (db === null) throw new Problem("not-found");
  return db;
}

export interface PersonalTokenView {
  readonly id: string;
  readonly name: string;
  readonly scopes: readonly TokenScope[];
  /** Milliseconds since the epoch. */
  readonly createdAt: number;
  /** Start of the day (UTC) of its last use; null when it was never used. */
  readonly usedDay: number | null;
  readonly expiresAt: number;
}

export interface NewPersonalToken {
  readonly name: string;
  readonly scopes: readonly TokenScope[];
  /** From 1 to `personalTokenDays`. */
  readonly days: number;
}

/**
 * Makes a token.
 * @returns it, which is shown once, and what is kept of it
 * @throws Problem `bad-request` on the field that is wrong; `too-many`
 */
export async function makePersonalToken(
  ports: Ports,
  accountId: string,
  asked: NewPersonalToken,
  client: Client,
): Promise<PersonalTokenView & { readonly token: string }> {
  const db = homeOf(ports, accountId);
  const region = regionOf(accountId) ?? ports.regions.default;
  const name = asked.name.normalize("NFC").replace(/\s+/gu, " ").trim();
  const scopes = tokenScopes.filter((scope) => asked.scopes.includes(scope));
  const { days } = asked;
  const length = [...name].length;
  if (length === 0 || length > limits.personalTokenNameLength) {
    throw new Problem("bad-request", "name");
  }
  if (scopes.length === 0) throw new Problem("bad-request", "scopes");
  if (!Number.isInteger(days) || days < 1 || days > personalTokenDays) {
    throw new Problem("bad-request", "days");
  }
  const token = newToken("pat", region, ports.random.bytes);
  const id = newId("pat", region, ports.random.bytes);
  const createdAt = ports.clock.now();
  const expiresAt = createdAt + days * DAY;
  const at = sealedAt.personalToken(id);
  const row = {
    tokenHash: await hashToken(token),
    id,
    accountId,
    nameSealed: await ports.sealer.seal(personKey(accountId), at, name),
    scopes: scopes.join(" "),
    createdAt,
    expiresAt,
  };
  if (!(await insertPersonalToken(db, row, limits.personalTokensPerAccount))) {
    throw new Problem("too-many");
  }
  await note(ports, accountId, "token-made", { client, about: name });
  notice(ports, accountId, "token-made", { client, about: name });
  return { token, id, name, scopes, createdAt, usedDay: null, expiresAt };
}

/** The tokens of an account that work now, the oldest first. */
export async function listPersonalTokens(
  ports: Ports,
  accountId: string,
): Promise<PersonalTokenView[]> {
  const rows = await personalTokensOf(homeOf(ports, accountId), accountId, ports.clock.now());
  return await Promise.all(
    rows.map(async ({ nameSealed, scopes, ...row }) => ({
      ...row,
      name: await nameOf(ports, accountId, row.id, nameSealed),
      scopes: scopesOf(scopes),
    })),
  );
}

async function nameOf(ports: Ports, accountId: string, id: string, nameSealed: string) {
  const at = sealedAt.personalToken(id);
  return (await ports.sealer.open(personKey(accountId), at, nameSealed)) ?? "Token";
}

/**
 * Ends a token at once: first it opens nothing any more, then the tunnels that it opened end, and its
 * row goes last, so that an end that was cut off can be asked for again.
 * @throws Problem `not-found`; `unavailable` when a tunnel could not be ended
 */
export async function endPersonalToken(
  ports: Ports,
  accountId: string,
  id: string,
  client: Client,
): Promise<void> {
  const db = homeOf(ports, accountId);
  const now = ports.clock.now();
  const ended = isId("pat", id) ? await expirePersonalToken(db, accountId, id, now) : null;
  if (ended === null) throw new Problem("not-found");
  if (scopesOf(ended.scopes).includes("devices:connect")) {
    await atDevicesReached(ports, db, accountId, (device) => device.endToken(id));
  }
  const gone = await deletePersonalToken(db, accountId, id);
  if (gone === null) throw new Problem("not-found"); // another request was faster
  const about = await nameOf(ports, accountId, id, gone.nameSealed);
  await note(ports, accountId, "token-ended", { client, about });
}

export interface CheckedPersonalToken {
  readonly id: string;
  readonly accountId: string;
  readonly scopes: readonly TokenScope[];
  readonly expiresAt: number;
}

/** Whose token it is and what it may do: one query. Null when it is none, ended or too old. */
export async function checkPersonalToken(
  ports: Ports,
  token: string,
): Promise<CheckedPersonalToken | null> {
  const region = parseToken("pat", token)?.region;
  const db = region === undefined ? null : ports.regions.db(region);
  if (db === null) return null;
  const now = ports.clock.now();
  const tokenHash = await hashToken(token);
  const found = await personalTokenOf(db, tokenHash, now);
  if (found === null) return null;
  const today = startOfDay(now);
  if ((found.usedDay ?? 0) < today) {
    ports.background(notePersonalTokenUse(db, tokenHash, today));
    // A program that does its work is use: its owner's account is not dormant (ACC-14).
    ports.background(noteActiveDay(db, found.accountId, now));
  }
  const { id, accountId, expiresAt } = found;
  return { id, accountId, scopes: scopesOf(found.scopes), expiresAt };
}
