/** Sessions: checking one (a single query), listing them, ending them. */

import { noteActiveDay, personKey, sealedAt } from "../../db/queries/accounts.ts";
import {
  deleteSession,
  expireSession,
  type SessionKey,
  sessionOfToken,
  sessionsOf,
  touchSession,
} from "../../db/queries/sessions.ts";
import { type CheckedSession, sessionMemory } from "../../db/session-cache.ts";
import { isId } from "../../protocol/ids.ts";
import { limits } from "../../protocol/limits.ts";
import { hashToken, parseToken } from "../../protocol/tokens.ts";
import { atDevicesReached } from "../devices/reached.ts";
import type { Signed } from "../http.ts";
import type { Db, Ports } from "../ports.ts";
import { Problem } from "../problem.ts";
import { methodsOf, type SignInMethod } from "./requirements.ts";

export interface SessionView {
  readonly id: string;
  /** A browser's name such as `Firefox on Linux`. */
  readonly client: string;
  /** The network it signed in from, masked; null when it was not known. */
  readonly network: string | null;
  /** What was shown at sign-in. */
  readonly methods: readonly SignInMethod[];
  /** Milliseconds since the epoch; `seenAt` is exact to an hour. */
  readonly createdAt: number;
  readonly seenAt: number;
  readonly expiresAt: number;
}

/** Whose session a token is; null when it is none, ended or too old. Notes the use once an hour. */
export async function checkSession(ports: Ports, token: string): Promise<Signed | null> {
  const region = parseToken("ses", token)?.region;
  const db = region === undefined ? null : ports.regions.db(region);
  if (db === null) return null;
  const now = ports.clock.now();
  const memory = sessionMemory(db);
  const remembered = memory.get(token, now);
  if (remembered !== null) return signed(remembered);
  const tokenHash = await hashToken(token);
  const found = await sessionOfToken(db, tokenHash, now);
  if (found === null) return null;
  memory.put(token, found, now);
  if (now - found.seenAt >= limits.sessionSeenEveryMs) {
    const { sessionIdleMs: idleMs, sessionMaxMs: maxMs } = limits;
    ports.background(touchSession(db, tokenHash, now, { idleMs, maxMs }));
    ports.background(noteActiveDay(db, found.accountId, now));
  }
  return signed(found);
}

const signed = ({ accountId, id: sessionId, confirmedAt }: CheckedSession): Signed => ({
  accountId,
  sessionId,
  confirmedAt,
});

/** The live sessions of an account, the latest used first. */
export async function listSessions(ports: Ports, accountId: string): Promise<SessionView[]> {
  const db = ports.regions.db(accountId);
  if (db === null) return [];
  const rows = await sessionsOf(db, accountId, ports.clock.now());
  return await Promise.all(
    rows.map(async ({ clientSealed, methods, ...row }) => {
      const at = sealedAt.client(row.id);
      const opened = await ports.sealer.open(personKey(accountId), at, clientSealed);
      const kept = JSON.parse(opened ?? "{}") as Partial<Pick<SessionView, "client" | "network">>;
      const { client = "Unknown", network = null } = kept;
      return { ...row, client, network, methods: methodsOf(methods) };
    }),
  );
}

/**
 * Ends one session of an account; false when the account has no such session.
 * @throws Problem `unavailable` when a visit it opened could not be ended; it may be asked again
 */
export async function revokeSession(
  ports: Ports,
  accountId: string,
  sessionId: string,
): Promise<boolean> {
  const db = ports.regions.db(accountId);
  return db !== null && isId("ses", sessionId) && (await end(ports, db, { accountId, sessionId }));
}

/** Who removes a way in, from which session. */
export type Remover = Pick<Signed, "accountId" | "sessionId">;

/**
 * Ends the other sessions that one of these methods had a part in: whoever removes a way in does not
 * trust it any more. Which passkey or account elsewhere it was a session does not say, so those of the
 * same kind all end.
 * @throws Problem `unavailable` when a visit could not be ended; all these sessions are dead even so
 */
export async function endSessionsBy(
  ports: Ports,
  { accountId, sessionId }: Remover,
  kind: readonly SignInMethod[],
): Promise<void> {
  const db = ports.regions.db(accountId);
  const rows = db === null ? [] : await sessionsOf(db, accountId, ports.clock.now());
  const shown = rows.filter(
    ({ id, methods }) => id !== sessionId && methodsOf(methods).some((each) => kind.includes(each)),
  );
  const ends = shown.map(({ id }) => revokeSession(ports, accountId, id));
  const ended = await Promise.allSettled(ends);
  if (ended.some(({ status }) => status === "rejected")) throw new Problem("unavailable");
}

/**
 * Ends the session of a token, if it is one.
 * @throws Problem `unavailable` when a visit it opened could not be ended; it may be asked again
 */
export async function signOut(ports: Ports, token: string): Promise<void> {
  const region = parseToken("ses", token)?.region;
  const db = region === undefined ? null : ports.regions.db(region);
  if (db !== null) await end(ports, db, { tokenHash: await hashToken(token) });
}

/**
 * The session first, so that it opens no other visit; then the visits it opened behind doors, which
 * have cookies of their own; the row last, so that an end that was cut off can be asked for again.
 */
async function end(ports: Ports, db: Db, key: SessionKey): Promise<boolean> {
  const ended = await expireSession(db, key, ports.clock.now());
  if (ended === null) return false;
  await atDevicesReached(ports, db, ended.accountId, (device) => device.endVisits(ended.id));
  await deleteSession(db, key);
  return true;
}
