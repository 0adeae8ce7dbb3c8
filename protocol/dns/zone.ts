/**
 * The zone of the devices' names: what each question deserves. Decisions only; what it needs of the
 * world is the zone's own sets, what a device publishes, and a proof that something is not there. The
 * edge asks the device's object and signs proofs; a front has the sets in memory and asks the edge for
 * proofs. It answers for its own zone and never recurses.
 */

import { limits } from "../limits.ts";
import { checkLabel } from "../names.ts";
import { type Link, linksOf, proofAt } from "./chain.ts";
import {
  type Answer,
  empty,
  opcodeQuery,
  type Query,
  type Question,
  type ResourceRecord,
  rcodes,
} from "./message.ts";
import { labelsUnder, type Name, nameOf } from "./names.ts";
import { classIN, type Data, types } from "./rdata.ts";
import type { PublishedSet } from "./sets.ts";

export interface Zone {
  /** In lower case. */
  readonly apex: Name;
  /** What the zone has at its own names (own.ts), the SOA among it. */
  readonly own: readonly PublishedSet[];
}

/** That a type, or a whole name, is not there, for who wants it proved (RFC 9824). */
export interface Denial {
  /** As the question spelled it. */
  readonly name: Name;
  /** The types that are there; null when there is no such name. */
  readonly present: readonly number[] | null;
  /** The question was for the proof itself (RFC 9824 §3.4). */
  readonly asked: boolean;
}

export interface Draft {
  readonly answer: Answer;
  /** What is still to be proved, by `withProof`; null: nothing. */
  readonly denial: Denial | null;
}

/** Who has the answer: nobody needs to be asked, or a device, whose sets complete it. */
export type Plan =
  | { readonly kind: "draft"; readonly draft: Draft }
  | {
      readonly kind: "device";
      readonly label: string;
      /** @param sets what the device publishes; null when no name is published there */
      complete(sets: readonly PublishedSet[] | null): Draft;
    };

/** RDATA of an NSEC and of the RRSIG that covers it, base64url. */
export interface Proof {
  readonly nsec: string;
  readonly signatures: readonly string[];
}

/** What stands at one name. */
interface Node {
  /** None for a name that only has others below it; null when there is no such name. */
  readonly sets: readonly PublishedSet[] | null;
  /** A wildcard's stand for it. */
  readonly expanded: boolean;
  /** What shows where the name stands among the device's (chain.ts); none: it is shown on demand. */
  readonly proof: readonly Link[];
}

/** What a query deserves. */
export function planAnswer(query: Query, zone: Zone): Plan {
  const refused = refusalOf(query);
  if (refused !== null) return refusal(refused);
  const question = query.questions[0] as Question;
  const labels = labelsUnder(question.name, zone.apex);
  if (labels === null) return refusal(rcodes.refused);
  const at = (node: Node) => draftAt(node, question, query, zone);
  const label = labels.at(-1);
  if (label === undefined || zone.own.some(({ owner }) => owner === label)) {
    return { kind: "draft", draft: at(nodeAt(zone.own, labels)) };
  }
  // A word that cannot be a device's costs nothing.
  if (checkLabel(label) !== null) return { kind: "draft", draft: at(NOTHING) };
  return {
    kind: "device",
    label,
    complete: (sets) => at(sets === null ? NOTHING : nodeAt(sets, labels.slice(0, -1))),
  };
}

/** The answer with what it was to prove. */
export function withProof({ answer, denial }: Draft, proof: Proof): Answer {
  if (denial === null) return answer;
  const set: PublishedSet = {
    owner: "",
    type: "NSEC",
    ttl: limits.negativeTtlSeconds,
    data: [{ type: "NSEC", wire: proof.nsec }],
    signatures: proof.signatures,
  };
  const records = recordsOf(set, denial.name, true);
  if (denial.asked) return { ...answer, answers: records };
  return { ...answer, authorities: [...answer.authorities, ...records] };
}

function refusal(rcode: number): Plan {
  return { kind: "draft", draft: { answer: empty(rcode), denial: null } };
}

/** Why a query gets no answer from any zone; null: it is an ordinary question. */
function refusalOf(query: Query): number | null {
  if (query.opcode !== opcodeQuery) return rcodes.notImplemented;
  const [question] = query.questions;
  // RFC 9619: a query has exactly one question.
  if (question === undefined || query.questions.length !== 1) return rcodes.formatError;
  if (query.edns !== null && query.edns.version > 0) return rcodes.badVersion;
  // RFC 9824 §3.5: NXNAME stands in bitmaps only.
  if (question.type === types.OPT || question.type === types.NXNAME) return rcodes.formatError;
  if (question.class !== classIN) return rcodes.refused;
  const transfers = question.type === types.AXFR || question.type === types.IXFR;
  return transfers ? rcodes.refused : null;
}

const NOTHING: Node = { sets: null, expanded: false, proof: [] };

/**
 * What stands at `owner` among `sets` (RFC 1034 §4.3.2, RFC 4592): its own, none when there are only
 * some below it, else those of the wildcard beside it.
 */
function nodeAt(sets: readonly PublishedSet[], owner: Name): Node {
  const owners = sets.map((set) => ({ set, labels: nameOf(set.owner) }));
  const exists = (at: Name) => at.length === 0 || owners.some(({ labels }) => endsWith(labels, at));
  const setsAt = (at: Name) =>
    owners
      .filter(({ labels }) => labels.length === at.length && endsWith(labels, at))
      .map(({ set }) => set);
  const links = linksOf(sets);
  if (exists(owner)) {
    return { sets: setsAt(owner), expanded: false, proof: proofAt(links, owner) };
  }
  let encloser = owner.slice(1);
  while (!exists(encloser)) encloser = encloser.slice(1);
  const wildcard = ["*", ...encloser];
  const found = setsAt(wildcard).filter(({ type }) => type !== "NSEC");
  const proof = proofAt(links, owner, wildcard);
  return { sets: found.length === 0 ? null : found, expanded: true, proof };
}

function endsWith(name: Name, suffix: Name): boolean {
  const left = name.length - suffix.length;
  return left >= 0 && suffix.every((label, at) => label === name[left + at]);
}

function draftAt(node: Node, question: Question, query: Query, zone: Zone): Draft {
  const signed = query.edns?.dnssecOk === true && hasKey(zone);
  const answers = node.sets === null ? [] : matching(node.sets, question, signed);
  if (answers.length === 0) return negative(node, question, query, signed, zone);
  // That the name has no records of its own, where a wildcard's stand for it (RFC 4035 §3.1.3.3).
  const covering = signed && node.expanded ? node.proof.slice(0, 1) : [];
  const answer: Answer = {
    ...empty(rcodes.noError),
    authoritative: true,
    answers,
    authorities: covering.flatMap((link) => recordsAt(zone, question, link)),
    additionals: question.type === types.NS ? glue(zone, signed) : [],
  };
  return { answer, denial: null };
}

/** A link of a device's chain, at its own name: the question's name ends with the label's. */
function recordsAt(zone: Zone, question: Question, { labels, set }: Link): ResourceRecord[] {
  const device = question.name.slice(question.name.length - zone.apex.length - 1);
  return recordsOf(set, [...labels, ...device], true);
}

/**
 * RFC 8482: `ANY` gets one small record instead of everything (§4.2), or, where it has to be signed, one
 * of the sets that are (§4.1).
 */
function matching(
  sets: readonly PublishedSet[],
  question: Question,
  signed: boolean,
): ResourceRecord[] {
  if (question.type === types.RRSIG) {
    return sets.flatMap((set) => signaturesOf(set, question.name));
  }
  if (question.type === types.ANY && !signed) {
    const data: Data = { type: "HINFO", cpu: "RFC8482", os: "" };
    return [{ name: question.name, ttl: limits.zoneTtlSeconds, data }];
  }
  const asked = (set: PublishedSet) =>
    question.type === types.ANY ? set.type !== "NSEC" : types[set.type] === question.type;
  const set = sets.find(asked);
  return set === undefined ? [] : recordsOf(set, question.name, signed);
}

/**
 * RFC 2308 §2: the SOA goes along, its TTL being how long the "no" may be remembered. Among the names of
 * a device that has a wildcard it is proved by what is signed already (RFC 4035 §3.1.3), elsewhere on
 * demand.
 */
function negative(
  { sets, proof }: Node,
  question: Question,
  query: Query,
  signed: boolean,
  zone: Zone,
): Draft {
  const isProved = signed && proof.length > 0;
  const asked = signed && !isProved && question.type === types.NSEC;
  const isCompact = signed && !isProved && query.edns?.compactOk !== true;
  const soa = asked ? [] : zone.own.filter(({ type }) => type === "SOA");
  const brief = soa.map((set) => ({ ...set, ttl: limits.negativeTtlSeconds }));
  const answer: Answer = {
    ...empty(sets === null && !isCompact ? rcodes.nameError : rcodes.noError),
    authoritative: true,
    authorities: [
      ...brief.flatMap((set) => recordsOf(set, zone.apex, signed)),
      ...(isProved ? proof.flatMap((link) => recordsAt(zone, question, link)) : []),
    ],
  };
  if (!signed || isProved) return { answer, denial: null };
  const present = sets?.map(({ type }) => types[type]) ?? null;
  return { answer, denial: { name: question.name, present, asked } };
}

/** Addresses of those name servers that are in the zone themselves. */
function glue(zone: Zone, signed: boolean): ResourceRecord[] {
  return zone.own
    .filter(({ owner, type }) => owner !== "" && (type === "A" || type === "AAAA"))
    .flatMap((set) => recordsOf(set, [...nameOf(set.owner), ...zone.apex], signed));
}

function hasKey(zone: Zone): boolean {
  return zone.own.some(({ type }) => type === "DNSKEY");
}

function recordsOf(set: PublishedSet, name: Name, signed: boolean): ResourceRecord[] {
  const records = set.data.map((data) => ({ name, ttl: set.ttl, data }));
  return signed ? [...records, ...signaturesOf(set, name)] : records;
}

function signaturesOf({ signatures, ttl }: PublishedSet, name: Name): ResourceRecord[] {
  return signatures.map((wire) => ({ name, ttl, data: { type: "RRSIG", wire } }));
}
