/**
 * Histories of Link under chance: visitors come, read, upload and leave; messages wait; the device
 * drops and returns; the object forgets. Whatever happens, no body is lost, doubled or cut short
 * without an error, and nothing is left behind.
 */

import { describe, expect, it } from "vitest";
import { limits } from "../../../protocol/limits.ts";
import { type Asked, checkWindows, judge, randomRequest } from "../../support/link-history.ts";
import { Chance, type Line, World } from "../../support/link-world.ts";

/** `LINK_HISTORIES` runs more of them (CONTRIBUTING.md), from the seed `LINK_SEED`. */
const HISTORIES = Number(process.env.LINK_HISTORIES ?? 2000);
const FIRST_SEED = Number(process.env.LINK_SEED ?? 1);
const STEPS = 60;

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
  requests: Asked[],
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
async function quiesce(world: World, chance: Chance, requests: Asked[]): Promise<void> {
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

async function history(seed: number): Promise<Record<string, number>> {
  const chance = new Chance(seed);
  const world = new World(chance);
  const requests: Asked[] = [];
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
