/**
 * Our own DNS front against Knot: the same zone of 100,000 names in the memory of both, the same
 * questions by dnsperf, in turn. The edge is not here: what feeds the front is a page of names over a
 * socket, and its questions to the edge are answered by the zone's own rules.
 */

import { type ChildProcess, spawn } from "node:child_process";
import { mkdtemp, open, readFile, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type WebSocket, WebSocketServer } from "ws";
import { startFront } from "../../front/front.ts";
import { readQuery, writeAnswer } from "../../protocol/dns/message.ts";
import type { FeedAnswer, FeedName } from "../../protocol/feed.ts";
import { limits } from "../../protocol/limits.ts";
import { startEdge } from "../../scripts/local/edge.ts";
import { memoryZone } from "../../test/support/zone.ts";
import type { Plan } from "../plan.ts";
import { freePort, sleep } from "../processes.ts";
import { judged, Section } from "../report.ts";

const ROOT = join(import.meta.dirname, "../..");
const ZONE = "bench.test";
const QUESTIONS = 20_000;
const OURS = "own front";
const OURS_TWICE = "own front, 2 threads";
const PEER = "Knot (peer)";
/** Questions a second that are timed, beside the load. */
const TIMED = 500;
/** Questions of the load that wait for an answer at a time. */
const UNDER_WAY = 20;
/** The least of its pace that it has to keep. */
const KEPT_PACE = 0.98;
/** For which the load runs before them, and after. */
const LEAD_SECONDS = 0.5;

const label = (at: number) => `box${at.toString(36)}`;
const address = (at: number) => `192.0.${(at >> 8) & 0xff}.${at & 0xff}`;

interface Measured {
  readonly perSecond: number;
  readonly lost: number;
}

/** With the times, in milliseconds, at half of that load. */
interface Round extends Measured {
  readonly p50: number;
  readonly p99: number;
}

/** Median of the rounds. */
const middle = (values: readonly number[]) =>
  [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;

export async function dns(plan: Plan): Promise<Section> {
  const section = new Section(`DNS: ${plan.names.toLocaleString("en")} names in memory`, [
    ...["questions/s", "of Knot", "lost", "p50 ms at half load", "p99 ms at half load", "limits"],
  ]);
  const folder = await mkdtemp(join(tmpdir(), "latchkey-bench-dns-"));
  const closing: (() => Promise<void>)[] = [() => rm(folder, { recursive: true })];
  try {
    const questions = join(folder, "questions");
    await writeFile(questions, questionsOf(plan.names));
    const ports = new Map([
      [PEER, await startKnot(folder, plan.names, closing)],
      [OURS, await startOurs(folder, plan.names, [], closing)],
      [OURS_TWICE, await startOurs(folder, plan.names, ["--threads", "2"], closing)],
    ]);
    const rounds = new Map<string, Round[]>([...ports.keys()].map((name) => [name, []]));
    for (let round = 0; round < plan.rounds; round++) {
      for (const [name, port] of ports) {
        rounds.get(name)?.push(await roundOf(port, questions, plan.seconds));
      }
    }
    const over = (name: string, of: (round: Round) => number) =>
      middle((rounds.get(name) ?? []).map(of));
    const rate = (name: string) => over(name, ({ perSecond }) => perSecond);
    for (const name of ports.keys()) {
      const ratio = rate(name) / rate(PEER);
      const lost = (rounds.get(name) ?? []).reduce((sum, one) => sum + one.lost, 0);
      const [p50, p99] = [over(name, (one) => one.p50), over(name, (one) => one.p99)];
      section.row(
        name,
        ...[rate(name).toFixed(0), ratio.toFixed(2), String(lost), p50.toFixed(2), p99.toFixed(2)],
        name === OURS
          ? `${judged(ratio, { atLeast: 0.5 }, "Knot")}; ${judged(p99, { atMost: 2 }, "p99 in ms")}`
          : "",
      );
    }
    const { perSecond, lost } = await misses(folder, closing, questions, 2 * plan.seconds);
    const each = `${(1000 / perSecond).toFixed(2)} ms a question`;
    const figures = [perSecond.toFixed(0), (perSecond / rate(PEER)).toFixed(2), String(lost)];
    section.row("own front, each question to the edge", ...figures, "", "", each);
    return section;
  } catch (error) {
    section.missing("DNS", error instanceof Error ? error.message : String(error));
    return section;
  } finally {
    for (const step of closing.reverse()) await step();
  }
}

/** Two questions for what is there to each for what is not. */
function questionsOf(names: number): string {
  let text = "";
  for (let at = 0; at < QUESTIONS; at++) {
    const name = label((at * 7919) % names);
    text += `${at % 3 === 2 ? `no-${name}` : name}.${ZONE} ${at % 5 === 4 ? "AAAA" : "A"}\n`;
  }
  return text;
}

async function startKnot(
  folder: string,
  names: number,
  closing: (() => Promise<void>)[],
): Promise<number> {
  const port = await freePort();
  let text = `$ORIGIN ${ZONE}.\n$TTL 60\n@ SOA ns1 hostmaster 1 3600 600 604800 60\n@ NS ns1\nns1 A 192.0.2.53\n`;
  for (let at = 0; at < names; at++) text += `${label(at)} A ${address(at)}\n`;
  await writeFile(join(folder, `${ZONE}.zone`), text);
  const conf = `server:
    listen: 127.0.0.1@${port}
    rundir: ${folder}
    pidfile: ${folder}/knot.pid
database:
    storage: ${folder}/db
log:
  - target: stderr
    any: warning
zone:
  - domain: ${ZONE}
    storage: ${folder}
    file: ${ZONE}.zone
    zonefile-load: whole
    zonefile-sync: -1
`;
  await writeFile(join(folder, "knot.conf"), conf);
  const child = spawn("/usr/sbin/knotd", ["-c", join(folder, "knot.conf")], { stdio: "ignore" });
  closing.push(() => end(child));
  await answering(child, port, "apt-get install knot");
  return port;
}

/** The front as its own program, and what feeds it. */
async function startOurs(
  folder: string,
  names: number,
  more: readonly string[],
  closing: (() => Promise<void>)[],
): Promise<number> {
  const zone = await memoryZone(null, Date.now(), ZONE);
  const server = createServer(async (request, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const read = readQuery(Buffer.concat(chunks));
    if (read.kind !== "query") return void response.writeHead(400).end();
    const answer = await zone.answer(read.query, () => null);
    response.end(writeAnswer(read.query, answer));
  });
  const sockets = new WebSocketServer({ server });
  sockets.on("connection", (socket) => feed(socket, names));
  await new Promise<void>((listening) => server.listen(0, "127.0.0.1", listening));
  closing.push(async () => {
    sockets.close();
    server.closeAllConnections();
    server.close();
  });
  const token = join(folder, "token");
  await writeFile(token, "x".repeat(40));
  const port = await freePort();
  const edge = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const args = ["--edge", edge, "--port", String(port), "--zone", ZONE, "--token-file", token];
  const main = join(ROOT, "front/main.ts");
  const child = spawn(process.execPath, [main, ...args, "--rate", "1000000000", ...more], {
    stdio: ["ignore", "ignore", "pipe"],
  });
  closing.push(() => end(child));
  await new Promise<void>((whole, fail) => {
    let said = "";
    child.stderr?.on("data", (chunk) => {
      said += chunk;
      if (said.includes("The zone is here")) whole();
    });
    child.once("exit", () => fail(new Error(`the front ended: ${said}`)));
  });
  await answering(child, port, "the front does not answer");
  return port;
}

/** A front that holds nothing, before a real edge: what a question costs that memory has no answer to. */
async function misses(
  folder: string,
  closing: (() => Promise<void>)[],
  questions: string,
  seconds: number,
): Promise<Measured> {
  const edge = await startEdge({
    ...{ data: join(folder, "edge"), port: await freePort(), onLog: () => undefined },
    variables: { DDNS_ZONE: ZONE },
  });
  closing.push(() => edge.close());
  const options = { edge: edge.origin, host: "127.0.0.1", port: 0, rate: 1e9, askRate: 1e9 };
  const front = await startFront(options);
  closing.push(() => front.close());
  const said = await dnsperf(front.port, questions, seconds, ["-q", "50"]);
  return measured(said);
}

/** Answers each question of a front with the next page. */
function feed(socket: WebSocket, names: number): void {
  let at = 0;
  socket.on("message", () => {
    const whole = at === 0;
    const page: FeedName[] = [];
    for (; at < names && page.length < limits.feedPageNames; at++) {
      const data = [{ type: "A" as const, address: address(at) }];
      const set = { owner: "", type: "A" as const, ttl: 60, data, signatures: [] };
      page.push({ id: String(at), names: [{ label: label(at), sets: [set] }] });
    }
    const to = { epoch: "bench", seq: at };
    const answer: FeedAnswer = { kind: "page", whole, names: page, to, end: at >= names };
    socket.send(JSON.stringify(answer));
  });
}

async function roundOf(port: number, questions: string, seconds: number): Promise<Round> {
  const full = measured(await dnsperf(port, questions, 2 * seconds, ["-q", "200"]));
  const half = await latencies(port, questions, seconds, Math.max(1, full.perSecond / 2));
  return { ...full, ...half };
}

function measured(said: string): Measured {
  const perSecond = Number(/Queries per second:\s+([\d.]+)/.exec(said)?.[1]);
  const lost = Number(/Queries lost:\s+(\d+)/.exec(said)?.[1]);
  return { perSecond, lost };
}

/**
 * The times of a few among many: whoever wrote all of them down would take a core for that, and time
 * itself. They are written to a file, which nobody reads meanwhile. The load that was held up catches up
 * at once, which would be its own burst and no server's: so no more of it is under way at a time than it
 * takes to keep its pace, and a load that did not keep it is no half load. Whoever is timed asks at a pace
 * of their own and sees every pause.
 * @throws Error when the load fell behind
 */
async function latencies(port: number, questions: string, seconds: number, rate: number) {
  const file = `${questions}.times`;
  const times = await open(file, "w");
  const how = ["-q", String(UNDER_WAY), "-Q", rate.toFixed(0)];
  const load = dnsperf(port, questions, seconds + 2 * LEAD_SECONDS, how);
  await sleep(LEAD_SECONDS * 1000);
  await dnsperf(port, questions, seconds, ["-Q", String(TIMED), "-v"], times.fd);
  const kept = measured(await load).perSecond / rate;
  if (kept < KEPT_PACE)
    throw new Error(`the half load was ${kept.toFixed(2)} of what it should be`);
  await times.close();
  const said = await readFile(file, "utf8");
  const all = [...said.matchAll(/^> \w+ \S+ \S+ ([\d.]+)$/gm)].map(
    ([, time]) => Number(time) * 1000,
  );
  all.sort((a, b) => a - b);
  const at = (share: number) => all[Math.floor(all.length * share)] ?? Number.NaN;
  return { p50: at(0.5), p99: at(0.99) };
}

function dnsperf(
  port: number,
  file: string,
  seconds: number,
  more: string[],
  output: "pipe" | number = "pipe",
): Promise<string> {
  const server = ["-s", "127.0.0.1", "-p", String(port)];
  const args = [...server, "-d", file, "-l", Math.ceil(seconds).toFixed(0)];
  return new Promise((resolve, reject) => {
    const child = spawn("dnsperf", [...args, "-c", "8", ...more], {
      stdio: ["ignore", output, "ignore"],
    });
    let said = "";
    child.stdout?.on("data", (chunk) => {
      said += chunk;
    });
    child.once("error", () => reject(new Error("apt-get install dnsperf")));
    child.once("exit", () => resolve(said));
  });
}

/** Waits until a question is answered. */
async function answering(child: ChildProcess, port: number, missing: string): Promise<void> {
  const { look } = await import("../../test/support/dns.ts");
  const failed = new Promise<never>((_, fail) => {
    child.once("error", () => fail(new Error(missing)));
    child.once("exit", () => fail(new Error(missing)));
  });
  failed.catch(() => undefined);
  for (;;) {
    const answer = await Promise.race([look(port, `${label(0)}.${ZONE}`), failed]).catch(
      (error) => {
        if (error instanceof Error && error.message === missing) throw error;
        return null;
      },
    );
    if (answer?.answers.length === 1) return;
  }
}

function end(child: ChildProcess): Promise<void> {
  return new Promise((ended) => {
    if (child.exitCode !== null || child.signalCode !== null) return ended();
    child.once("exit", () => ended());
    child.once("error", () => ended());
    child.kill("SIGKILL");
  });
}
