/**
 * The zone of the devices' names: what each question deserves. Decisions only; the one thing it asks
 * of the world is what a device publishes. It answers for its own zone and never recurses. The edge
 * asks the device's object for that, a front its memory.
 */

import { limits } from "../limits.ts";
import { checkLabel } from "../names.ts";
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
import type { RecordSet } from "./sets.ts";

/** An authoritative name server; addresses only where its name is in the zone itself. */
export interface NameServer {
  readonly host: string;
  readonly ipv4: readonly string[];
  readonly ipv6: readonly string[];
}

export interface Zone {
  /** `ddns.example`, lower case, without the dot at the end. */
  readonly apex: string;
  readonly nameServers: readonly NameServer[];
}

/** The sets of the device with this label; null when no name is published there. */
export type Lookup = (label: string) => Promise<readonly RecordSet[] | null>;

/** Who has the answer: nobody needs to be asked, or a device, whose sets complete it. */
export type Plan =
  | { readonly kind: "answer"; readonly answer: Answer }
  | {
      readonly kind: "device";
      readonly label: string;
      /** @param sets what the device publishes; null when no name is published there */
      complete(sets: readonly RecordSet[] | null): Answer;
    };

/** The records at one name, none for a name that only has others below it. */
type Node = readonly ResourceRecord[];

const REFRESH_SECONDS = 3600;
const RETRY_SECONDS = 600;
const EXPIRE_SECONDS = 7 * 24 * 3600;

/**
 * What a query deserves.
 * @param now milliseconds since the epoch; the zone's serial is its seconds, so that it only grows.
 * Nothing transfers this zone, so nothing depends on a serial that stands still between changes.
 */
export function planAnswer(query: Query, zone: Zone, now: number): Plan {
  const refused = refusalOf(query);
  if (refused !== null) return { kind: "answer", answer: empty(refused) };
  const question = query.questions[0] as Question;
  const labels = labelsUnder(question.name, nameOf(zone.apex));
  if (labels === null) return { kind: "answer", answer: empty(rcodes.refused) };
  const at = (node: Node | null) => answerAt(node, question, zone, now);
  const label = labels.at(-1);
  if (label === undefined) return { kind: "answer", answer: at(apexNode(zone, now)) };
  const server = zone.nameServers.find(({ host }) => host === `${label}.${zone.apex}`);
  if (server !== undefined) {
    const node = hostRecords(question.name, server, limits.zoneTtlSeconds);
    return { kind: "answer", answer: at(labels.length === 1 ? node : null) };
  }
  // A word that cannot be a device's costs nothing.
  if (checkLabel(label) !== null) return { kind: "answer", answer: at(null) };
  const owner = labels.slice(0, -1);
  return {
    kind: "device",
    label,
    complete: (sets) => at(sets === null ? null : nodeOf(sets, owner, question.name)),
  };
}

/** Answers a query; `lookup` is asked at most once. */
export async function answerQuery(
  query: Query,
  zone: Zone,
  lookup: Lookup,
  now: number,
): Promise<Answer> {
  const plan = planAnswer(query, zone, now);
  return plan.kind === "answer" ? plan.answer : plan.complete(await lookup(plan.label));
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

/**
 * The records at `owner` among a device's sets (RFC 1034 §4.3.2, RFC 4592): its own, none when there
 * are only some below it, else those of the wildcard beside it; null when there is no such name.
 * @param name the owner as the question spelled it
 */
function nodeOf(sets: readonly RecordSet[], owner: Name, name: Name): Node | null {
  const owners = sets.map((set) => ({ set, labels: nameOf(set.owner) }));
  const exists = (at: Name) => at.length === 0 || owners.some(({ labels }) => endsWith(labels, at));
  const recordsAt = (at: Name) =>
    owners
      .filter(({ labels }) => labels.length === at.length && endsWith(labels, at))
      .flatMap(({ set }) => set.data.map((data) => ({ name, ttl: set.ttl, data })));
  if (exists(owner)) return recordsAt(owner);
  let encloser = owner.slice(1);
  while (!exists(encloser)) encloser = encloser.slice(1);
  const wildcard = ["*", ...encloser];
  return exists(wildcard) ? recordsAt(wildcard) : null;
}

function endsWith(name: Name, suffix: Name): boolean {
  const left = name.length - suffix.length;
  return left >= 0 && suffix.every((label, at) => label === name[left + at]);
}

function answerAt(node: Node | null, question: Question, zone: Zone, now: number): Answer {
  if (node === null) return negative(rcodes.nameError, zone, now);
  const answers = matching(node, question);
  if (answers.length === 0) return negative(rcodes.noError, zone, now);
  return {
    ...empty(rcodes.noError),
    authoritative: true,
    answers,
    additionals: question.type === types.NS ? glue(zone) : [],
  };
}

/** RFC 8482 §4.2: `ANY` gets one small record instead of everything. */
function matching(node: Node, question: Question): readonly ResourceRecord[] {
  if (question.type === types.ANY) {
    const data: Data = { type: "HINFO", cpu: "RFC8482", os: "" };
    return [{ name: question.name, ttl: limits.zoneTtlSeconds, data }];
  }
  return node.filter((record) => types[record.data.type] === question.type);
}

function apexNode(zone: Zone, now: number): Node {
  return [soa(zone, now, limits.zoneTtlSeconds), ...nameServers(zone)];
}

/** RFC 2308 §2: the SOA goes along, its TTL being how long the "no" may be remembered. */
function negative(rcode: number, zone: Zone, now: number): Answer {
  return {
    ...empty(rcode),
    authoritative: true,
    authorities: [soa(zone, now, limits.negativeTtlSeconds)],
  };
}

function soa(zone: Zone, now: number, ttl: number): ResourceRecord {
  const apex = nameOf(zone.apex);
  return {
    name: apex,
    ttl,
    data: {
      type: "SOA",
      primary: nameOf(zone.nameServers[0]?.host ?? zone.apex),
      mailbox: ["hostmaster", ...apex],
      serial: Math.floor(now / 1000) % 2 ** 32,
      refresh: REFRESH_SECONDS,
      retry: RETRY_SECONDS,
      expire: EXPIRE_SECONDS,
      minimum: limits.negativeTtlSeconds,
    },
  };
}

function nameServers(zone: Zone): ResourceRecord[] {
  return zone.nameServers.map(({ host }) => ({
    name: nameOf(zone.apex),
    ttl: limits.zoneTtlSeconds,
    data: { type: "NS", host: nameOf(host) },
  }));
}

/** Addresses of those name servers that are in the zone themselves. */
function glue(zone: Zone): ResourceRecord[] {
  return zone.nameServers
    .filter(({ host }) => host.endsWith(`.${zone.apex}`))
    .flatMap((server) => hostRecords(nameOf(server.host), server, limits.zoneTtlSeconds));
}

function hostRecords(
  owner: Name,
  host: Pick<NameServer, "ipv4" | "ipv6">,
  ttl: number,
): ResourceRecord[] {
  const record = (type: "A" | "AAAA") => (address: string) => ({
    name: owner,
    ttl,
    data: { type, address },
  });
  return [...host.ipv4.map(record("A")), ...host.ipv6.map(record("AAAA"))];
}
