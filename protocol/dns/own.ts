/** What the zone has at its own names: who answers for it, and by which keys (RFC 7344 for the parent). */

import { limits } from "../limits.ts";
import { base64url } from "../tokens.ts";
import { dsOf } from "./dnssec.ts";
import { nameOf } from "./names.ts";
import type { Data } from "./rdata.ts";
import type { RecordSet, SetType } from "./sets.ts";

/** An authoritative name server; addresses only where its name is in the zone itself. */
export interface NameServer {
  readonly host: string;
  readonly ipv4: readonly string[];
  readonly ipv6: readonly string[];
}

/** RDATA of the zone's DNSKEY records. */
export interface ZoneKeysShown {
  readonly all: readonly Uint8Array[];
  /** The one that signs, which the parent should vouch for; null while there is none. */
  readonly inUse: Uint8Array | null;
}

const REFRESH_SECONDS = 3600;
const RETRY_SECONDS = 600;
const EXPIRE_SECONDS = 7 * 24 * 3600;

/**
 * The sets of the zone's own names, their owners relative to the apex.
 * @param apex `ddns.example`, lower case, without the dot at the end
 * @param now milliseconds since the epoch. The serial is the beginning of its hour in seconds, so that
 * it only grows and one signature serves for the hour. Nothing transfers this zone, so nothing depends
 * on a serial that changes with it.
 */
export async function ownSets(
  apex: string,
  nameServers: readonly NameServer[],
  keys: ZoneKeysShown,
  now: number,
): Promise<RecordSet[]> {
  const sets: RecordSet[] = [
    setOf("", "SOA", [soa(apex, nameServers, now)]),
    setOf(
      "",
      "NS",
      nameServers.map(({ host }) => ({ type: "NS", host: nameOf(host) })),
    ),
  ];
  const wire = (octets: Uint8Array) => base64url(Uint8Array.from(octets));
  if (keys.inUse !== null) {
    const ds = await dsOf(nameOf(apex), keys.inUse);
    sets.push(
      setOf(
        "",
        "DNSKEY",
        keys.all.map((octets) => ({ type: "DNSKEY", wire: wire(octets) })),
      ),
      setOf("", "CDS", [{ type: "CDS", wire: wire(ds) }]),
      setOf("", "CDNSKEY", [{ type: "CDNSKEY", wire: wire(keys.inUse) }]),
    );
  }
  for (const { host, ipv4, ipv6 } of nameServers) {
    if (!host.endsWith(`.${apex}`)) continue;
    const owner = host.slice(0, -apex.length - 1);
    const of = (type: "A" | "AAAA", addresses: readonly string[]) =>
      setOf(
        owner,
        type,
        addresses.map((address) => ({ type, address })),
      );
    sets.push(of("A", ipv4), of("AAAA", ipv6));
  }
  return sets.filter(({ data }) => data.length > 0);
}

function setOf(owner: string, type: SetType, data: readonly Data[]): RecordSet {
  return { owner, type, ttl: limits.zoneTtlSeconds, data };
}

function soa(apex: string, nameServers: readonly NameServer[], now: number): Data {
  const serial = Math.floor(now / limits.zoneSerialMs) * (limits.zoneSerialMs / 1000);
  return {
    type: "SOA",
    primary: nameOf(nameServers[0]?.host ?? apex),
    mailbox: ["hostmaster", ...nameOf(apex)],
    serial: serial % 2 ** 32,
    refresh: REFRESH_SECONDS,
    retry: RETRY_SECONDS,
    expire: EXPIRE_SECONDS,
    minimum: limits.negativeTtlSeconds,
  };
}
