/**
 * Queries of the queue of certificates: whose turn it is, what counts against the authority's limits,
 * and our account there. All regions share them, so they lie in the directory.
 */

import { and, asc, eq, gt, lte, sql } from "drizzle-orm";
import type { Db } from "../db.ts";
import { acmeAccount, acmeSlot, certificateOrder } from "../schema/directory.ts";

export type AcmeAccountRow = typeof acmeAccount.$inferSelect;
export type OrderRow = typeof certificateOrder.$inferSelect;

export async function acmeAccountAt(db: Db, server: string): Promise<AcmeAccountRow | null> {
  const [row] = await db.select().from(acmeAccount).where(eq(acmeAccount.server, server));
  return row ?? null;
}

/** Keeps an account; of two that were made at once the first stays. */
export async function insertAcmeAccount(db: Db, row: AcmeAccountRow): Promise<void> {
  await db.insert(acmeAccount).values(row).onConflictDoNothing();
}

/** The authority wants to be left alone until then. */
export async function pauseAcme(db: Db, server: string, until: number): Promise<void> {
  await db
    .update(acmeAccount)
    .set({ pausedUntil: sql`max(${acmeAccount.pausedUntil}, ${until})` })
    .where(eq(acmeAccount.server, server));
}

/** Puts an order into the queue; one that the device has there keeps its turn and its place. */
export async function enqueueOrder(
  db: Db,
  row: Omit<OrderRow, "leaseUntil" | "dueAt">,
): Promise<void> {
  const { exempt, expiresAt } = row;
  await db
    .insert(certificateOrder)
    .values({ ...row, dueAt: 0, leaseUntil: 0 })
    .onConflictDoUpdate({
      target: certificateOrder.deviceId,
      set: { exempt, expiresAt, dueAt: 0 },
    });
}

/** Takes an order that is due, for one runner until `until`; null when it is not, or another has it. */
export async function leaseOrder(
  db: Db,
  deviceId: string,
  now: number,
  until: number,
): Promise<OrderRow | null> {
  const [row] = await db
    .update(certificateOrder)
    .set({ leaseUntil: until })
    .where(
      and(
        eq(certificateOrder.deviceId, deviceId),
        lte(certificateOrder.leaseUntil, now),
        lte(certificateOrder.dueAt, now),
        gt(certificateOrder.expiresAt, now),
      ),
    )
    .returning();
  return row ?? null;
}

/** Gives an order back; it is due again at `dueAt`. */
export async function releaseOrder(
  db: Db,
  { deviceId, leaseUntil }: Pick<OrderRow, "deviceId" | "leaseUntil">,
  dueAt: number,
): Promise<void> {
  await db
    .update(certificateOrder)
    .set({ leaseUntil: 0, dueAt })
    .where(
      and(eq(certificateOrder.deviceId, deviceId), eq(certificateOrder.leaseUntil, leaseUntil)),
    );
}

/** Takes an order out of the queue. Idempotent. */
export async function deleteOrder(db: Db, deviceId: string): Promise<void> {
  await db.delete(certificateOrder).where(eq(certificateOrder.deviceId, deviceId));
}

/** The devices whose orders are due, the longest due first. */
export async function dueOrders(db: Db, now: number, limit: number): Promise<string[]> {
  const rows = await db
    .select({ deviceId: certificateOrder.deviceId })
    .from(certificateOrder)
    .where(
      and(
        lte(certificateOrder.dueAt, now),
        lte(certificateOrder.leaseUntil, now),
        gt(certificateOrder.expiresAt, now),
      ),
    )
    .orderBy(asc(certificateOrder.dueAt))
    .limit(limit);
  return rows.map(({ deviceId }) => deviceId);
}

/** Orders that asked before `order` and have no place among the zone's certificates yet. */
const before = ({ askedAt, slot }: Pick<OrderRow, "askedAt" | "slot">, now: number) => sql`
  (SELECT count(*) FROM ${certificateOrder} AS earlier
   WHERE earlier.exempt = 0 AND earlier.expires_at > ${now}
     AND (earlier.asked_at < ${askedAt} OR (earlier.asked_at = ${askedAt} AND earlier.slot < ${slot}))
     AND NOT EXISTS (SELECT 1 FROM ${acmeSlot} AS held WHERE held.id = earlier.slot))`;

/** How many come before the device's order; null when it waits for no place. */
export async function placeInQueue(db: Db, deviceId: string, now: number): Promise<number | null> {
  const [order] = await db
    .select()
    .from(certificateOrder)
    .where(and(eq(certificateOrder.deviceId, deviceId), gt(certificateOrder.expiresAt, now)));
  if (order === undefined || order.exempt === 1) return null;
  const rows = await db.all<{ place: number; held: number }>(
    sql`SELECT ${before(order, now)} AS place,
          EXISTS (SELECT 1 FROM ${acmeSlot} WHERE id = ${order.slot}) AS held`,
  );
  return rows[0] === undefined || rows[0].held === 1 ? null : rows[0].place;
}

/**
 * Takes one of the zone's `max` certificates for an order, whoever asked earlier first: one statement, so
 * that two runners never take the last one twice. True also when the order has its place already.
 */
export async function takeCertificate(
  db: Db,
  order: Pick<OrderRow, "askedAt" | "slot">,
  { max, now, expiresAt }: { max: number; now: number; expiresAt: number },
): Promise<boolean> {
  await db.run(
    sql`INSERT INTO ${acmeSlot} (id, kind, expires_at)
        SELECT ${order.slot}, 'certificate', ${expiresAt}
        WHERE (SELECT count(*) FROM ${acmeSlot} AS held
               WHERE held.kind = 'certificate' AND held.expires_at > ${now})
              + ${before(order, now)} < ${max}
        ON CONFLICT DO NOTHING`,
  );
  const rows = await db
    .select({ id: acmeSlot.id })
    .from(acmeSlot)
    .where(and(eq(acmeSlot.id, order.slot), gt(acmeSlot.expiresAt, now)));
  return rows.length === 1;
}

/** Counts one order at the authority under a random `id`; false when `max` are used up. */
export async function takeOrder(
  db: Db,
  id: string,
  { max, now, expiresAt }: { max: number; now: number; expiresAt: number },
): Promise<boolean> {
  const rows = await db.all(
    sql`INSERT INTO ${acmeSlot} (id, kind, expires_at) SELECT ${id}, 'order', ${expiresAt}
        WHERE (SELECT count(*) FROM ${acmeSlot} AS held
               WHERE held.kind = 'order' AND held.expires_at > ${now}) < ${max}
        RETURNING id`,
  );
  return rows.length === 1;
}

/** Gives a place back that came to nothing. Idempotent. */
export async function giveBackCertificate(db: Db, slot: string): Promise<void> {
  await db.delete(acmeSlot).where(eq(acmeSlot.id, slot));
}

/** When the next place is free again; null when none is taken. */
export async function nextFree(
  db: Db,
  kind: "certificate" | "order",
  now: number,
): Promise<number | null> {
  const [row] = await db
    .select({ at: sql<number | null>`min(${acmeSlot.expiresAt})` })
    .from(acmeSlot)
    .where(and(eq(acmeSlot.kind, kind), gt(acmeSlot.expiresAt, now)));
  return row?.at ?? null;
}
