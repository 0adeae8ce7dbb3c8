/**
 * What a flood of random names does to those who ask honestly, from the client through a name server of
 * ours, and through `/dns-query`, to the edge and back; and how long an update takes to be seen there, and
 * by dnsdist.
 */

import { createHash } from "node:crypto";
import { createSocket, type Socket } from "node:dgram";
import { join } from "node:path";
import { Pool } from "undici";
import { startFront } from "../../front/front.ts";
import { writeAsk } from "../../front/wire.ts";
import { nameOf } from "../../protocol/dns/names.ts";
import { types } from "../../protocol/dns/rdata.ts";
import { startBaseline } from "../baseline-edge.ts";
import type { Told } from "../flooder.ts";
import { summary } from "../load.ts";
import { startDnsdist } from "../peers/dnsdist.ts";
import type { Plan } from "../plan.ts";
import { freePort, Helper, sleep } from "../processes.ts";
import { judged, median, Section } from "../report.ts";
import { type Closing, type House, startHouse } from "../stage.ts";

const TOKEN = "x".repeat(40);
const FRONT_TOKEN_HASHES = createHash("sha256").update(TOKEN).digest("hex");
/** Random names a second. */
const RATES = { udp: 5000, doh: 500, bare: 500 } as const;
const FLOODER = join(import.meta.dirname, "../flooder.ts");
/** Names that nobody has and that people ask for again and again; a front forgets them after a minute. */
const HONEST = 20;
/** Between two honest questions, ms. */
const PACE_MS = 2;
/** An edge under a flood is measured in so many times as many rounds: one of a second moves by a quarter. */
const MORE_ROUNDS = 4;
/** Of each family; together as many as a name may change in ten minutes. Those seen late are few. */
const UPDATES = { own: 8, dnsdist: 2 } as const;

/** Asks one question; false when the answer is not whole. */
type Ask = (message: Buffer) => Promise<boolean>;

export async function flood(closing: Closing, plan: Plan): Promise<Section[]> {
  const house = await startHouse(closing, "http://127.0.0.1:9", {
    variables: { FRONT_TOKEN_HASHES, NETWORK_LIMIT_FACTOR: "1" },
  });
  const zone = house.edge.ddnsZone;
  const front = await startFront({
    ...{ edge: house.edge.origin, host: "127.0.0.1", port: 0, held: { zone, token: TOKEN } },
  });
  closing.push(() => front.close());
  await front.ready;
  const udp = await byUdp(front.port, closing);
  const seen = new Section("From an update to a name server", [
    ...["updates", "p50 ms", "p99 ms", "limits"],
  ]);
  await visible(seen, "own front, from the request on", house, udp, {
    from: 1,
    count: UPDATES.own,
    seconds: 1,
  });
  const dnsdist = await startDnsdist(house.edge.origin, zone, house.folder, closing);
  if (dnsdist === null)
    seen.missing("dnsdist, from the request on", "apt-get install dnsdist haproxy");
  else {
    const by = await byUdp(dnsdist, closing);
    const how = { from: 1 + UPDATES.own, count: UPDATES.dnsdist, seconds: 5 };
    await visible(seen, "dnsdist, from the request on", house, by, how);
  }
  const pool = new Pool(house.edge.origin, { connections: 1 });
  closing.push(() => pool.destroy());
  const section = new Section("Honest questions beside a flood of random names", [
    ...["random names/s", "p50 ms", "p99 ms", "answered", "of alone", "limits"],
  ]);
  const port = await freePort();
  closing.push(await startBaseline(port));
  const bare = `http://127.0.0.1:${port}`;
  const there = [messageOf(house.demo.device.host)];
  const denied = Array.from({ length: HONEST }, (_, at) => messageOf(`honest${at}.${zone}`));
  const lanes = [
    { name: "own front, what is there", how: "udp", target: String(front.port), asked: there },
    { name: "own front, what is not", how: "udp", target: String(front.port), asked: denied },
    { name: "DoH, what is there", how: "doh", target: house.edge.origin, asked: there },
    { name: "DoH, what is not", how: "doh", target: house.edge.origin, asked: denied },
  ] as const;
  for (const { name, how, target, asked } of lanes) {
    const ask = how === "udp" ? udp.ask : byHttp(pool);
    const floods = {
      beside: { kind: how, target, zone },
      control: how === "doh" ? ({ kind: "bare", target: bare, zone } as const) : null,
    };
    await lane(section, name, floods, plan, () => honest(ask, asked, plan.seconds));
  }
  return [section, seen];
}

/** Where random names are asked for. */
interface Flood {
  readonly kind: keyof typeof RATES;
  readonly target: string;
  readonly zone: string;
}

interface Floods {
  readonly beside: Flood;
  /** The same load on another runtime whose worker does nothing: what the machine takes of the ratio. */
  readonly control: Flood | null;
}

/**
 * In turn, round by round: alone, beside the control, and beside the flood, and every other round backwards.
 * A round is judged by itself, for the machine changes.
 */
async function lane(
  section: Section,
  name: string,
  { beside: flood, control }: Floods,
  plan: Plan,
  ask: () => Promise<Honest>,
): Promise<void> {
  const besides: Round[] = [];
  const controls: Round[] = [];
  await ask();
  const rounds = control === null ? plan.rounds : MORE_ROUNDS * plan.rounds;
  for (let round = 0; round < rounds; round++) {
    const turns = [null, ...(control === null ? [] : [control]), flood];
    const said = new Map<Flood | null, Honest>();
    for (const beside of round % 2 === 0 ? turns : turns.reverse()) {
      said.set(beside, beside === null ? await ask() : await askBeside(ask, beside));
    }
    const of = (beside: Flood | null) => said.get(beside) as Honest;
    besides.push(roundOf(of(null), of(flood)));
    if (control !== null) controls.push(roundOf(of(null), of(control)));
    await sleep(1000); // the second in which its turns were used up is over
  }
  const { alone, beside, ratio } = median(besides, (round) => round.ratio);
  const cells = ({ p50Ms, p99Ms, whole }: Honest) => [
    ...[p50Ms.toFixed(3), p99Ms.toFixed(2), `${(100 * whole).toFixed(1)} %`],
  ];
  const rate = String(RATES[flood.kind]);
  section.row(`${name}, alone`, "0", ...cells(alone), "1.00");
  if (controls.length > 0) {
    const { beside, ratio } = median(controls, (round) => round.ratio);
    section.row(`${name}, beside as many elsewhere`, rate, ...cells(beside), ratio.toFixed(2));
  }
  section.row(
    `${name}, beside it`,
    ...[rate, ...cells(beside), ratio.toFixed(2)],
    judged(ratio, { atMost: 1.1 }, "alone"),
  );
}

interface Round {
  readonly alone: Honest;
  readonly beside: Honest;
  readonly ratio: number;
}

const roundOf = (alone: Honest, beside: Honest): Round => ({
  ...{ alone, beside, ratio: beside.p50Ms / alone.p50Ms },
});

/** @throws Error when there was no flood: fewer went out than it says, or over HTTPS fewer answers came */
async function askBeside(
  ask: () => Promise<Honest>,
  { kind, target, zone }: Flood,
): Promise<Honest> {
  const rate = RATES[kind];
  const flooder = new Helper(FLOODER, kind, target, zone, String(rate));
  await flooder.next();
  await sleep(300);
  const before = await flooder.ask<Told>("so far");
  const begun = performance.now();
  const beside = await ask();
  const due = (0.9 * rate * (performance.now() - begun)) / 1000;
  const after = await flooder.ask<Told>("so far");
  await flooder.close();
  const isWhole = after.sent - before.sent >= due;
  const isAnswered = kind === "udp" || after.answered - before.answered >= due;
  if (!isWhole || !isAnswered) throw new Error("there was less of a flood than it says");
  return beside;
}

interface Honest {
  readonly p50Ms: number;
  readonly p99Ms: number;
  /** Which share was answered in full. */
  readonly whole: number;
}

/** One honest client, who asks at their own pace. */
async function honest(ask: Ask, messages: readonly Buffer[], seconds: number): Promise<Honest> {
  const times: number[] = [];
  let whole = 0;
  const until = performance.now() + seconds * 1000;
  for (let at = 0; performance.now() < until; at++) {
    const begun = performance.now();
    if (await ask(messages[at % messages.length] as Buffer)) whole++;
    times.push(performance.now() - begun);
    await sleep(PACE_MS);
  }
  return { ...summary(times, seconds), whole: whole / times.length };
}

/** How long it takes until a name server says what a router has just said. */
async function visible(
  section: Section,
  name: string,
  house: House,
  udp: Udp,
  { from, count, seconds }: Readonly<Record<"from" | "count" | "seconds", number>>,
): Promise<void> {
  const { host, updateUser, updatePassword } = house.demo.device;
  const basic = Buffer.from(`${updateUser}:${updatePassword}`).toString("base64");
  const headers = { authorization: `Basic ${basic}`, "user-agent": "bench/1" };
  const times: number[] = [];
  for (let at = from; at < from + count; at++) {
    for (const [type, address, octets] of [
      [types.A, `192.0.2.${at}`, [192, 0, 2, at]],
      [types.AAAA, `2001:db8::${at.toString(16)}`, [0x20, 1, 0xd, 0xb8, ...Array(11).fill(0), at]],
    ] as const) {
      const message = messageOf(host, type, false);
      await udp.answer(message); // what is kept of before is the longest wait
      const begun = performance.now();
      const url = `${house.edge.origin}/nic/update?hostname=${host}&myip=${address}`;
      const said = fetch(url, { headers }).then((answer) => answer.text());
      const wanted = Buffer.from(octets);
      while (!(await udp.answer(message)).subarray(message.length).includes(wanted)) {
        await sleep(1);
      }
      times.push(performance.now() - begun);
      const word = await said;
      if (!word.startsWith("good")) throw new Error(`an update was answered ${word}`);
    }
  }
  const { p50Ms, p99Ms } = summary(times, 1);
  section.row(
    name,
    ...[String(times.length), p50Ms.toFixed(1), p99Ms.toFixed(1)],
    judged(p99Ms / 1000, { atMost: seconds }, "a second"),
  );
}

const wire = (name: string) =>
  nameOf(name)
    .map((label) => String.fromCharCode(label.length) + label)
    .join("");
const messageOf = (name: string, type: number = types.A, signed = true) =>
  writeAsk(wire(name), type, signed);

interface Udp {
  readonly ask: Ask;
  answer(message: Buffer): Promise<Buffer>;
}

/** One question at a time over UDP; one that gets no answer fails the run. */
async function byUdp(port: number, closing: Closing): Promise<Udp> {
  const socket: Socket = createSocket("udp4");
  await new Promise<void>((bound) => socket.bind(0, "127.0.0.1", bound));
  closing.push(async () => void socket.close());
  const answer = (message: Buffer) =>
    new Promise<Buffer>((resolve, reject) => {
      const late = setTimeout(() => reject(new Error("no answer")), 5000);
      socket.once("message", (said) => {
        clearTimeout(late);
        resolve(said);
      });
      socket.send(message, port, "127.0.0.1");
    });
  const isWhole = (said: Buffer) => ((said[2] as number) & 2) === 0 && (said[3] as number) === 0;
  return { answer, ask: async (message) => isWhole(await answer(message)) };
}

function byHttp(pool: Pool): Ask {
  return async (message) => {
    const path = `/dns-query?dns=${message.toString("base64url")}`;
    const { statusCode, body } = await pool.request({ path, method: "GET" });
    await body.dump();
    return statusCode === 200;
  };
}
