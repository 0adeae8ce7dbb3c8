/**
 * The edge's half of DNSSEC: the zone's own sets, signed once an hour, and proofs that something is not
 * there (RFC 9824), signed when somebody asks and kept a while. What devices publish, their objects sign.
 */

import { canonicalData, compactNsec, type SigningKey, signSet } from "../../protocol/dns/dnssec.ts";
import { foldLabel, type Name, nameOf } from "../../protocol/dns/names.ts";
import { ownSets, type ZoneKeysShown } from "../../protocol/dns/own.ts";
import { types } from "../../protocol/dns/rdata.ts";
import type { PublishedSet, RecordSet } from "../../protocol/dns/sets.ts";
import type { Denial, Proof, Zone } from "../../protocol/dns/zone.ts";
import { Floods } from "../../protocol/floods.ts";
import { limits } from "../../protocol/limits.ts";
import { base64url } from "../../protocol/tokens.ts";
import type { FrontPorts } from "../ports.ts";

interface KeptZone {
  readonly zone: Zone;
  /** What it was made of. */
  readonly hour: number;
  readonly keys: ZoneKeysShown;
}

interface KeptProof {
  readonly proof: Proof;
  readonly tag: number;
  readonly until: number;
}

/**
 * Counts what anybody can make up without end, so that a flood of names that nobody has takes no more
 * than its share from everybody else: false when the client's network has used its second up.
 */
export function mayInvent(ports: FrontPorts): boolean {
  return keptOf(ports).invented.take(ports.peer ?? "", ports.clock.now());
}

/** True where `mayInvent` would say no; else nothing is counted. */
export function mayNotInvent(ports: FrontPorts): boolean {
  return keptOf(ports).invented.refuses(ports.peer ?? "", ports.clock.now());
}

/** Of an edge; values, never promises: a failure is not remembered. */
interface Kept {
  zone: KeptZone | null;
  /** In the order of use. */
  readonly proofs: Map<string, KeptProof>;
  readonly invented: Floods;
}
const kept = new WeakMap<FrontPorts["zoneKeys"], Kept>();

function keptOf({ zoneKeys, config, random }: FrontPorts): Kept {
  const existing = kept.get(zoneKeys);
  if (existing !== undefined) return existing;
  const [seed = 0] = new Uint32Array(Uint8Array.from(random.bytes(4)).buffer);
  const { networkLimitFactor: factor } = config;
  const [most, trickle] = [limits.dnsEdgeInventedRate, limits.dnsEdgeFloodRate];
  const invented = new Floods(most * factor, seed, undefined, trickle * factor);
  const made: Kept = { zone: null, proofs: new Map(), invented };
  kept.set(zoneKeys, made);
  return made;
}

/** The zone with its own sets, signed where it has a key. */
export async function zoneOf(ports: FrontPorts): Promise<Zone> {
  const { config, clock, zoneKeys } = ports;
  const now = clock.now();
  const shown = await zoneKeys.shown();
  const hour = Math.floor(now / limits.zoneSerialMs);
  const known = keptOf(ports).zone;
  if (known?.hour === hour && known.keys === shown) return known.zone;
  const sets = await ownSets(config.ddnsZone, config.nameServers, shown, now);
  const apex = nameOf(config.ddnsZone);
  const own: PublishedSet[] = [];
  const [signer, signers] =
    shown.inUse === null ? [null, []] : [await zoneKeys.signer(), await zoneKeys.signers()];
  for (const set of sets) {
    // The keys are vouched for by each of them: the parent may know either (RFC 6781 §4.1.2).
    const by = signer === null ? [] : set.type === "DNSKEY" ? signers : [signer];
    const signatures = await Promise.all(by.map((key) => signOwn(key, apex, set, now)));
    own.push({ ...set, signatures });
  }
  const zone = { apex, own };
  keptOf(ports).zone = { zone, hour, keys: shown };
  return zone;
}

/** The zone as it was made last, for the names that are in it; null before the first question. */
export function lastZone(ports: FrontPorts): Zone | null {
  return keptOf(ports).zone?.zone ?? null;
}

async function signOwn(
  key: SigningKey,
  apex: readonly string[],
  set: RecordSet,
  now: number,
): Promise<string> {
  const name = [...nameOf(set.owner), ...apex];
  const rdata = set.data.map(canonicalData);
  const rrset = { name, type: types[set.type], ttl: set.ttl, rdata };
  return base64url(await signSet(key, apex, rrset, validity(now, limits.zoneSignatureMs)));
}

/**
 * Proves a denial; the same one is signed once in half its time.
 * @param mayMake asked before a proof is made for a name that is not there: null where it may not be
 * @throws Error when the zone has no key
 */
export async function prove(
  ports: FrontPorts,
  { name, present }: Denial,
  mayMake: () => boolean,
): Promise<Proof | null> {
  const { zoneKeys, clock, config } = ports;
  const key = await zoneKeys.signer();
  if (key === null) throw new Error("the zone has no key");
  const now = clock.now();
  const folded = name.map(foldLabel);
  const { proofs } = keptOf(ports);
  const of = proofKey(folded, present);
  const known = proofs.get(of);
  if (known?.tag === key.tag && known.until > now) {
    proofs.delete(of);
    proofs.set(of, known);
    return known.proof;
  }
  if (present === null && !mayMake()) return null;
  const nsec = compactNsec(folded, present);
  const rrset = { name: folded, type: types.NSEC, ttl: limits.negativeTtlSeconds, rdata: [nsec] };
  const times = validity(now, limits.denialSignatureMs);
  const signature = await signSet(key, nameOf(config.ddnsZone), rrset, times);
  const proof = { nsec: base64url(nsec), signatures: [base64url(signature)] };
  const [oldest] = proofs.size >= limits.denialCacheEntries ? proofs.keys() : [];
  if (oldest !== undefined) proofs.delete(oldest);
  proofs.set(of, { proof, tag: key.tag, until: now + limits.denialSignatureMs / 2 });
  return proof;
}

/** True when `prove` need make nothing, unless the zone's key is another by now. */
export function isProved(ports: FrontPorts, { name, present }: Denial): boolean {
  const known = keptOf(ports).proofs.get(proofKey(name.map(foldLabel), present));
  return known !== undefined && known.until > ports.clock.now();
}

const proofKey = (folded: Name, present: Denial["present"]): string =>
  JSON.stringify([folded, present]);

function validity(now: number, ms: number) {
  return {
    inception: Math.floor((now - limits.zoneInceptionMs) / 1000),
    expiration: Math.floor((now + ms) / 1000),
  };
}
