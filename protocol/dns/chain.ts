/**
 * Where a wildcard answers, a validator wants to see that the name itself has no records (RFC 4035
 * §3.1.3.3). The NSEC records that show it are known when the wildcard is, so they are signed with it:
 * a chain over all names below the device's (RFC 4034 §4.1), which ends before the next label.
 */

import { limits } from "../limits.ts";
import { base64url } from "../tokens.ts";
import { compareNames, nsecOf, siblingAfter } from "./dnssec.ts";
import { type Name, nameOf } from "./names.ts";
import { types } from "./rdata.ts";
import type { RecordSet } from "./sets.ts";

/** The NSEC sets that `sets` of `<label>.<apex>` need; none without a wildcard among them. */
export function wildcardChain(
  sets: readonly RecordSet[],
  label: string,
  apex: string,
): RecordSet[] {
  const owners = [...new Set(["", ...sets.map(({ owner }) => owner)])];
  if (!owners.some((owner) => nameOf(owner)[0] === "*")) return [];
  owners.sort((one, other) => compareNames(nameOf(one), nameOf(other)));
  const device: Name = [label, ...nameOf(apex)];
  const end: Name = [siblingAfter(label), ...nameOf(apex)];
  return owners.map((owner, at) => {
    const after = owners[at + 1];
    const next = after === undefined ? end : [...nameOf(after), ...device];
    const present = sets.filter((set) => set.owner === owner).map(({ type }) => types[type]);
    const wire = base64url(nsecOf(next, [...present, types.RRSIG, types.NSEC]));
    return { owner, type: "NSEC", ttl: limits.negativeTtlSeconds, data: [{ type: "NSEC", wire }] };
  });
}
