/**
 * Histories of everything at once under chance: requests and uploads, whose long bodies go by the bulk
 * lane, beside tunnels over several programs of a box; connections that break, drain, fall silent and
 * come twice with the same epoch; an object that sleeps; programs and lanes that break in the middle.
 * No body and no tunnel loses, doubles or cuts short anything without an error, and nothing is left.
 */

import "../../support/native-pipes.ts";
import { createHash } from "node:crypto";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { limits } from "../../../protocol/limits.ts";
import { type Asked, checkWindows, judge, randomRequest } from "../../support/link-history.ts";
import { Lane } from "../../support/link-lane.ts";
import { type BoxEnd, Programs, Traveler } from "../../support/link-travelers.ts";
import { Chance, type Line, World } from "../../support/link-world.ts";

const HISTORIES = Number(process.env.LINK_HISTORIES ?? 400);
const FIRST_SEED = Number(process.env.LINK_SEED ?? 1);
const STEPS = 160;
/** Rounds of the end in which things still break. */
const DISTURBED = 25;

const changed = limits as { linkBulkAfterBytes: number };
const before = limits.linkBulkAfterBytes;

beforeAll(() => {
  changed.linkBulkAfterBytes = 16 * 1024; // so that small bodies, of which there can be many, take the lane
  // The platform's own ends some time later on another thread: no two runs would be the same.
  vi.spyOn(crypto.subtle, "digest").mockImplementation(async (_name, data) => {
    const hash = createHash("sha256").update(new Uint8Array(data as ArrayBuffer));
    return new Uint8Array(hash.digest()).buffer;
  });
});
afterAll(() => {
  changed.linkBulkAfterBytes = before;
  vi.restoreAllMocks();
});

/** What happened in all histories: they must have been eventful, or they prove nothing. */
const seen: Record<string, number> = {};
const note = (what: string, times = 1) => {
  seen[what] = (seen[what] ?? 0) + times;
};

class History {
  readonly chance: Chance;
  readonly world: World;
  readonly programs: Programs;
  readonly requests: Asked[] = [];
  readonly travelers: Traveler[] = [];
  readonly #count: number;
  /** An object sleeps only where nobody waits for a page. */
  readonly #pages: number;

  constructor(seed: number) {
    this.chance = new Chance(seed);
    this.programs = new Programs(this.chance);
    this.#pages = this.chance.is(0.3) ? 0 : 6;
    this.#count = 1 + this.chance.below(limits.agentsPerDevice);
    const lane: Lane = new Lane(() => this.world, this.chance, note);
    const tcp = (program: number) => this.programs.of(program);
    this.world = new World(this.chance, {}, { tcp, bulk: () => lane });
    for (let program = 0; program < this.#count; program++) {
      if (this.chance.is(0.9)) this.world.connect(program);
    }
  }

  async step(): Promise<void> {
    const { chance, world } = this;
    const someone = pick(chance, this.requests);
    const traveler = pick(chance, this.travelers);
    const call = pick(chance, world.calls);
    const line = pick(chance, world.lines);
    const what = chance.next();
    if (what < 0.05 && this.requests.length < this.#pages) {
      this.requests.push(randomRequest(world, chance, this.requests.length));
    } else if (what < 0.08 && this.travelers.length < 4) this.travelers.push(new Traveler(chance));
    else if (what < 0.22) world.deliverToAgent(line);
    else if (what < 0.36) world.deliverToEdge(line);
    else if (what < 0.46) void call?.step(chance);
    else if (what < 0.53) someone?.visitor.read();
    else if (what < 0.58) someone?.upload?.give(chance);
    else if (what < 0.59) someone?.visitor.leave();
    else if (what < 0.6) someone?.upload?.break();
    else if (what < 0.93) this.#travel(traveler);
    else if (what < 0.985) this.#happen(line);
    else world.advance(chance.below(4000));
  }

  #travel(traveler: Traveler | null): void {
    const { chance, world } = this;
    if (traveler === null) return;
    const end = this.programs.all.get(traveler.id) ?? null;
    const what = chance.next();
    if (what < 0.15) void traveler.ask(world);
    else if (what < 0.4) traveler.take();
    else if (what < 0.65) traveler.give(world);
    else if (what < 0.8) traveler.speak(chance);
    else if (what < 0.88) end?.speak(chance);
    else if (what < 0.97) traveler.read();
    else traveler.drop(world);
  }

  /** Something happens to a connection: it breaks, comes twice, drains, falls silent; or the object sleeps. */
  #happen(line: Line | null): void {
    const { chance, world } = this;
    const what = chance.next();
    if (line === null || what < 0.3) {
      const program = chance.below(this.#count);
      const there = world.lines.some((other) => other.program === program && !other.left);
      if (!there || chance.is(0.15)) world.connect(program);
    } else if (what < 0.45) world.disconnect(line);
    else if (what < 0.58) {
      expect(world.connect(line.program, line.epoch)).toBe("older");
      note("duplicate epoch");
    } else if (what < 0.66) world.leave(line);
    else if (what < 0.7) world.link.goAway();
    else if (what < 0.72) line.deafSince ??= world.now;
    else if (what < 0.74) {
      this.programs.crash(line.program);
      world.disconnect(line);
      note("crash");
    } else {
      const { link } = world;
      world.hibernate();
      if (world.link !== link) note("sleep");
      if (world.link !== link && world.link.passages.size > 0) note("sleep with tunnels");
    }
  }

  /** Lets everything come to its end, which takes some more breaks to reach. */
  async quiesce(): Promise<void> {
    const { chance, world } = this;
    for (let round = 0; round < 4000; round++) {
      for (const { visitor, upload } of this.requests) {
        visitor.read();
        upload?.give(chance);
      }
      for (const call of world.calls) void call.step(chance);
      for (const program of new Set([0, ...this.programs.keeping])) {
        const ready = world.lines.some((line) => line.program === program && isThere(line));
        if (!ready) world.connect(program);
      }
      for (const traveler of this.travelers) this.#bringHome(traveler);
      for (const line of [...world.lines]) {
        while (line.toAgent.length > 0 && line.deafSince === null) world.deliverToAgent(line);
        while (line.toEdge.length > 0 && line.deafSince === null) world.deliverToEdge(line);
      }
      await world.settle();
      if (round < DISTURBED && chance.is(0.2)) this.#disturb();
      if (round >= DISTURBED && this.#isOver) return;
      if (round % 50 === 49) world.advance(limits.linkTickMs);
      if (round % 500 === 499) this.#alarm();
    }
    throw new Error(`it never came to rest: ${this.travelers.map(({ state }) => state)}`);
  }

  /** Something breaks while all speak as fast as they can. */
  #disturb(): void {
    const { chance, world } = this;
    const line = pick(chance, world.lines);
    const traveler = pick(chance, this.travelers);
    const what = chance.next();
    if (what < 0.4) traveler?.drop(world);
    else if (what < 0.7) world.disconnect(line);
    else world.hibernate();
  }

  /** The object looks after its WebSockets: a device that fell silent carries none. */
  #alarm(): void {
    this.world.advance(limits.agentStaleMs + 1);
    this.world.link.checkSockets();
  }

  #bringHome(traveler: Traveler): void {
    const { chance, world } = this;
    const end = this.programs.all.get(traveler.id);
    if (traveler.state === "away" && (end === undefined || end.over)) traveler.giveUp();
    void traveler.ask(world);
    for (let time = 0; time < 4; time++) {
      traveler.take();
      traveler.give(world);
    }
    traveler.speak(chance);
    end?.speak(chance);
    traveler.read();
  }

  get #isOver(): boolean {
    const { world } = this;
    if (this.requests.some(({ visitor }) => /^(waiting|reading)$/.test(visitor.ending)))
      return false;
    if (this.travelers.some(({ state }) => state !== "over")) return false;
    const { exchanges, waiting } = world.link.load;
    const lines = world.lines.filter((line) => line.deafSince === null);
    const busy = lines.some(
      ({ toAgent, toEdge, server }) => toAgent.length + toEdge.length + server.session.size > 0,
    );
    return !busy && exchanges + waiting + world.link.passages.size === 0;
  }
}

const isThere = (line: Line) => !line.left && line.deafSince === null;

function pick<T>(chance: Chance, values: readonly T[]): T | null {
  return values.length > 0 ? chance.pick(values) : null;
}

function judgeTunnel(traveler: Traveler, end: BoxEnd | undefined): void {
  expect(traveler.faults).toEqual([]);
  if (end === undefined) return void expect(traveler.lost).toBe(true);
  const back = Buffer.concat(traveler.heard);
  const forth = Buffer.concat(end.heard);
  expect(back.equals(end.speech.all.subarray(0, back.length)), "to the visitor").toBe(true);
  expect(forth.equals(traveler.speech.all.subarray(0, forth.length)), "to the box").toBe(true);
  if (traveler.ended) expect(back.length, "an end after all of it").toBe(end.speech.length);
  if (end.ended) expect(forth.length, "an end after all of it").toBe(traveler.speech.length);
  // Whoever has said and heard all keeps nothing to go on with: its last words may be lost, as an error.
  const isDone = end.ended && end.tunnel.duplex.writableFinished;
  if (traveler.lost && end.tunnel.met) expect(end.crashed || isDone, "for a reason").toBe(true);
  note(traveler.lost ? "tunnel lost" : "tunnel whole");
  if (!traveler.lost) expect(traveler.ended, "what is not lost is whole").toBe(true);
  note("resumed", traveler.resumed);
}

async function history(seed: number): Promise<void> {
  const it = new History(seed);
  for (let count = 0; count < STEPS; count++) {
    await it.step();
    if (it.chance.is(0.5)) await it.world.settle();
  }
  await it.quiesce();
  const { world, programs } = it;
  expect(world.protocolErrors).toEqual([]);
  for (const request of it.requests) {
    judge(request, world.calls);
    note(request.visitor.ending);
  }
  for (const traveler of it.travelers) judgeTunnel(traveler, programs.all.get(traveler.id));
  note("denied", programs.denials);
  for (const end of programs.all.values()) end.tunnel.duplex.fail(null); // those nobody comes back for
  await world.settle();
  const { exchanges, waiting, sessions } = world.link.load;
  expect({ exchanges, waiting, sockets: world.link.passages.size }).toEqual({
    ...{ exchanges: 0, waiting: 0, sockets: 0 },
  });
  expect(sessions.filter((session) => session.size > 0)).toEqual([]);
  for (const line of world.lines) if (line.deafSince === null) checkWindows(world, line);
}

describe("all of Link under chance", () => {
  it(`keeps what passes whole or broken, never short, in ${HISTORIES} histories`, async () => {
    for (let seed = FIRST_SEED; seed < FIRST_SEED + HISTORIES; seed++) {
      await history(seed).catch((error: unknown) => {
        throw new Error(`seed ${seed}`, { cause: error });
      });
    }
    const must = ["complete", "error", "left", "segment", "rest", "broken", "tunnel whole"];
    must.push(
      "tunnel lost",
      "resumed",
      "denied",
      "duplicate epoch",
      "crash",
      "sleep",
      "sleep with tunnels",
    );
    if (HISTORIES < 400) return;
    for (const what of must) expect(seen[what] ?? 0, what).toBeGreaterThan(HISTORIES / 100);
  }, 3_600_000);
});
