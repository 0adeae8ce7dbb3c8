/** What a name answers once its owner's wishes are among it. Pure: plain data in, plain data out. */

import { isPublicAddress, joined, parseAddress, parseNetwork } from "../../protocol/addresses.ts";
import { wildcardChain } from "../../protocol/dns/chain.ts";
import { nameOf } from "../../protocol/dns/names.ts";
import type { Data } from "../../protocol/dns/rdata.ts";
import type { RecordSet } from "../../protocol/dns/sets.ts";
import { limits } from "../../protocol/limits.ts";
import type { OwnRecords } from "./records-rpc.ts";

const WILDCARD = "*";
const PREFIX_BITS = 64; // RFC 4291 §2.5.1: what is behind it is the interface
/** What the name itself has of these, a wildcard has as well. */
const LEADING: readonly string[] = ["A", "AAAA", "HTTPS"];

/**
 * @param sets what the device itself publishes: addresses, and what certificates need
 * @param allowTrial lets documentation and loopback addresses in
 */
export function completed(
  sets: readonly RecordSet[],
  own: OwnRecords,
  allowTrial: boolean,
): RecordSet[] {
  const all = withOwnSets(sets, own);
  for (const { owner, interfaceId } of own.neighbors) {
    const address = neighborAddress(sets, interfaceId, allowTrial);
    if (address !== null) all.push(setOf(owner, "AAAA", [{ type: "AAAA", address }]));
  }
  return own.wildcard ? [...all, ...wildcards(all)] : all;
}

const LONGEST_LABEL = "x".repeat(63);
const LONGEST_TEXT = "x".repeat(255);
/** A zone whose names are as long as names may be, with the longest owners below a device's (RFC 1035 §2.3.4). */
const LONGEST_APEX = `${"x".repeat(42)}.${"x".repeat(42)}`;
/** What a set is kept with: its label, its signature and when that ends (signatures.ts). */
const KEPT_BESIDE = 512;
/** What a device itself publishes when it is as much as can be. */
const MOST: readonly RecordSet[] = [
  setOf("", "A", [{ type: "A", address: "255.255.255.255" }]),
  setOf("", "AAAA", [{ type: "AAAA", address: "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff" }]),
  setOf("", "CAA", [{ type: "CAA", flags: 128, tag: "issue", value: LONGEST_TEXT }]),
  setOf(
    "_acme-challenge",
    "TXT",
    Array.from({ length: limits.proofsPerDevice }, () => ({ type: "TXT", texts: [LONGEST_TEXT] })),
  ),
];

/**
 * How many bytes the largest row of a device would have in clear: its signatures with what they cover,
 * under as many names as it may have, each as long as it may be, wherever they lead. So whoever writes
 * records is told, and no address, name or renewal ever makes too much of what was taken.
 */
export function mostBytes(own: OwnRecords): number {
  const sets = completed(MOST, own, true);
  const all = [...sets, ...wildcardChain(sets, LONGEST_LABEL, LONGEST_APEX)];
  // As text within text, as they are kept.
  const bytes = all.map((set) => JSON.stringify(JSON.stringify(set)).length + KEPT_BESIDE);
  return limits.labelsPerDevice * bytes.reduce((sum, one) => sum + one, 0);
}

/** The address of a machine whose interface is known, behind the device's own prefix; null: none. */
export function neighborAddress(
  sets: readonly RecordSet[],
  interfaceId: string,
  allowTrial: boolean,
): string | null {
  const [six] = sets.find(({ owner, type }) => owner === "" && type === "AAAA")?.data ?? [];
  const rest = parseAddress(interfaceId);
  if (six?.type !== "AAAA" || rest === null) return null;
  const prefix = parseNetwork(`${six.address}/${PREFIX_BITS}`);
  const address = prefix === null ? null : joined(prefix, rest);
  return address !== null && isPublicAddress(address, allowTrial) ? address.text : null;
}

/** Each owner and type once: who may certify the name is said by the order service and by the owner. */
function withOwnSets(sets: readonly RecordSet[], own: OwnRecords): RecordSet[] {
  const added = own.sets.map(({ owner, type, data }) => {
    const ours = sets.find((set) => set.owner === owner && set.type === type)?.data ?? [];
    return setOf(owner, type, type === "CAA" ? mergedCaa(ours, data) : data);
  });
  const isThere = (set: RecordSet) =>
    added.some(({ owner, type }) => owner === set.owner && type === set.type);
  return [...sets.filter((set) => !isThere(set)), ...added];
}

/**
 * Where the owner says who may certify names below (`issuewild`), `issue` counts for those no more (RFC
 * 8659 §4.3): our own account has to be named there as well.
 */
function mergedCaa(ours: readonly Data[], own: readonly Data[]): Data[] {
  const restrictsWild = own.some((one) => one.type === "CAA" && one.tag === "issuewild");
  const wild = restrictsWild ? ours.map((one) => ({ ...one, tag: "issuewild" }) as Data) : [];
  const texts = new Map([...ours, ...wild, ...own].map((one) => [JSON.stringify(one), one]));
  return [...texts.values()];
}

/**
 * RFC 4592 §2.2.1: a wildcard does not stand for a name that is there, be it with a text only. Such names
 * lead where the wildcard would, unless they have an address of their own.
 */
function wildcards(all: readonly RecordSet[]): RecordSet[] {
  const leading = all.filter(({ owner, type }) => owner === "" && LEADING.includes(type));
  const hosts = new Set(
    all
      .flatMap(({ owner }) => {
        const labels = nameOf(owner);
        return labels.map((_, at) => labels.slice(at)).filter(([first]) => !first?.startsWith("_"));
      })
      .map((labels) => labels.join(".")),
  );
  const has = (owner: string, type: string) =>
    all.some((set) => set.owner === owner && set.type === type);
  return [WILDCARD, ...hosts]
    .filter((owner) => !has(owner, "A") && !has(owner, "AAAA"))
    .flatMap((owner) =>
      leading.filter(({ type }) => !has(owner, type)).map((set) => ({ ...set, owner })),
    );
}

function setOf(owner: string, type: RecordSet["type"], data: readonly Data[]): RecordSet {
  return { owner, type, ttl: limits.addressTtlSeconds, data };
}
