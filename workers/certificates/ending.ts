/**
 * What was certified for a device that ended, or whose name is off, is revoked although nothing else is left
 * of it. Where the authority is away just then it is asked again, each time later, for less than a day: what
 * is deleted may be kept no longer (FEA-4, RET-2), and a certificate says the name. Until then the
 * certificates lie sealed under a key of their own, which goes with them.
 */

import { personKey } from "../../db/queries/accounts.ts";
import {
  deleteRevocation,
  dueRevocations,
  insertRevocation,
  type RevocationRow,
  revocationsOf,
  setLeaves,
  takeRevocation,
} from "../../db/queries/revocations.ts";
import type { CertificateState } from "../../durable-objects/device/certificate-rpc.ts";
import { newId, regionOf } from "../../protocol/ids.ts";
import { limits } from "../../protocol/limits.ts";
import type { Db, Ports } from "../ports.ts";
import { Problem } from "../problem.ts";
import { askToRevoke, leavesOf } from "./revocation.ts";

const placeOf = (id: string) => `revocation.leaves:${id}`;

/**
 * Keeps what counts of a device's certificates, to have it revoked. Call it before they go: what their device
 * still has is not revoked, so that nothing is lost, and nothing too early, where that breaks off. Idempotent.
 * @param state what is kept of them
 * @returns what tries it at once; to be called when they are gone. It never rejects, and nobody needs to wait
 *   for it
 */
export async function keepToRevoke(
  ports: Ports,
  deviceId: string,
  state: CertificateState | null,
): Promise<() => Promise<void>> {
  const now = ports.clock.now();
  const [leaves, until] = leavesOf(state, now);
  const region = regionOf(deviceId);
  const db = ports.regions.db(deviceId);
  const isNothing = ports.config.authority === null || leaves.length === 0;
  if (isNothing || region === null || db === null) return async () => {};
  const kept = await revocationsOf(db, deviceId, now);
  const before = await Promise.all(kept.map((row) => opened(ports, row)));
  const isKept = before.some((one) => leaves.every((leaf) => one?.includes(leaf)));
  if (!isKept) {
    const id = newId("rvk", region, (count) => ports.random.bytes(count));
    const leavesSealed = await sealed(ports, id, leaves);
    const dueAt = now + limits.revocationRetryMs;
    const expiresAt = Math.min(until, now + limits.revocationMs);
    await insertRevocation(db, { id, deviceId, leavesSealed, tries: 0, dueAt, expiresAt });
  }
  return async () => {
    try {
      for (const row of await revocationsOf(db, deviceId, ports.clock.now())) {
        await tryRevocation(ports, db, row);
      }
    } catch (error) {
      // Whatever failed, the sweep tries it again.
      if (error instanceof Problem) tellAway(ports, error);
      else ports.log({ event: "internal-error", code: nameOf(error) });
    }
  };
}

/**
 * Tries what is due in a region. Once the authority does not answer, the others wait for the next run.
 * @throws whatever else failed
 */
export async function tryRevocations(ports: Ports, db: Db): Promise<void> {
  if (ports.config.authority === null) return;
  const due = await dueRevocations(db, ports.clock.now(), limits.revocationsAtOnce);
  try {
    for (const row of due) await tryRevocation(ports, db, row);
  } catch (error) {
    if (!(error instanceof Problem)) throw error;
    tellAway(ports, error);
  }
}

/** @throws Problem `unavailable` while the authority is away */
async function tryRevocation(ports: Ports, db: Db, row: RevocationRow): Promise<void> {
  const now = ports.clock.now();
  const { revocationRetryMs, revocationRetryMaxMs } = limits;
  const waitMs = Math.min(revocationRetryMs * 2 ** row.tries, revocationRetryMaxMs);
  if (!(await takeRevocation(db, row, now, now + waitMs))) return;
  const leaves = (await opened(ports, row)) ?? [];
  // It was to end or to be switched off, and was not, or not yet.
  const [had] = leavesOf(await ports.devices.get(row.deviceId).certificate(), now);
  if (leaves.some((leaf) => had.includes(leaf))) return;
  for (const [at, leaf] of leaves.entries()) {
    try {
      // What the authority refuses for good is as over as what it revoked: there is nobody to tell.
      await askToRevoke(ports, leaf, "cessation");
    } catch (error) {
      if (at > 0) await keepRest(ports, db, row, leaves.slice(at));
      throw error;
    }
  }
  await ports.sealer.destroy(personKey(row.id));
  await deleteRevocation(db, row.id);
}

/** Sealing makes a key that is not there: where another runner was done first, it goes again. */
async function keepRest(ports: Ports, db: Db, { id }: RevocationRow, leaves: readonly string[]) {
  const isKept = await setLeaves(db, id, await sealed(ports, id, leaves));
  if (!isKept) await ports.sealer.destroy(personKey(id));
}

/** Null for what cannot be opened any more. */
async function opened(ports: Ports, { id, leavesSealed }: RevocationRow): Promise<string[] | null> {
  const text = await ports.sealer.open(personKey(id), placeOf(id), leavesSealed);
  return text === null ? null : (JSON.parse(text) as string[]);
}

async function sealed(ports: Ports, id: string, leaves: readonly string[]): Promise<string> {
  return await ports.sealer.seal(personKey(id), placeOf(id), JSON.stringify(leaves));
}

function tellAway(ports: Ports, error: unknown): void {
  ports.log({ event: "authority-away", code: nameOf(error) });
}

const nameOf = (error: unknown): string => (error instanceof Error ? error.name : "unknown");
