/**
 * Queries of sign-ins that a program without a browser asked for (RFC 8628), and of how apps' tokens
 * end. Reads filter by expiry; what one answer may do once is one statement.
 */

import { and, eq, gt, inArray, isNull, sql } from "drizzle-orm";
import type { Db } from "../db.ts";
import { oauthCode, oauthGrant, oauthToken } from "../schema/region/openid.ts";
import { oauthDeviceCode } from "../schema/region/openid-device.ts";

export type NewDeviceCode = Omit<typeof oauthDeviceCode.$inferInsert, "deniedAt">;
export type DeviceCodeRow = typeof oauthDeviceCode.$inferSelect;

export async function insertDeviceCode(db: Db, row: NewDeviceCode): Promise<void> {
  await db.insert(oauthDeviceCode).values(row);
}

/** What waits behind the code that a person typed; null when nothing does. */
export async function deviceCodeByUserCode(
  db: Db,
  userCodeHash: string,
  now: number,
): Promise<DeviceCodeRow | null> {
  const [row] = await db.select().from(oauthDeviceCode).where(waits(userCodeHash, now));
  return row ?? null;
}

/** What the program asks about; null when somebody allowed it, or its time has passed. */
export async function deviceCodeOf(
  db: Db,
  codeHash: string,
  now: number,
): Promise<DeviceCodeRow | null> {
  const [row] = await db
    .select()
    .from(oauthDeviceCode)
    .where(and(eq(oauthDeviceCode.codeHash, codeHash), gt(oauthDeviceCode.expiresAt, now)));
  return row ?? null;
}

export async function noteDevicePoll(
  db: Db,
  codeHash: string,
  polledAt: number,
  intervalMs: number,
): Promise<void> {
  await db
    .update(oauthDeviceCode)
    .set({ polledAt, intervalMs })
    .where(eq(oauthDeviceCode.codeHash, codeHash));
}

/** Takes the request that waits behind a user code away: of all who answer at once one gets it. */
export async function takeDeviceCode(
  db: Db,
  userCodeHash: string,
  now: number,
): Promise<DeviceCodeRow | null> {
  const [row] = await db.delete(oauthDeviceCode).where(waits(userCodeHash, now)).returning();
  return row ?? null;
}

/** Notes a no, so that the program hears it; nobody can answer again. False when nothing waited. */
export async function denyDeviceCode(
  db: Db,
  userCodeHash: string,
  tombstone: string,
  now: number,
): Promise<boolean> {
  const rows = await db
    .update(oauthDeviceCode)
    .set({ deniedAt: now, userCodeHash: tombstone })
    .where(waits(userCodeHash, now))
    .returning({ codeHash: oauthDeviceCode.codeHash });
  return rows.length === 1;
}

const waits = (userCodeHash: string, now: number) =>
  and(
    eq(oauthDeviceCode.userCodeHash, userCodeHash),
    isNull(oauthDeviceCode.deniedAt),
    gt(oauthDeviceCode.expiresAt, now),
  );

/** Ends one access token of a client; another client's stays. */
export async function deleteAccessToken(
  db: Db,
  tokenHash: string,
  clientId: string,
): Promise<void> {
  await db
    .delete(oauthToken)
    .where(
      and(
        eq(oauthToken.tokenHash, tokenHash),
        eq(oauthToken.kind, "access"),
        eq(oauthToken.clientId, clientId),
      ),
    );
}

/** True while a refresh token of `turn` may be used: nothing later than its successor was made. */
export async function isRefreshGood(db: Db, chain: string, turn: number): Promise<boolean> {
  const rows = await db
    .select({ one: sql`1` })
    .from(oauthToken)
    .where(
      and(
        eq(oauthToken.chain, chain),
        eq(oauthToken.kind, "refresh"),
        gt(oauthToken.turn, turn + 1),
      ),
    )
    .limit(1);
  return rows.length === 0;
}

/** Ends everything that anybody of a region allowed a client: grants, codes, tokens, requests. */
export async function deleteClient(db: Db, clientId: string): Promise<void> {
  const grants = db
    .select({ id: oauthGrant.id })
    .from(oauthGrant)
    .where(eq(oauthGrant.clientId, clientId));
  await db.batch([
    db.delete(oauthToken).where(inArray(oauthToken.grantId, grants)),
    db.delete(oauthCode).where(inArray(oauthCode.grantId, grants)),
    db.delete(oauthGrant).where(eq(oauthGrant.clientId, clientId)),
    db.delete(oauthDeviceCode).where(eq(oauthDeviceCode.clientId, clientId)),
  ]);
}
