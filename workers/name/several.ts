/**
 * One call for several names: those of the device whose token it shows, and of its owner's other devices
 * where the token says addresses for them too. Each device writes all that it is told or nothing, and none
 * waits for another: what a call that broke off has changed is there, and the same call again says so.
 */

import { keepAll } from "../../durable-objects/device/dyndns2.ts";
import type { AddressChanges, NameRight, UpdateResult } from "../../durable-objects/device/rpc.ts";
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

/**
 * @returns what became of each name, by its label: first that of the token's own device, under "" when
 *   nothing of its is named; a name that is out of reach is missing. Where the token's own device refuses,
 *   nothing else was asked.
 */
export async function changeNames(
  { deviceId, right, labels, said }: Several,
  ports: FrontPorts,
): Promise<ReadonlyMap<string, UpdateResult>> {
  const { secret, client, changes } = said;
  const named = [...new Set(labels.filter((label) => label !== null))];
  const own = named.filter((label) => right.labels.includes(label));
  const result = await ports.devices.get(deviceId).updateAddresses({
    ...{ secret, client, from: ports.peer, labels: own },
    ...(own.length === 0 ? keepAll : changes),
  });
  const results = new Map([""].concat(own).map((label) => [label, result]));
  const { account } = right;
  if (account === null || (result.verdict !== "good" && result.verdict !== "nochg")) return results;
  const others = new Map<string, string[]>();
  for (const label of named.filter((one) => !own.includes(one))) {
    const other = await ports.names.deviceOfLabel(label);
    if (other !== null) others.set(other, [...(others.get(other) ?? []), label]);
  }
  const isCounted = true;
  for (const [other, of] of others) {
    const update = { secret: null, isCounted, client, account, labels: of, ...changes };
    const theirs = await ports.devices.get(other).updateAddresses(update);
    for (const label of of) results.set(label, theirs);
  }
  return results;
}
