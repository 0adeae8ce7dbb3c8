/**
 * The zone of the devices' names: what each question deserves. Decisions only; the one thing it asks
 * of the world is a device's current addresses. It answers for its own zone and never recurses.
 */

import type { NameRecords } from "../../durable-objects/device/rpc.ts";
import {
  type Answer,
  empty,
  opcodeQuery,
  type Query,
  type Question,
  type ResourceRecord,
  rcodes,
} from "../../protocol/dns/message.ts";
import { labelsUnder, type Name, nameOf } from "../../protocol/dns/names.ts";
import { classIN, type Data, types } from "../../protocol/dns/rdata.ts";
import { limits } from "../../protocol/limits.ts";
import { checkLabel } from "../../protocol/names.ts";
import type { NameServer } from "../config.ts";

export interface Zone {
  /** `ddns.example`, lower case, without the dot at the end. */
  readonly apex: string;
  readonly nameServers: readonly NameServer[];
}

/** A device's addresses by its label; null when no name is published there. */
export type Lookup = (label: string) => Promise<NameRecords | null>;

/** What stands at one name: its record sets, empty for a name that has none of them. */
type Node = readonly ResourceRecord[];

const REFRESH_SECONDS = 3600;
const RETRY_SECONDS = 600;
const EXPIRE_SECONDS = 7 * 24 * 3600;

/**
 * Answers a query.
 * @param now milliseconds since the epoch; the zone's serial is its seconds, so that it only grows.
 * Nothing transfers this zone, so nothing depends on a serial that stands still between changes.
 */
export async function answerQuery(
  query: Query,
  zone: Zone,
  lookup: Lookup,
  now: number,
): Promise<Answer> {
  if (query.opcode !== opcodeQuery) return empty(rcodes.notImplemented);
  const [question] = query.questions;
  // RFC 9619: a query has exactly one question.
  if (question === undefined || query.questions.length !== 1) return empty(rcodes.formatError);
  if (query.edns !== null && query.edns.version > 0) return empty(rcodes.badVersion);
  if (question.type === types.OPT) return empty(rcodes.formatError);
  if (question.class !== classIN) return empty(rcodes.refused);
  if (question.type === types.AXFR || question.type === types.IXFR) return empty(rcodes.refused);
  const labels = labelsUnder(question.name, nameOf(zone.apex));
  if (labels === null) return empty(rcodes.refused);
  const node = await nodeAt(labels, question.name, zone, lookup, now);
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

async function nodeAt(
  labels: Name,
  owner: Name,
  zone: Zone,
  lookup: Lookup,
  now: number,
): Promise<Node | null> {
  const [label] = labels;
  if (label === undefined) return [soa(zone, now, limits.zoneTtlSeconds), ...nameServers(zone)];
  if (labels.length > 1) return null;
  const server = zone.nameServers.find(({ host }) => host === `${label}.${zone.apex}`);
  if (server !== undefined) return hostRecords(owner, server, limits.zoneTtlSeconds);
  // A word that cannot be a device's costs nothing.
  if (checkLabel(label) !== null) return null;
  const addresses = await lookup(label);
  if (addresses === null) return null;
  const { ipv4, ipv6 } = addresses;
  const host = { ipv4: ipv4 === null ? [] : [ipv4], ipv6: ipv6 === null ? [] : [ipv6] };
  return hostRecords(owner, host, limits.addressTtlSeconds);
}

/** RFC 8482 §4.2: `ANY` gets one small record instead of everything. */
function matching(node: Node, question: Question): readonly ResourceRecord[] {
  if (question.type === types.ANY) {
    const data: Data = { type: "HINFO", cpu: "RFC8482", os: "" };
    return [{ name: question.name, ttl: limits.zoneTtlSeconds, data }];
  }
  return node.filter((record) => types[record.data.type] === question.type);
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
