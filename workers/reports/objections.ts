/** What the owner of a closed door says to it: one objection waits at a time, for the operator to read. */

import { personKey, sealedAt } from "../../db/queries/accounts.ts";
import { insertObjection, objectionOf } from "../../db/queries/reports.ts";
import { limits } from "../../protocol/limits.ts";
import { ownDevice } from "../devices/devices.ts";
import type { Ports } from "../ports.ts";
import { Problem } from "../problem.ts";

/** What waits for the operator. */
export interface OwnObjection {
  readonly words: string;
  readonly createdAt: number;
}

/** Null when none waits. The device is the account's own. */
export async function ownObjection(
  ports: Ports,
  accountId: string,
  deviceId: string,
): Promise<OwnObjection | null> {
  const db = ports.regions.db(deviceId);
  const row = db === null ? null : await objectionOf(db, deviceId, ports.clock.now());
  if (row === null || row.accountId !== accountId) return null;
  const at = sealedAt.objection(deviceId);
  const words = await ports.sealer.open(personKey(accountId), at, row.wordsSealed);
  return words === null ? null : { words, createdAt: row.createdAt };
}

/**
 * Objects to a closed door. A second one while the first waits changes nothing.
 * @throws Problem `not-found`, `door-not-closed`, `report-words` with the field
 */
export async function objectToClosure(
  ports: Ports,
  accountId: string,
  deviceId: string,
  text: string,
): Promise<OwnObjection> {
  const device = await (await ownDevice(ports, accountId, deviceId)).describe();
  const db = ports.regions.db(deviceId);
  if (device === null || db === null) throw new Problem("not-found");
  if (device.access.closed === null) throw new Problem("door-not-closed");
  const words = text.trim();
  if (words === "" || words.length > limits.statementLength) {
    throw new Problem("report-words", "words");
  }
  const now = ports.clock.now();
  const at = sealedAt.objection(deviceId);
  const wordsSealed = await ports.sealer.seal(personKey(accountId), at, words);
  const times = { createdAt: now, expiresAt: now + limits.reportMs };
  await insertObjection(db, { deviceId, accountId, wordsSealed, ...times });
  const waits = await ownObjection(ports, accountId, deviceId);
  if (waits === null) throw new Problem("not-found");
  return waits;
}
