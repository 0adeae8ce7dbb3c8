/** The zone in memory, signed or not: the real decisions and the real signatures, without a store. */

import { wildcardChain } from "../../protocol/dns/chain.ts";
import {
  canonicalData,
  compactNsec,
  dnskeyOf,
  keyTag,
  type SigningKey,
  signSet,
} from "../../protocol/dns/dnssec.ts";
import type { Answer, Query } from "../../protocol/dns/message.ts";
import { nameOf } from "../../protocol/dns/names.ts";
import { type NameServer, ownSets } from "../../protocol/dns/own.ts";
import { types } from "../../protocol/dns/rdata.ts";
import type { PublishedSet, RecordSet } from "../../protocol/dns/sets.ts";
import { planAnswer, withProof, type Zone } from "../../protocol/dns/zone.ts";
import { base64url } from "../../protocol/tokens.ts";

const nameServersOf = (apex: string): readonly NameServer[] => [
  { host: `ns1.${apex}`, ipv4: ["192.0.2.53"], ipv6: ["2001:db8::53"] },
];
const DAY = 24 * 3600;

export async function newKey(): Promise<SigningKey> {
  const pair = await crypto.subtle.generateKey({ name: "ECDSA", namedCurve: "P-256" }, true, [
    "sign",
    "verify",
  ]);
  const point = new Uint8Array(await crypto.subtle.exportKey("raw", pair.publicKey));
  const dnskey = dnskeyOf(point.slice(1));
  return { tag: keyTag(dnskey), dnskey, privateKey: pair.privateKey };
}

export interface MemoryZone {
  readonly zone: Zone;
  /** @param lookup what the device with this label publishes, unsigned; null for none */
  answer(query: Query, lookup: (label: string) => readonly RecordSet[] | null): Promise<Answer>;
  /** What a device with these sets publishes at `label`, signed; the same sets are signed once. */
  published(label: string, sets: readonly RecordSet[]): Promise<PublishedSet[]>;
}

/** @param key null: a zone without signatures */
export async function memoryZone(
  key: SigningKey | null,
  now = 1_800_000_000_000,
  apex = "ddns.test",
): Promise<MemoryZone> {
  const seconds = Math.floor(now / 1000);
  const times = { inception: seconds - 3600, expiration: seconds + 7 * DAY };
  const sign = async (set: RecordSet, below: string): Promise<PublishedSet> => {
    if (key === null) return { ...set, signatures: [] };
    const name = nameOf(set.owner === "" ? below : `${set.owner}.${below}`);
    const rdata = set.data.map(canonicalData);
    const rrset = { name, type: types[set.type], ttl: set.ttl, rdata };
    return { ...set, signatures: [base64url(await signSet(key, nameOf(apex), rrset, times))] };
  };
  const shown = key === null ? { all: [], inUse: null } : { all: [key.dnskey], inUse: key.dnskey };
  const own = await ownSets(apex, nameServersOf(apex), shown, now);
  const zone: Zone = {
    apex: nameOf(apex),
    own: await Promise.all(own.map((set) => sign(set, apex))),
  };
  const signedOnce = new WeakMap<readonly RecordSet[], Map<string, PublishedSet[]>>();
  const publishedBy = async (label: string, sets: readonly RecordSet[]) => {
    const known = signedOnce.get(sets) ?? new Map<string, PublishedSet[]>();
    signedOnce.set(sets, known);
    const all = key === null ? sets : [...sets, ...wildcardChain(sets, label, apex)];
    const made =
      known.get(label) ?? (await Promise.all(all.map((set) => sign(set, `${label}.${apex}`))));
    known.set(label, made);
    return made;
  };
  return {
    zone,
    published: publishedBy,
    async answer(query, lookup) {
      const plan = planAnswer(query, zone);
      const sets = plan.kind === "device" ? lookup(plan.label) : null;
      const draft =
        plan.kind === "draft"
          ? plan.draft
          : plan.complete(sets === null ? null : await publishedBy(plan.label, sets));
      if (draft.denial === null || key === null) return draft.answer;
      const { name, present } = draft.denial;
      const nsec = compactNsec(name, present);
      const rrset = { name, type: types.NSEC, ttl: 60, rdata: [nsec] };
      const signature = base64url(await signSet(key, nameOf(apex), rrset, times));
      return withProof(draft, { nsec: base64url(nsec), signatures: [signature] });
    },
  };
}

/** A question as a message, with the DO bit when it is to be proved. */
export function questionOf(name: string, type: number, dnssecOk = false): Query {
  return {
    id: 1,
    opcode: 0,
    recursionDesired: false,
    checkingDisabled: false,
    questions: [{ name: nameOf(name), type, class: 1 }],
    edns: dnssecOk ? { payloadBytes: 1232, version: 0, dnssecOk, compactOk: false } : null,
  };
}
