/**
 * What a device's owner puts into DNS below its name: the wildcard, records of some kinds, and other
 * machines of the same home (docs/name.md).
 */

import type { Neighbor, RecordsChange } from "../../durable-objects/device/records-rpc.ts";
import { joined, parseAddress } from "../../protocol/addresses.ts";
import {
  isHostWord,
  isOneSet,
  type OwnType,
  ownerFrom,
  recordFrom,
  recordText,
} from "../../protocol/dns/presentation.ts";
import type { RecordSet } from "../../protocol/dns/sets.ts";
import { limits } from "../../protocol/limits.ts";
import { note } from "../account/activity.ts";
import { getDevice, ownDevice } from "../devices/devices.ts";
import type { Ports } from "../ports.ts";
import { Problem, type ProblemCode } from "../problem.ts";
import type { Client } from "../sign-in/client.ts";

/** A set as one writes it. */
export interface WrittenSet {
  /** Relative to the device's name; `""` is the name itself. */
  readonly owner: string;
  readonly type: string;
  readonly values: readonly string[];
}

export interface RecordsView {
  readonly wildcard: boolean;
  /** What the owner wrote. */
  readonly records: readonly WrittenSet[];
  readonly neighbors: readonly Neighbor[];
  /** Everything that DNS answers now, the owner's among it. */
  readonly answered: readonly WrittenSet[];
}

/** Whose device, and who asks. */
export interface Asker {
  readonly accountId: string;
  readonly deviceId: string;
  readonly client: Client;
}

const wrong: Readonly<Record<OwnType, ProblemCode>> = {
  CAA: "record-caa",
  HTTPS: "record-service",
  SVCB: "record-service",
  TXT: "record-text",
};

/** @throws Problem `not-found`, `feature-off` */
export async function readRecords(
  ports: Ports,
  accountId: string,
  deviceId: string,
): Promise<RecordsView> {
  const object = await ownDevice(ports, accountId, deviceId);
  const own = await object.ownRecords();
  if (own === null) throw new Problem("feature-off");
  const sets = (await object.records()) ?? []; // none while an operator keeps it closed
  return {
    ...{ wildcard: own.wildcard, neighbors: own.neighbors },
    records: own.sets.map(written),
    answered: sets.filter(({ type }) => type !== "NSEC").map(written),
  };
}

const written = ({
  owner,
  type,
  data,
}: Pick<RecordSet, "owner" | "type" | "data">): WrittenSet => ({
  ...{ owner, type },
  values: data.map(recordText),
});

/** What is not there below the name answers as the name does, or not. @throws as `change` does */
export function setWildcard(ports: Ports, asker: Asker, on: boolean): Promise<void> {
  return change(ports, asker, { wildcard: on });
}

/**
 * Puts a set in place of the one of its owner and type; without values there is none any more.
 * @throws Problem `record-owner` and `record-…` on the field that is wrong; as `change` does
 */
export async function putRecords(
  ports: Ports,
  asker: Asker,
  { owner: typed, type, values }: WrittenSet & { readonly type: OwnType },
): Promise<void> {
  const owner = ownerFrom(type, typed);
  if (owner === null) throw new Problem("record-owner", "owner");
  const data = values.map((text) => {
    const record = recordFrom(type, text);
    if (record === null) throw new Problem(wrong[type], "values");
    return record;
  });
  if (!isOneSet(data)) throw new Problem("record-set", "values");
  await change(ports, asker, { set: { owner, type, data } });
}

/**
 * Names another machine of the home, or forgets it.
 * @param interfaceId an IPv6 address of it, of which the second half counts; null: it goes
 * @throws Problem `record-owner`, `interface-unfit`; as `change` does
 */
export async function putNeighbor(
  ports: Ports,
  asker: Asker,
  typed: string,
  interfaceId: string | null,
): Promise<void> {
  const owner = typed.trim().toLowerCase();
  if (!isHostWord(owner)) throw new Problem("record-owner", "owner");
  const id = interfaceId === null ? null : interfaceFrom(interfaceId.trim());
  await change(ports, asker, { neighbor: { owner, interfaceId: id } });
}

const NO_PREFIX = { family: "ipv6", text: "::", bits: 64 } as const;

/** The second half of an IPv6 address (RFC 4291 §2.5.1). @throws Problem `interface-unfit` */
function interfaceFrom(text: string): string {
  const address = parseAddress(text);
  const half = address?.family === "ipv6" ? joined(NO_PREFIX, address).text : "::";
  if (half === "::") throw new Problem("interface-unfit", "interface");
  return half;
}

/** @throws Problem `not-found`, `feature-off`, `too-many`, `records-large`, `too-many-changes` */
async function change(
  ports: Ports,
  { accountId, deviceId, client }: Asker,
  wanted: RecordsChange,
): Promise<void> {
  const { label } = await getDevice(ports, accountId, deviceId);
  const { recordChangesPerDevice, recordWindowMs } = limits;
  const may = await ports.limits.take("records", deviceId, recordChangesPerDevice, recordWindowMs);
  if (!may) throw new Problem("too-many-changes");
  const result = await ports.devices.get(deviceId).changeRecords(wanted);
  if (result === "off") throw new Problem("feature-off");
  if (result === "full") throw new Problem("too-many");
  if (result === "large") throw new Problem("records-large");
  await note(ports, accountId, "name-records-changed", { client, about: label });
}
