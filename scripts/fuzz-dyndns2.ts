/**
 * Generated and mutated dyndns2 requests against the parser: none may make it throw, and what it makes of
 * each must be what Node's own reading of addresses and this file's plain rules allow.
 *
 *     npm run fuzz:dyndns2 -- [how many] [seed]
 */

import { isIPv4, isIPv6 } from "node:net";
import { performance } from "node:perf_hooks";
import { pathToFileURL } from "node:url";
import { isFqdn, lineOf, planUpdate } from "../durable-objects/device/dyndns2.ts";
import { readCredentials } from "../durable-objects/device/name-clients.ts";
import { limits } from "../protocol/limits.ts";

/** mulberry32: the same numbers for the same seed. */
function numbers(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

const fields = ["hostname", "myip", "myipv4", "myipv6", "offline", "system", "wildcard", "mx", ""];
const values = [
  "nas.ddns.test",
  "a.ddns.test,b.ddns.test",
  "203.0.113.4",
  "203.0.113.4,2001:db8::1",
  "2001:db8:1::/56",
  "preserve",
  "YES",
  "",
  ",",
  "%",
  "::ffff:203.0.113.4",
  "fe80::1%25eth0",
  "010.1.2.3",
  "0x7f.1",
  "a".repeat(300),
  `${"a.".repeat(150)}test`,
];
const bytes = "&=,.:/%+ \u0000\n\r;-_0123456789abcdefABCDEFÄ🚪";

/** One query: fields and values in any order and number, then a few characters changed. */
function query(random: () => number): string {
  const pick = (list: readonly string[] | string): string =>
    list[Math.floor(random() * list.length)] ?? "";
  const pairs = Array.from({ length: Math.floor(random() * 7) }, () => {
    const value = random() < 0.5 ? encodeURIComponent(pick(values)) : pick(values);
    return `${pick(fields)}=${value}`;
  });
  const text = [...pairs.join("&")];
  for (let change = Math.floor(random() * 4); change > 0; change--) {
    const at = Math.floor(random() * (text.length + 1));
    text.splice(at, random() < 0.5 ? 1 : 0, ...(random() < 0.7 ? [pick(bytes)] : []));
  }
  return text.join("");
}

/** What is wrong with what the parser made of a query; null: nothing. */
function wrongWith(text: string, peer: string | null): string | null {
  const parameters = new URLSearchParams(text);
  const { hosts, refused, changes } = planUpdate(parameters, peer);
  if (
    refused === "numhost" ? hosts.length <= limits.updateHosts : hosts.length > limits.updateHosts
  )
    return "the number of hosts";
  if ((refused === "notfqdn") !== (hosts.length === 0)) return "no host";
  for (const host of hosts) if (isFqdn(host) && host.length > 254) return "a host too long";
  if (changes === null) return null;
  const isOffline = parameters.get("offline")?.toUpperCase() === "YES";
  for (const family of ["ipv4", "ipv6"] as const) {
    const change = changes[family];
    const said = parameters.getAll(`my${family}`).join("").replaceAll(",", "").trim();
    const mayClear = isOffline || (parameters.has(`my${family}`) && said === "");
    if (change === "clear" && !mayClear) return `${family} was cleared`;
    if (typeof change !== "object") continue;
    if ("prefix" in change) {
      const [base = "", length = ""] = change.prefix.split("/");
      if (family !== "ipv6" || !isIPv6(base) || !/^\d{1,3}$/.test(length)) return "a prefix";
    } else if (!(family === "ipv4" ? isIPv4 : isIPv6)(change.set)) return "an address";
    if (isOffline) return "offline was not heard";
  }
  const line = lineOf({ verdict: "good", ipv4: "203.0.113.4", ipv6: "2001:db8::1" }, changes);
  return /^good( [0-9a-f.:,]+)?$/.test(line) ? null : `the line ${line}`;
}

/** @returns the queries for which something is wrong, each with what */
export function fuzzDyndns2(count: number, seed: number): string[] {
  const random = numbers(seed);
  const found: string[] = [];
  for (let run = 0; run < count; run++) {
    const text = query(random);
    const peer = random() < 0.1 ? null : random() < 0.5 ? "203.0.113.9" : "2001:db8::9";
    try {
      const wrong = wrongWith(text, peer);
      if (wrong !== null) found.push(`${JSON.stringify(text)}: ${wrong}`);
      readCredentials(`Basic ${text}`);
      readCredentials(`Basic ${Buffer.from(text).toString("base64")}`);
    } catch (error) {
      found.push(`${JSON.stringify(text)}: ${String(error)}`);
    }
  }
  return found;
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? "").href) {
  const [count, seed] = [Number(process.argv[2] ?? 1_000_000), Number(process.argv[3] ?? 1)];
  const began = performance.now();
  const found = fuzzDyndns2(count, seed);
  for (const line of found.slice(0, 20)) console.log(line);
  const seconds = ((performance.now() - began) / 1000).toFixed(1);
  console.log(`${count} requests, seed ${seed}, ${seconds} s: ${found.length} wrong.`);
  process.exitCode = found.length === 0 ? 0 : 1;
}
