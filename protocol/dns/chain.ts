/**
 * Where a wildcard answers, a validator wants to see that the name itself has no records (RFC 4035
 * §3.1.3.3). The NSEC records that show it are known when the wildcard is, so they are signed with it:
 * a chain over all names below the device's (RFC 4034 §4.1), which ends before the next label. With it,
 * whatever is not there below the device's name is proved without another signature.
 */

import { limits } from "../limits.ts";
import { base64url } from "../tokens.ts";
import { compareNames, nsecOf, siblingAfter } from "./dnssec.ts";
import { type Name, nameOf } from "./names.ts";
import { types } from "./rdata.ts";
import type { PublishedSet, RecordSet } from "./sets.ts";

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

/** One NSEC of a chain. */
export interface Link {
  /** Its owner, relative to the device's label. */
  readonly labels: Name;
  readonly set: PublishedSet;
}

/** The chain among what a device publishes, in canonical order; none where a part of it is not signed. */
export function linksOf(sets: readonly PublishedSet[]): readonly Link[] {
  const links = sets.filter(({ type }) => type === "NSEC");
  if (links.some(({ signatures }) => signatures.length === 0)) return [];
  return links
    .map((set) => ({ labels: nameOf(set.owner), set }))
    .sort((one, other) => compareNames(one.labels, other.labels));
}

/**
 * What shows where `owner` stands (RFC 4035 §3.1.3): its own link, else the one that leaps over it.
 * @param wildcard the one that stands for it, or would: it is shown too, to have the type not, or not to be
 */
export function proofAt<Of extends Pick<Link, "labels">>(
  links: readonly Of[],
  owner: Name,
  wildcard: Name | null = null,
): readonly Of[] {
  const at = (name: Name) => links.findLast(({ labels }) => compareNames(labels, name) <= 0);
  const found = [at(owner), wildcard === null ? undefined : at(wildcard)];
  return [...new Set(found)].filter((link) => link !== undefined);
}
