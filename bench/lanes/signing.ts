/**
 * What signatures cost at the edge, in one process without a network: an answer that was signed when it
 * was written, a denial that is signed when it is asked for, one that is remembered; and what a flood of
 * random names does to those who ask honestly beside it.
 */

import type { ZoneKeys } from "../../db/zone-keys.ts";
import type { SigningKey } from "../../protocol/dns/dnssec.ts";
import { type Query, writeAnswer } from "../../protocol/dns/message.ts";
import { nameOf } from "../../protocol/dns/names.ts";
import { types } from "../../protocol/dns/rdata.ts";
import type { RecordSet } from "../../protocol/dns/sets.ts";
import type { Proof } from "../../protocol/dns/zone.ts";
import { memoryZone, newKey, questionOf } from "../../test/support/zone.ts";
import { prove } from "../../workers/name/signing.ts";
import type { FrontPorts } from "../../workers/ports.ts";
import type { Plan } from "../plan.ts";
import { Section } from "../report.ts";

const ZONE = "bench.test";
const A = types.A;
/** Names that do not exist and that people ask for again and again. */
const HONEST = 500;
const sets: readonly RecordSet[] = [
  { owner: "", type: "A", ttl: 60, data: [{ type: "A", address: "192.0.2.1" }] },
];

export async function signing(plan: Plan): Promise<Section> {
  const section = new Section("DNSSEC at the edge, one core", ["µs each", "denials remembered"]);
  const ms = (plan.seconds * 1000) / 2;
  const key = await newKey();
  const zone = await memoryZone(key, Date.now(), ZONE);
  const answer = async (query: Query) => writeAnswer(query, await zone.answer(query, () => sets));
  const name = `nas.${ZONE}`;
  section.row("an answer, unsigned", us(await each(ms, () => answer(questionOf(name, A)))));
  section.row(
    "an answer, signed when written",
    us(await each(ms, () => answer(questionOf(name, A, true)))),
  );

  const deny = denierOf(key);
  let made = 0;
  section.row("a denial, made", us(await each(ms, () => deny(`made${made++}`))));
  section.row("a denial, remembered", us(await each(ms, () => deny("kept"))));
  const alone = await honest(denierOf(key), ms, false);
  const flooded = await honest(denierOf(key), ms, true);
  section.row("honest denials, alone", us(alone.us), share(alone.remembered));
  section.row(
    "honest denials, a random name between each",
    us(flooded.us),
    share(flooded.remembered),
  );
  return section;
}

type Denier = (label: string) => Promise<Proof | null>;

/** The edge's own way to a proof, with a memory of its own. */
function denierOf(key: SigningKey): Denier {
  const zoneKeys = { signer: async () => key } as unknown as ZoneKeys;
  const config = { ddnsZone: ZONE, networkLimitFactor: 1 };
  const random = { bytes: (count: number) => new Uint8Array(count) };
  const ports = { zoneKeys, config, clock: { now: Date.now }, random } as unknown as FrontPorts;
  const denial = (label: string) => ({
    ...{ name: [label, ...nameOf(ZONE)], present: null, asked: false },
  });
  return (label) => prove(ports, denial(label), () => true);
}

/** Denials of names that people ask for again and again; only these are timed. */
async function honest(deny: Denier, ms: number, flood: boolean) {
  const first = new Map<string, Proof | null>();
  for (let at = 0; at < HONEST; at++) first.set(`honest${at}`, await deny(`honest${at}`));
  let [spent, asked, remembered] = [0, 0, 0];
  const end = performance.now() + ms;
  for (let at = 0; performance.now() < end; at++) {
    if (flood) await deny(`random${at}`);
    const label = `honest${at % HONEST}`;
    const begun = performance.now();
    const proof = await deny(label);
    spent += performance.now() - begun;
    asked++;
    if (first.get(label) === proof) remembered++;
  }
  return { us: (spent * 1000) / asked, remembered: remembered / asked };
}

/** Microseconds of one turn. */
async function each(ms: number, turn: () => Promise<unknown>): Promise<number> {
  let turns = 0;
  const begun = performance.now();
  while (performance.now() - begun < ms) {
    await turn();
    turns++;
  }
  return ((performance.now() - begun) * 1000) / turns;
}

const us = (value: number) => value.toFixed(1);
const share = (value: number) => `${(value * 100).toFixed(1)} %`;
