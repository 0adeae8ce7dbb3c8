/**
 * One call for several names: those of the device whose token it shows, and of its owner's other devices
 * where the token says addresses for them too. Where it is about several devices, each is first asked what
 * would become of its part, and nothing changes where one would refuse. What changes then each device writes
 * whole or not at all, and none waits for another: what a call that broke off there has changed is there, and
 * the same call again says so.
 */

import { keepAll } from "../../durable-objects/device/dyndns2.ts";
import type {
  AddressChanges,
  AddressUpdate,
  NameRight,
  UpdateResult,
} from "../../durable-objects/device/rpc.ts";
import type { FrontPorts } from "../ports.ts";

interface Several {
  /** Whose token it is. */
  readonly deviceId: string;
  readonly right: NameRight;
  /** What the client named; null for what is no name of the zone. */
  readonly labels: readonly (string | null)[];
  readonly said: {
    readonly secret: string;
    /** Which program says it, in a word of ours. */
    readonly client: string;
    readonly changes: AddressChanges;
  };
}

/** What is said to one device, of the names of its that are meant. */
interface Part {
  readonly device: string;
  readonly update: AddressUpdate & { readonly labels: readonly string[] };
}

/**
 * @returns what became of each name, by its label: first that of the token's own device, under "" when
 *   nothing of its is named; a name that is out of reach is missing, or `nohost`. Where one device refuses, all
 *   have its word, and nothing was changed.
 */
export async function changeNames(
  several: Several,
  ports: FrontPorts,
): Promise<ReadonlyMap<string, UpdateResult>> {
  const [first, ...others] = await partsOf(several, ports);
  if (others.length === 0) return await applied([first], ports);
  const before = await tried([first, ...others], ports);
  if (refusalIn(before) !== undefined) return await refusedAll(first, before, ports);
  const reached = others.filter((part) => !isOut(part, before));
  return await applied([first, ...reached], ports);
}

/** The same, where a name that is out of reach is a reason to change nothing: null then. */
export async function changeAllNames(
  several: Several,
  ports: FrontPorts,
): Promise<ReadonlyMap<string, UpdateResult> | null> {
  const [first, ...others] = await partsOf(several, ports);
  const known = [first, ...others].flatMap(({ update }) => update.labels);
  const isUnknown = several.labels.some((label) => label === null || !known.includes(label));
  if (others.length === 0 && !isUnknown) return await applied([first], ports);
  // Somebody else's name and none are the same to who asks, and so is what is said first.
  const before = await tried([first, ...others], ports);
  if (refusalIn(before) !== undefined) return await refusedAll(first, before, ports);
  if (isUnknown || others.some((part) => isOut(part, before))) return null;
  return await applied([first, ...others], ports);
}

const refusalIn = (before: ReadonlyMap<string, UpdateResult>) =>
  [...before.values()].find(({ verdict }) => !isFine(verdict) && verdict !== "nohost");

/** Nothing changes for any name, because of one; it was a call of the token's client all the same. */
async function refusedAll(
  { device, update }: Part,
  before: ReadonlyMap<string, UpdateResult>,
  ports: FrontPorts,
): Promise<Map<string, UpdateResult>> {
  const refusal = refusalIn(before);
  if (refusal?.verdict !== "abuse") {
    await ports.devices.get(device).updateAddresses({ ...update, ...keepAll });
  }
  return new Map(
    [...before].map(([label, result]) => [
      label,
      result.verdict === "nohost" ? result : (refusal ?? result),
    ]),
  );
}

const isOut = ({ update }: Part, before: ReadonlyMap<string, UpdateResult>) =>
  update.labels.some((label) => before.get(label)?.verdict === "nohost");

/** What is said to each device, the token's own first. */
async function partsOf(several: Several, ports: FrontPorts): Promise<readonly [Part, ...Part[]]> {
  const { deviceId, right, labels, said } = several;
  const { secret, client, changes } = said;
  const named = [...new Set(labels.filter((label) => label !== null))];
  const own = named.filter((label) => right.labels.includes(label));
  const mine = { secret, client, from: ports.peer, labels: own };
  const update = { ...mine, ...(own.length === 0 ? keepAll : changes) };
  const others = named.filter((label) => !own.includes(label));
  return [{ device: deviceId, update }, ...(await othersOf(others, several, ports))];
}

/** The parts of other devices; none where the token does not speak for them. */
async function othersOf(
  named: readonly string[],
  { right: { account }, said: { client, changes } }: Several,
  ports: FrontPorts,
): Promise<Part[]> {
  if (account === null) return [];
  const others = new Map<string, string[]>();
  for (const label of named) {
    const other = await ports.names.deviceOfLabel(label);
    if (other !== null) others.set(other, [...(others.get(other) ?? []), label]);
  }
  const how = { secret: null, isCounted: true, client, account, ...changes };
  return [...others].map(([device, of]) => ({ device, update: { ...how, labels: of } }));
}

/** Has each device change what is its; where the token's own refuses after all, all have its word. */
async function applied(
  parts: readonly [Part, ...Part[]],
  ports: FrontPorts,
): Promise<Map<string, UpdateResult>> {
  const [first, ...others] = parts;
  const own = await ports.devices.get(first.device).updateAddresses(first.update);
  const results = new Map(["", ...first.update.labels].map((label) => [label, own]));
  for (const { device, update } of others) {
    const theirs = isFine(own.verdict)
      ? await ports.devices.get(device).updateAddresses(update)
      : own;
    for (const label of update.labels) results.set(label, theirs);
  }
  return results;
}

/** What would become of each. Where the token itself is refused, no other device is asked. */
async function tried(
  parts: readonly Part[],
  ports: FrontPorts,
): Promise<Map<string, UpdateResult>> {
  const results = new Map<string, UpdateResult>();
  for (const { device, update } of parts) {
    const result = await ports.devices.get(device).updateAddresses({ ...update, isTrial: true });
    const isFirst = results.size === 0;
    for (const label of isFirst ? ["", ...update.labels] : update.labels) {
      results.set(label, result);
    }
    if (isFirst && ["badauth", "nohost", "abuse"].includes(result.verdict)) break;
  }
  return results;
}

const isFine = (verdict: UpdateResult["verdict"]) => verdict === "good" || verdict === "nochg";
