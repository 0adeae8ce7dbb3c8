/** Names for the Latchkey IDs of people, as far as who asks may see them. */

import { isId } from "../../protocol/ids.ts";
import type { Ports } from "../ports.ts";
import { knownPeople } from "./contacts.ts";
import { visibleOfKnown } from "./visible.ts";

/** The names of those among `ids` whom `viewerId` knows and who show them one. */
export async function namesOf(
  ports: Ports,
  viewerId: string,
  ids: readonly (string | null)[],
): Promise<ReadonlyMap<string, string>> {
  const asked = new Set<string>(ids.filter((id) => id !== null && isId("acc", id)));
  if (asked.size === 0) return new Map();
  const known = await knownPeople(ports, viewerId);
  const some = known.filter(({ accountId }) => asked.has(accountId));
  const seen = await visibleOfKnown(ports, viewerId, some);
  return new Map(
    [...seen].flatMap(([id, { fields }]) => (fields.name === undefined ? [] : [[id, fields.name]])),
  );
}
