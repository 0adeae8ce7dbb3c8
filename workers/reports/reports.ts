/**
 * Reports about the page behind a door, by anybody who saw it, without an account. Kept is what they
 * typed and nothing else of them: no address they come from, no path they were at (CON-14).
 */

import { personKey, sealedAt } from "../../db/queries/accounts.ts";
import { insertReport } from "../../db/queries/reports.ts";
import { newId, regionOf } from "../../protocol/ids.ts";
import { limits } from "../../protocol/limits.ts";
import { checkLabel, labelUnder } from "../../protocol/names.ts";
import type { ReportKind } from "../../protocol/reports.ts";
import type { Config } from "../config.ts";
import type { Ports } from "../ports.ts";
import { Problem } from "../problem.ts";
import { type Client, limitedNetwork } from "../sign-in/client.ts";
import { normalizeAddress } from "../sign-in/rules.ts";

/** What somebody reports. */
export interface NewReport {
  /** A device's name or an address at its door; only the name of it is kept. */
  readonly door: string;
  readonly about: ReportKind;
  readonly words: string;
  /** Where they want an answer; empty for none. */
  readonly address: string;
  /** Chosen by the form: sent twice, it is one report. Null where each is one. */
  readonly once: string | null;
}

/** What is sealed of a report. */
export interface Told {
  readonly words: string;
  /** Null when none was left, and once the answer is on its way. */
  readonly address: string | null;
}

/** The end of a report's identifier. */
export const ONCE_PATTERN = /^[0-9A-Za-z]{16}$/;

/**
 * Keeps a report.
 * @returns its reference, for whoever made it
 * @throws Problem with the field: `report-words`, `address-syntax`, `door-unknown`; `report-enough`,
 *   `too-many-tries`
 */
export async function report(
  ports: Ports,
  { door, about, words, address, once }: NewReport,
  client: Client,
): Promise<string> {
  const told = { words: words.trim(), address: address.trim() === "" ? null : addressOf(address) };
  if (told.words === "" || told.words.length > limits.reportLength) {
    throw new Problem("report-words", "words");
  }
  const label = labelIn(ports.config, door);
  if (label === null) throw new Problem("door-unknown", "door");
  const { reportsPerNetwork: max, reportWindowMs } = limits;
  if (!(await ports.limits.take("report", limitedNetwork(client.peer), max, reportWindowMs))) {
    throw new Problem("too-many-tries");
  }
  const deviceId = await ports.names.deviceOfLabel(label);
  const device = deviceId === null ? null : await ports.devices.get(deviceId).describe();
  // A door that is off is none, as at the door itself.
  if (device === null || !device.features.link) throw new Problem("door-unknown", "door");
  return await keep(ports, device.id, about, told, once);
}

async function keep(
  ports: Ports,
  deviceId: string,
  about: ReportKind,
  told: Told,
  once: string | null,
): Promise<string> {
  const db = ports.regions.db(deviceId);
  const region = regionOf(deviceId);
  if (db === null || region === null) throw new Problem("door-unknown", "door");
  const id =
    once === null
      ? newId("rpt", region, (bytes) => ports.random.bytes(bytes))
      : `rpt_${region}_${once}`;
  const now = ports.clock.now();
  const toldSealed = await ports.sealer.seal(
    personKey(id),
    sealedAt.report(id),
    JSON.stringify(told),
    { fresh: true },
  );
  const row = {
    ...{ id, deviceId, about, toldSealed },
    ...{ createdAt: now, expiresAt: now + limits.reportMs },
  };
  const kept = await insertReport(db, row, limits.reportsPerDevice);
  if (kept === "kept") return id;
  await ports.sealer.destroy(personKey(id));
  throw kept === null ? new Problem("door-unknown", "door") : new Problem("report-enough");
}

function addressOf(text: string): string {
  const address = normalizeAddress(text);
  if (address === null) throw new Problem("address-syntax", "address");
  return address;
}

/** The name in what somebody typed: the name alone, its host, or an address at its door; null: none. */
export function labelIn(config: Pick<Config, "linkZone">, text: string): string | null {
  const typed = text.trim().toLowerCase();
  if (checkLabel(typed) === null) return typed;
  const address = /^https?:\/\//.test(typed) ? typed : `https://${typed}`;
  if (!URL.canParse(address)) return null;
  const label = labelUnder(new URL(address).hostname, config.linkZone);
  return label !== null && checkLabel(label) === null ? label : null;
}
