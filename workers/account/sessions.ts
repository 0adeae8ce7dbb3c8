/** Sessions: checking one (a single query), listing them, ending them. */

import {
  deleteSession,
  deleteSessionOfToken,
  personKey,
  sealedAt,
  sessionOfToken,
  sessionsOf,
  touchSession,
} from "../../db/queries/accounts.ts";
import { isId } from "../../protocol/ids.ts";
import { limits } from "../../protocol/limits.ts";
import { hashToken, parseToken } from "../../protocol/tokens.ts";
import type { Ports } from "../ports.ts";

export interface SessionView {
  readonly id: string;
  /** A browser's name such as `Firefox on Linux`. */
  readonly client: string;
  /** The network it signed in from, masked; null when it was not known. */
  readonly network: string | null;
  /** Milliseconds since the epoch; `seenAt` is exact to an hour. */
  readonly createdAt: number;
  readonly seenAt: number;
  readonly expiresAt: number;
}

/** Whose session a token is; null when it is none, ended or too old. Notes the use once an hour. */
export async function checkSession(
  ports: Ports,
  token: string,
): Promise<{ accountId: string; sessionId: string } | null> {
  const region = parseToken("ses", token)?.region;
  const db = region === undefined ? null : ports.regions.db(region);
  if (db === null) return null;
  const now = ports.clock.now();
  const tokenHash = await hashToken(token);
  const found = await sessionOfToken(db, tokenHash, now);
  if (found === null) return null;
  if (now - found.seenAt >= limits.sessionSeenEveryMs) {
    const { sessionIdleMs: idleMs, sessionMaxMs: maxMs } = limits;
    ports.background(touchSession(db, tokenHash, now, { idleMs, maxMs }));
  }
  return { accountId: found.accountId, sessionId: found.id };
}

/** The live sessions of an account, the latest used first. */
export async function listSessions(ports: Ports, accountId: string): Promise<SessionView[]> {
  const db = ports.regions.db(accountId);
  if (db === null) return [];
  const rows = await sessionsOf(db, accountId, ports.clock.now());
  return await Promise.all(
    rows.map(async ({ clientSealed, ...row }) => {
      const at = sealedAt.client(row.id);
      const opened = await ports.sealer.open(personKey(accountId), at, clientSealed);
      const kept = JSON.parse(opened ?? "{}") as Partial<Pick<SessionView, "client" | "network">>;
      return { ...row, client: kept.client ?? "Unknown", network: kept.network ?? null };
    }),
  );
}

/** Ends one session of an account; false when the account has no such session. */
export async function revokeSession(
  ports: Ports,
  accountId: string,
  sessionId: string,
): Promise<boolean> {
  const db = ports.regions.db(accountId);
  return db !== null && isId("ses", sessionId) && (await deleteSession(db, accountId, sessionId));
}

/** Ends the session of a token, if it is one. */
export async function signOut(ports: Ports, token: string): Promise<void> {
  const region = parseToken("ses", token)?.region;
  const db = region === undefined ? null : ports.regions.db(region);
  if (db !== null) await deleteSessionOfToken(db, await hashToken(token));
}
