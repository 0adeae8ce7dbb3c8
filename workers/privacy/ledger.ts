/**
 * The erasure ledger: an entry is written before the first delete and tells how far it got. While it
 * is open it names the account; when all is done only a random identifier and a keyed hash are left,
 * so that an erasure can be replayed after a restore and proved to an auditor, naming nobody.
 */

import { limits } from "../../protocol/limits.ts";
import type { Ports } from "../ports.ts";

export interface OpenErasure {
  readonly id: string;
  readonly accountId: string;
  /** When it was asked for, in ms since the epoch. */
  readonly at: number;
}

/** Names begin with the time, so that the first in the list is the oldest. */
const nameOf = ({ at, id }: { at: number; id: string }) => `${String(at).padStart(15, "0")}.${id}`;
const timeOf = (name: string) => Number(name.split("/")[1]?.split(".")[0]);

export async function openEntry(ports: Ports, erasure: OpenErasure): Promise<void> {
  await ports.ledger.put(`open/${nameOf(erasure)}`, JSON.stringify(erasure));
}

/** Closes an entry: first the proof without identity, then the entry that names the account. */
export async function closeEntry(
  ports: Ports,
  erasure: OpenErasure,
  stores: readonly string[],
): Promise<void> {
  const subject = await ports.names.hash("erasure", erasure.accountId);
  const proof = { id: erasure.id, subject, at: erasure.at, doneAt: ports.clock.now(), stores };
  await ports.ledger.put(`done/${nameOf(erasure)}`, JSON.stringify(proof));
  await ports.ledger.delete(`open/${nameOf(erasure)}`);
}

/** Erasures that were begun and not ended, the oldest first; at most `limits.ledgerPage`. */
export async function openErasures(ports: Ports): Promise<OpenErasure[]> {
  const entries = [];
  for (const name of await ports.ledger.list("open/")) {
    const text = await ports.ledger.get(name);
    if (text !== null) entries.push(JSON.parse(text) as OpenErasure);
  }
  return entries;
}

/** Deletes proofs whose period is over; at most one page a run. */
export async function deleteOldEntries(ports: Ports): Promise<number> {
  const end = ports.clock.now() - limits.ledgerMs;
  const old = (await ports.ledger.list("done/")).filter((name) => timeOf(name) <= end);
  for (const name of old) await ports.ledger.delete(name);
  return old.length;
}

/** When the oldest open erasure was asked for and when the oldest proof goes; null: there is none. */
export async function oldestEntries(
  ports: Ports,
): Promise<{ readonly open: number | null; readonly proof: number | null }> {
  const [open] = await ports.ledger.list("open/");
  const [done] = await ports.ledger.list("done/");
  return {
    open: open === undefined ? null : timeOf(open),
    proof: done === undefined ? null : timeOf(done) + limits.ledgerMs,
  };
}
