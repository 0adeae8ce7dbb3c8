/**
 * Whether a domain leads to a device: the rule alone. Whoever calls asks DNS.
 *
 * A name that only this device has is the proof: the domain is another name for it (CNAME), however many
 * names are between. Where a domain cannot be one, at an apex (RFC 1034 §3.6.2), it shows the same addresses,
 * by ALIAS or by hand. Homes share addresses, so there the proof is that its `_acme-challenge`, which can
 * always be another name, is one for this device's. Nobody claims a domain by saying so, and nobody can keep
 * another from it.
 */

import type {
  DomainSight,
  DomainStep,
  DomainVerdict,
  OwnDomain,
} from "../../durable-objects/device/domains-rpc.ts";
import type { Lookup, Reply } from "../../protocol/dns/reply.ts";
import { limits } from "../../protocol/limits.ts";

/** Asks DNS; null: nothing came that is an answer. Never rejects. */
export type Look = (name: string, type: Lookup) => Promise<Reply | null>;

/** What a domain is to lead to. */
export interface Target {
  /** The device's names, in lower case. */
  readonly hosts: readonly string[];
  /** What they answer with now, in canonical form. */
  readonly addresses: readonly string[];
}

/** What was seen; `certifiable` is null where nobody could tell. */
export interface Checked extends Omit<DomainSight, "at"> {
  readonly certifiable: boolean | null;
}

const challengeOf = (name: string) => `_acme-challenge.${name}`;
const NAME_ERROR = 3;

/** How many questions a look at one domain may take. */
export const questionsAtMost = 2 * limits.domainChain + 2;

/** Looks at `domain`, with at most `questionsAtMost` questions. */
export async function checkDomain(domain: string, target: Target, ask: Look): Promise<Checked> {
  const steps: DomainStep[] = [];
  const look: Look = async (name, type) => {
    const reply = await ask(name, type);
    steps.push(stepOf(name, type, reply));
    return reply;
  };
  const proof = await followed(challengeOf(domain), target.hosts.map(challengeOf), look);
  const way = await followed(domain, target.hosts, look);
  const verdict = way === "unset" ? await compared(domain, target, proof, look) : way;
  const isKnown = proof !== "silent" && proof !== "broken";
  return { verdict, steps, certifiable: isKnown ? proof === "here" : null };
}

/** Follows CNAMEs from `from` on. `unset`: there is none at `from`. */
async function followed(
  from: string,
  wanted: readonly string[],
  look: Look,
): Promise<DomainVerdict> {
  const passed = new Set<string>();
  let name = from;
  while (!wanted.includes(name)) {
    if (passed.has(name) || passed.size >= limits.domainChain) return "loop";
    passed.add(name);
    const reply = await look(name, "CNAME");
    if (reply === null) return "silent";
    if (reply.rcode !== 0 && reply.rcode !== NAME_ERROR) return "broken";
    const next = reply.records.find((record) => record.type === "CNAME" && record.name === name);
    if (next === undefined) return name === from ? "unset" : "elsewhere";
    name = next.value;
  }
  return "here";
}

/** A domain that is no other name: by its addresses, and by who may prove it. */
async function compared(
  domain: string,
  { addresses }: Target,
  proof: DomainVerdict,
  look: Look,
): Promise<DomainVerdict> {
  const [ipv4, ipv6] = [await look(domain, "A"), await look(domain, "AAAA")];
  if (ipv4 === null || ipv6 === null) return "silent";
  const found = [ipv4, ipv6].flatMap(({ records }) =>
    records.filter(({ type, name }) => type !== "CNAME" && name === domain),
  );
  if (found.length === 0) {
    const isFine = [ipv4, ipv6].every(({ rcode }) => rcode === 0 || rcode === NAME_ERROR);
    return isFine ? "unset" : "broken";
  }
  if (addresses.length === 0) return "no-address";
  if (!found.every(({ value }) => addresses.includes(value))) return "other-address";
  return ["here", "silent", "broken"].includes(proof) ? proof : "unproved";
}

function stepOf(name: string, type: Lookup, reply: Reply | null): DomainStep {
  const own = reply?.records.filter((one) => one.type === type && one.name === name) ?? [];
  const values = own.map(({ value }) => value).slice(0, limits.domainValues);
  if (reply === null) return { name, type, values, said: "silent" };
  const said = reply.rcode === 0 ? "answer" : reply.rcode === NAME_ERROR ? "no-name" : "failed";
  return { name, type, values, said };
}

/** What of a look its owner is to be told. */
export type DomainNews = "here" | "lost" | "over";

/**
 * A domain after it was looked at. One that led here and does not is told of after
 * `limits.domainMisses` looks, and is over after `limits.domainGraceMs` more. What nobody could see
 * (`silent`, `no-address`) is no miss; but whose servers say nothing that can be read, look for look, keeps a
 * lost domain for ever by that: after `limits.domainSilences` of those in a row each is one.
 */
export function afterLook(
  before: OwnDomain,
  { certifiable, ...sight }: Checked,
  at: number,
): { readonly domain: OwnDomain; readonly news: DomainNews | null } {
  const seen = { ...sight, at };
  const known = { ...before, seen, certifiable: certifiable ?? before.certifiable };
  if (sight.verdict === "here") {
    const fine = {
      lostAt: null,
      tries: 0,
      misses: 0,
      silences: 0,
      dueAt: at + limits.domainCheckMs,
    };
    const news = before.since === null || before.lostAt !== null ? "here" : null;
    return { domain: { ...known, ...fine, since: before.since ?? at }, news };
  }
  const silences = sight.verdict === "silent" ? before.silences + 1 : 0;
  const isMiss =
    sight.verdict !== "no-address" && (silences === 0 || silences > limits.domainSilences);
  const [tries, misses] = [before.tries + 1, before.misses + (isMiss ? 1 : 0)];
  const waitMs = Math.min(limits.domainRetryMs * 2 ** (tries - 1), limits.domainCheckMs);
  const missed = { ...known, tries, misses, silences, dueAt: at + waitMs };
  if (before.since === null) {
    const isGivenUp = at + waitMs > before.addedAt + limits.domainUnsetMs;
    return { domain: { ...missed, dueAt: isGivenUp ? null : missed.dueAt }, news: null };
  }
  if (before.lostAt === null) {
    if (misses < limits.domainMisses) return { domain: missed, news: null };
    return { domain: { ...missed, lostAt: at }, news: "lost" };
  }
  if (at < before.lostAt + limits.domainGraceMs) return { domain: missed, news: null };
  return { domain: { ...missed, since: null, lostAt: null, dueAt: null }, news: "over" };
}

/** When any of them is to be looked at next; null: not by itself. */
export function nextLook(domains: readonly OwnDomain[]): number | null {
  const times = domains.map(({ dueAt }) => dueAt).filter((at) => at !== null);
  return times.length === 0 ? null : Math.min(...times);
}

/** What a box may be certified for beside its own names. */
export function certifiableDomains(domains: readonly OwnDomain[]): readonly string[] {
  return domains
    .filter(({ since, certifiable }) => since !== null && certifiable)
    .map(({ name }) => name);
}

/**
 * A domain as one writes it; null for what is none that somebody could have: of two labels or more, no
 * address, and such that `_acme-challenge` fits before it (RFC 1035 §2.3.4).
 */
export function domainFrom(typed: string): string | null {
  const text = typed.trim().replace(/\.$/, "");
  if (text === "" || /[^\p{L}\p{M}\p{N}.-]/u.test(text)) return null;
  const name = URL.parse(`http://${text}`)?.hostname ?? "";
  if (name.length > MAX_DOMAIN) return null;
  return /^([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z]([a-z0-9-]{0,61}[a-z0-9])?$/.test(name)
    ? name
    : null;
}

const MAX_DOMAIN = 253 - "_acme-challenge.".length;
