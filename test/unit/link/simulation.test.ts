/**
 * Histories of Link under chance: visitors come, read, upload and leave; messages wait; the device
 * drops and returns; the object forgets. Whatever happens, no body is lost, doubled or cut short
 * without an error, and nothing is left behind.
 */

import { describe, expect, it } from "vitest";
import { limits } from "../../../protocol/limits.ts";
import {
  type Call,
  Chance,
  content,
  type Line,
  MAX_BODY,
  MAX_START,
  type Script,
  Upload,
  Visitor,
  World,
} from "../../support/link-world.ts";

/** `LINK_HISTORIES` runs more of them (CONTRIBUTING.md), from the seed `LINK_SEED`. */
const HISTORIES = Number(process.env.LINK_HISTORIES ?? 2000);
const FIRST_SEED = Number(process.env.LINK_SEED ?? 1);
const STEPS = 60;

interface Request {
  readonly path: string;
  readonly method: string;
  readonly visitor: Visitor;
  readonly upload: Upload | null;
  readonly script: Script;
}

function randomScript(chance: Chance): Script {
  const length = chance.is(0.15) ? chance.below(MAX_BODY) : chance.below(3000);
  const wrong = chance.is(0.08);
  const announced = chance.is(0.4) ? null : wrong ? length + 1 + chance.below(50) : length;
  return {
    status: chance.pick([200, 200, 200, 206, 404, 500]),
    start: chance.below(MAX_START),
    length,
    announced,
    breakAfter: chance.is(0.15) ? chance.below(length + 1) : null,
    readsBody: chance.is(0.85),
  };
}

function randomRequest(world: World, chance: Chance, number: number): Request {
  const method = chance.pick(["GET", "GET", "POST", "PUT", "DELETE"]);
  const hasBody = method === "POST" || method === "PUT";
  const size = chance.is(0.2) ? chance.below(MAX_BODY) : chance.below(3000);
  const upload = hasBody ? new Upload(chance.below(MAX_START), size) : null;
  const request = {
    path: `/${number}`,
    method,
    visitor: new Visitor(),
    upload,
    script: randomScript(chance),
  };
  world.scripts.set(request.path, request.script);
  void request.visitor.ask(world, request.path, method, upload);
  return request;
}

/** Something happens to a connection: it breaks, is replaced, drains, falls silent, or the object forgets. */
function happen(world: World, chance: Chance, line: Line | null, programs: number): void {
  const what = chance.next();
  if (line === null || what < 0.2) {
    const program = chance.below(programs);
    const there = world.lines.some((other) => other.program === program && !other.left);
    if (!there || chance.is(0.15)) world.connect(program);
  } else if (what < 0.45) world.disconnect(line);
  else if (what < 0.55) expect(world.connect(line.program, line.epoch)).toBe("older");
  else if (what < 0.65) world.leave(line);
  else if (what < 0.7) world.link.goAway();
  else if (what < 0.72) line.deafSince ??= world.now;
  else world.hibernate();
}

async function step(
  world: World,
  chance: Chance,
  requests: Request[],
  programs: number,
): Promise<void> {
  const someone = requests.length > 0 ? chance.pick(requests) : null;
  const call = world.calls.length > 0 ? chance.pick(world.calls) : null;
  const line = world.lines.length > 0 ? chance.pick(world.lines) : null;
  const what = chance.next();
  if (what < 0.1 && requests.length < 8) {
    requests.push(randomRequest(world, chance, requests.length));
  } else if (what < 0.3) world.deliverToAgent(line);
  else if (what < 0.5) world.deliverToEdge(line);
  else if (what < 0.68) void call?.step(chance);
  else if (what < 0.82) someone?.visitor.read();
  else if (what < 0.92) someone?.upload?.give(chance);
  else if (what < 0.935) someone?.visitor.leave();
  else if (what < 0.945) someone?.upload?.break();
  else if (what < 0.985) happen(world, chance, line, programs);
  else world.advance(chance.below(4000));
}

/** Lets everything come to its end. */
async function quiesce(world: World, chance: Chance, requests: Request[]): Promise<void> {
  for (let round = 0; round < 4000; round++) {
    for (const { visitor, upload } of requests) {
      visitor.read();
      upload?.give(chance);
    }
    for (const call of world.calls) void call.step(chance);
    if (world.agents.ready().length === 0) world.connect();
    for (const line of [...world.lines]) deliverAll(world, line);
    await world.settle();
    const open = requests.some(({ visitor }) => /^(waiting|reading)$/.test(visitor.ending));
    const { exchanges, waiting } = world.link.load;
    const lines = world.lines.filter((line) => line.deafSince === null);
    const busy = lines.some(
      ({ toAgent, toEdge, server }) => toAgent.length + toEdge.length + server.session.size > 0,
    );
    if (!open && !busy && exchanges + waiting === 0) return;
    if (round % 50 === 49) world.advance(limits.linkTickMs);
  }
  throw new Error("it never came to rest");
}

function deliverAll(world: World, line: Line): void {
  if (line.deafSince !== null) return;
  while (line.toAgent.length > 0) world.deliverToAgent(line);
  while (line.toEdge.length > 0) world.deliverToEdge(line);
}

function sameBytes(pieces: readonly Uint8Array[], start: number, length: number): boolean {
  return Buffer.concat(pieces).equals(content(start, length));
}

/** What must hold of one request, whatever happened on the way. */
function judge({ path, method, visitor, upload, script }: Request, calls: readonly Call[]): void {
  const mine = calls.filter((call) => call.path === path);
  expect(mine.length, "a request with effects reaches the service once").toBeLessThanOrEqual(
    method === "GET" ? 2 : 1,
  );
  if (visitor.ending === "complete") {
    expect(visitor.status).toBe(script.status);
    expect(script.breakAfter, "a broken response is never a clean end").toBeNull();
    expect(script.announced ?? script.length, "nor is one of a wrong length").toBe(script.length);
    expect(sameBytes(visitor.received, script.start, script.length)).toBe(true);
  } else {
    const got = Buffer.concat(visitor.received);
    expect(got.equals(content(script.start, got.length)), "what came was a beginning").toBe(true);
  }
  for (const call of mine) {
    const got = Buffer.concat(call.received);
    if (upload === null) expect(got.length).toBe(0);
    else if (call.upload === "complete") {
      expect(sameBytes(call.received, upload.start, upload.length), "a whole upload").toBe(true);
    } else expect(got.equals(content(upload.start, got.length))).toBe(true);
  }
}

async function history(seed: number): Promise<Record<string, number>> {
  const chance = new Chance(seed);
  const world = new World(chance);
  const requests: Request[] = [];
  const programs = 1 + chance.below(limits.agentsPerDevice);
  for (let program = 0; program < programs; program++) if (chance.is(0.9)) world.connect(program);
  for (let count = 0; count < STEPS; count++) {
    await step(world, chance, requests, programs);
    if (chance.is(0.5)) await world.settle();
  }
  await quiesce(world, chance, requests);
  expect(world.protocolErrors).toEqual([]);
  const endings: Record<string, number> = {};
  for (const request of requests) {
    judge(request, world.calls);
    endings[request.visitor.ending] = (endings[request.visitor.ending] ?? 0) + 1;
  }
  const { exchanges, waiting, sessions } = world.link.load;
  expect({ exchanges, waiting }).toEqual({ exchanges: 0, waiting: 0 });
  expect(sessions.filter((session) => session.size > 0)).toEqual([]);
  for (const line of world.lines) if (line.deafSince === null) checkWindows(world, line);
  return endings;
}

/** Every byte of credit is somewhere: with the sender, or with the receiver who still owes it. */
function checkWindows(world: World, line: Line): void {
  const edge = world.link.sessionOn(line.socket)?.windows;
  if (edge === undefined) return;
  const agent = line.server.session.windows;
  expect([edge.held, agent.held]).toEqual([0, 0]);
  expect(edge.send + agent.owed).toBe(limits.linkConnectionWindowBytes);
  expect(agent.send + edge.owed).toBe(limits.linkConnectionWindowBytes);
}

describe("Link under chance", () => {
  it(`keeps every body whole or broken, never short, in ${HISTORIES} histories`, async () => {
    const seen: Record<string, number> = {};
    for (let seed = FIRST_SEED; seed < FIRST_SEED + HISTORIES; seed++) {
      const endings = await history(seed).catch((error: unknown) => {
        throw new Error(`seed ${seed}`, { cause: error });
      });
      for (const [ending, count] of Object.entries(endings)) {
        seen[ending] = (seen[ending] ?? 0) + count;
      }
    }
    // The histories must have been eventful, or they prove nothing.
    for (const ending of ["complete", "error", "left", "refused failed", "refused offline"]) {
      expect(seen[ending] ?? 0, ending).toBeGreaterThan(HISTORIES / 100);
    }
  }, 300_000);
});
