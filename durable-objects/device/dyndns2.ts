/**
 * The dyndns2 protocol as text: what a client asked, and what it is answered. Pure; who may ask and what
 * changes says the name (name.ts).
 *
 * Verdicts are made for the clients that exist (ddclient 3.10, inadyn, routers): 200 with a word per
 * host, 401 `badauth`, 503 `911` for "later". Never 429, which some clients treat as the end.
 */

import {
  type Address,
  type Family,
  parseAddress,
  parseNetwork,
  parsePeer,
} from "../../protocol/addresses.ts";
import { limits } from "../../protocol/limits.ts";
import type { AddressChange, UpdateResult } from "./rpc.ts";

/** Where it is spoken; newer routers call Dyn's same protocol by the second. */
export const updatePaths = ["/nic/update", "/v3/update"];

export type Changes = { readonly [F in Family]: AddressChange };

export interface UpdatePlan {
  /** Host names as the client wrote them, in its order. */
  readonly hosts: readonly string[];
  /** A verdict about the request as a whole, which is then the only line. */
  readonly refused: "notfqdn" | "numhost" | null;
  /** What to do with each family; null when an address cannot be understood (`dnserr`). */
  readonly changes: Changes | null;
}

export const keepAll: Changes = { ipv4: "keep", ipv6: "keep" };

/**
 * What a request asks for. `system`, `wildcard`, `mx`, `backmx` and whatever else clients send along
 * are ignored, as the protocol's services have always done.
 * @param peer the client's own address by the operator's policy
 */
export function planUpdate(parameters: URLSearchParams, peer: string | null): UpdatePlan {
  const list = parameters.getAll("hostname").join(",");
  const hosts = list.trim() === "" ? [] : list.split(",").map((host) => host.trim());
  const refused =
    hosts.length === 0 ? "notfqdn" : hosts.length > limits.updateHosts ? "numhost" : null;
  return { hosts, refused, changes: changesOf(parameters, peer) };
}

/**
 * Only the families that the client names change. `myip` may list both; empty or missing it means
 * the client's own address, and never a deletion (ddclient sends it empty). An empty `myipv4` or
 * `myipv6` clears its family, `preserve` keeps it, `offline=YES` clears both. An IPv6 prefix with its
 * length, as routers know it of their home network, stands for the interface that is known in it.
 */
function changesOf(parameters: URLSearchParams, peer: string | null): Changes | null {
  if (parameters.get("offline")?.toUpperCase() === "YES") return { ipv4: "clear", ipv6: "clear" };
  const listed = listOf(parameters, "myip");
  const changes: Record<Family, AddressChange> = { ...keepAll };
  const found: (Said | null)[] = listed.map(parseSaid);
  let named = listed.length > 0;
  for (const family of ["ipv4", "ipv6"] as const) {
    if (!parameters.has(`my${family}`)) continue;
    named = true;
    const values = listOf(parameters, `my${family}`);
    if (values.length === 0) changes[family] = "clear";
    for (const value of values) {
      if (value === "preserve") continue;
      const said = parseSaid(value);
      found.push(said?.family === family ? said : null);
    }
  }
  if (!named) found.push(saidOf(peer === null ? null : parsePeer(peer)));
  for (const said of found) {
    if (said === null) return null;
    const already = changes[said.family];
    // Two answers to one question are none.
    if (already !== "keep" && !isSame(already, said.change)) return null;
    changes[said.family] = said.change;
  }
  return changes;
}

/** What a client says of one family. */
interface Said {
  readonly family: Family;
  readonly change: { readonly set: string } | { readonly prefix: string };
}

function parseSaid(text: string): Said | null {
  if (!text.includes("/")) return saidOf(parseAddress(text));
  const network = parseNetwork(text);
  if (network?.family !== "ipv6") return null;
  return { family: "ipv6", change: { prefix: `${network.text}/${network.bits}` } };
}

const saidOf = (address: Address | null): Said | null =>
  address === null ? null : { family: address.family, change: { set: address.text } };

const isSame = (one: AddressChange, other: AddressChange): boolean =>
  JSON.stringify(one) === JSON.stringify(other);

function listOf(parameters: URLSearchParams, name: string): string[] {
  return parameters
    .getAll(name)
    .flatMap((value) => value.split(","))
    .map((value) => value.trim())
    .filter((value) => value !== "");
}

/** True for something that at least looks like a host name with a domain (RFC 1123 §2.1). */
export function isFqdn(host: string): boolean {
  return host.length <= 254 && FQDN.test(host);
}

const LABEL = "[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?";
const FQDN = new RegExp(`^(${LABEL}\\.)+${LABEL}\\.?$`, "i");

/** True for the same host name, in any case, with or without the dot at its end (RFC 1034 §3.1). */
export function isSameName(one: string, other: string): boolean {
  const [a, b] = [one, other].map((name) => name.toLowerCase().replace(/\.$/, ""));
  return a === b;
}

/** What stands for addresses that cannot be understood, so that the history has it. */
export const unreadable: Changes = { ipv4: { set: "" }, ipv6: { set: "" } };

/** The line for a host after an update: the word, and the addresses that this update was about. */
export function lineOf(result: UpdateResult, changes: Changes): string {
  if (result.verdict !== "good" && result.verdict !== "nochg") return result.verdict;
  const addresses = (["ipv4", "ipv6"] as const)
    .filter((family) => changes[family] !== "keep")
    .map((family) => result[family])
    .filter((address) => address !== null);
  return addresses.length === 0 ? result.verdict : `${result.verdict} ${addresses.join(",")}`;
}

/** Wrong, unknown and switched off read the same. */
export function badauthAnswer(): Response {
  return answer("badauth", 401, { "www-authenticate": 'Basic realm="Latchkey", charset="UTF-8"' });
}

/** To be tried again: never 429, which some clients take for the end. */
export function laterAnswer(seconds: number): Response {
  return answer("911", 503, { "retry-after": String(Math.ceil(seconds)) });
}

/** A line for each host. */
export function verdictsAnswer(...lines: readonly string[]): Response {
  return answer(lines.join("\n"), 200, {});
}

/** Always with a length: ddclient 3.10 cannot read chunks. @param text ASCII */
function answer(text: string, status: number, headers: Readonly<Record<string, string>>): Response {
  return new Response(text, {
    status,
    headers: {
      ...headers,
      "content-type": "text/plain; charset=utf-8",
      "content-length": String(text.length),
      "cache-control": "no-store",
    },
  });
}
