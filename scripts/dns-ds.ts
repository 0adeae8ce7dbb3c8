/**
 * `npm run dns:ds`: what the parent of the DDNS zone must show, as lines of a zone file. It asks the
 * edge for the zone's CDS and DNSKEY over HTTPS and believes a CDS only when it fits a key.
 */

import { parseArgs } from "node:util";
import { dsOf } from "../protocol/dns/dnssec.ts";
import { type Name, nameOf, readName, writeWholeName } from "../protocol/dns/names.ts";
import { types, uint16 } from "../protocol/dns/rdata.ts";
import { limits } from "../protocol/limits.ts";
import { Sentence } from "./local/options.ts";

const MEDIA_TYPE = "application/dns-message";
const HEADER_BYTES = 12;
const RECURSION_DESIRED = 0x0100;

/** The DS lines of `zone`, as the edge at `edge` shows them. */
export async function dsLines(edge: string, zone: string): Promise<string[]> {
  const apex = nameOf(zone.toLowerCase());
  // The first question that wants signatures makes the key of a zone that has none yet.
  const keys = await ask(edge, apex, types.DNSKEY);
  const wanted = (await ask(edge, apex, types.CDS)).map(hex);
  const fitting = (await Promise.all(keys.map((key) => dsOf(apex, key)))).filter((ds) =>
    wanted.includes(hex(ds)),
  );
  if (fitting.length === 0) throw new Sentence(`${edge} shows no key of ${zone}.`);
  return fitting.map((ds) => {
    const tag = ((ds[0] as number) << 8) | (ds[1] as number);
    return `${apex.join(".")}. ${limits.zoneTtlSeconds} IN DS ${tag} ${ds[2]} ${ds[3]} ${hex(ds.subarray(4))}`;
  });
}

/** The RDATA of the records of one type at the apex. */
async function ask(edge: string, apex: Name, type: number): Promise<Uint8Array[]> {
  const opt = [0, ...uint16(types.OPT), ...uint16(limits.dnsMessageBytes), 0, 0, 0x80, 0, 0, 0];
  const question = [...writeWholeName(apex), ...uint16(type), ...uint16(1)];
  const counts = [1, 0, 0, 1].flatMap(uint16);
  const message = [...uint16(0), ...uint16(RECURSION_DESIRED), ...counts, ...question, ...opt];
  const response = await fetch(new URL("/dns-query", edge), {
    method: "POST",
    headers: { "content-type": MEDIA_TYPE },
    body: Uint8Array.from(message),
    signal: AbortSignal.timeout(limits.dnsFrontEdgeMs),
  }).catch(() => null);
  if (response?.status !== 200) throw new Sentence(`${edge} does not answer DNS over HTTPS.`);
  return records(new Uint8Array(await response.arrayBuffer()), type);
}

function records(message: Uint8Array, type: number): Uint8Array[] {
  const view = new DataView(message.buffer, message.byteOffset, message.byteLength);
  let at = (readName(message, HEADER_BYTES)?.next ?? message.length) + 4;
  const found: Uint8Array[] = [];
  for (let left = view.getUint16(6); left > 0; left--) {
    const fixed = readName(message, at)?.next ?? message.length;
    const end = fixed + 10 + view.getUint16(fixed + 8);
    if (view.getUint16(fixed) === type) found.push(message.slice(fixed + 10, end));
    at = end;
  }
  return found;
}

const hex = (octets: Uint8Array) => Buffer.from(octets).toString("hex").toUpperCase();

const usage = `Usage: npm run dns:ds -- --zone <DDNS zone> [--edge <url>]

  --zone <name>  the DDNS zone
  --edge <url>   the edge to ask (http://localhost:8787)
`;

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: { edge: { type: "string" }, zone: { type: "string" }, help: { type: "boolean" } },
  });
  if (values.help || values.zone === undefined) return console.log(usage);
  for (const line of await dsLines(values.edge ?? "http://localhost:8787", values.zone)) {
    console.log(line);
  }
}

if (import.meta.main) {
  await main().catch((error) => {
    console.error(error instanceof Error ? error.message : error);
    process.exit(1);
  });
}
