/** What happens in a history of Link and what must hold of it, for the simulations of test/unit/link. */

import { expect } from "vitest";
import { limits } from "../../protocol/limits.ts";
import {
  type Call,
  type Chance,
  content,
  type Line,
  MAX_BODY,
  MAX_START,
  type Script,
  Upload,
  Visitor,
  type World,
} from "./link-world.ts";

/** One visitor's request, and how it is answered. */
export interface Asked {
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

export function randomRequest(world: World, chance: Chance, number: number): Asked {
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

function sameBytes(pieces: readonly Uint8Array[], start: number, length: number): boolean {
  return Buffer.concat(pieces).equals(content(start, length));
}

/** What must hold of one request, whatever happened on the way. */
export function judge(
  { path, method, visitor, upload, script }: Asked,
  calls: readonly Call[],
): void {
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

/** Every byte of credit is somewhere: with the sender, or with the receiver who still owes it. */
export function checkWindows(world: World, line: Line): void {
  const edge = world.link.sessionOn(line.socket)?.windows;
  if (edge === undefined) return;
  const agent = line.server.session.windows;
  expect([edge.held, agent.held]).toEqual([0, 0]);
  expect(edge.send + agent.owed).toBe(limits.linkConnectionWindowBytes);
  expect(agent.send + edge.owed).toBe(limits.linkConnectionWindowBytes);
}
