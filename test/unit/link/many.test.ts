/** Several programs of one box: who is let in, who relieves whom, and where a visitor's request goes. */

import { beforeEach, describe, expect, it } from "vitest";
import { agentHeader, greetingText, parseGreeting } from "../../../protocol/agent.ts";
import { limits } from "../../../protocol/limits.ts";
import { resetCode } from "../../../protocol/link/frames.ts";
import { Session } from "../../../protocol/link/session.ts";
import { Chance, type Line, Visitor, World } from "../../support/link-world.ts";

let world: World;
const chance = new Chance(3);

beforeEach(() => {
  world = new World(new Chance(1));
  for (const path of ["/", "/1", "/2", "/3", "/4", "/5", "/6", "/7", "/8"]) {
    world.scripts.set(path, {
      status: 200,
      start: 0,
      length: 10,
      announced: null,
      breakAfter: null,
      readsBody: true,
    });
  }
});

function ask(path: string, method = "GET"): Visitor {
  const visitor = new Visitor();
  void visitor.ask(world, path, method, null);
  return visitor;
}

const load = () => world.lines.map((line) => world.link.streamsOf(line.socket));
const lineOf = (program: number) => world.lines.filter((line) => line.program === program);
const [first, last] = [() => world.lines[0] as Line, () => world.lines.at(-1) as Line];

/** Carries every message to its end; the local service answers while `answers`. */
async function flow(answers = true): Promise<void> {
  for (let round = 0; round < 10; round++) {
    await world.settle();
    for (const line of [...world.lines]) {
      while (line.toAgent.length > 0 && line.deafSince === null) world.deliverToAgent(line);
    }
    if (answers) for (const call of world.calls) await call.step(chance);
    await world.settle();
    for (const line of [...world.lines]) {
      while (line.toEdge.length > 0 && line.deafSince === null) world.deliverToEdge(line);
    }
  }
  await world.settle();
}

describe("who is connected", () => {
  it("are four programs at most; a fifth is told so, and gets in when one has gone", () => {
    for (let program = 0; program < limits.agentsPerDevice; program++) {
      expect(world.connect(program)).toBe("connected");
    }
    expect(world.connect(4)).toBe("too-many");
    expect(world.connect(3), "who is in may come anew").toBe("connected");
    expect(world.lines.length).toBe(limits.agentsPerDevice);
    world.disconnect(first());
    expect(world.connect(4)).toBe("connected");
  });

  it("is nobody who only seems to be: a silent connection takes no place", () => {
    for (let program = 0; program < limits.agentsPerDevice; program++) world.connect(program);
    first().deafSince = world.now;
    world.now += limits.agentStaleMs - 1;
    expect(world.connect(4)).toBe("too-many");
    expect(world.connect(4)).toBe("connected");
    expect(lineOf(0)).toEqual([]);
  });

  it("is the newest epoch of a program, and no older one comes back", () => {
    world.connect(0, 7);
    expect(world.connect(0, 7)).toBe("older");
    expect(world.connect(0, 6)).toBe("older");
    expect(world.connect(0, 8)).toBe("connected");
    expect(world.lines.map((line) => line.epoch)).toEqual([8]);
  });

  it("is not bound to end for a connection that drains, however many drain", async () => {
    for (let time = 0; time < 3 * limits.agentsPerDevice; time++) {
      expect(world.connect()).toBe("connected");
      ask("/1");
      world.link.goAway();
      await world.settle();
    }
    expect(world.lines.length).toBeLessThanOrEqual(limits.agentsPerDevice + 1);
  });

  it("says itself in one header, or not at all", () => {
    const greeting = { id: "a".repeat(22), epoch: 3 };
    expect(parseGreeting(greetingText(greeting))).toEqual(greeting);
    for (const text of ["", "short 1", `${greeting.id} 0`, `${greeting.id} x`, greeting.id]) {
      expect(parseGreeting(text), text).toBeNull();
    }
    const headers = { [agentHeader]: "nonsense" };
    const request = new Request("http://nas.test/", { headers });
    expect(world.agents.accept(request, "jti")).toBe("malformed");
  });
});

describe("where a request goes", () => {
  it("is the connection with the least on its way", async () => {
    for (const program of [0, 1, 2, 3]) world.connect(program);
    for (let at = 1; at <= 8; at++) ask(`/${at}`);
    expect(load()).toEqual([2, 2, 2, 2]);
    await flow();
    expect(load()).toEqual([0, 0, 0, 0]);
  });

  it("is another connection at once when its own went before a head", async () => {
    world.connect(0);
    world.connect(1);
    const visitor = ask("/1");
    await flow(false);
    world.disconnect(last());
    await flow();
    visitor.read();
    await flow();
    visitor.read();
    await flow();
    expect([visitor.status, visitor.ending]).toEqual([200, "complete"]);
    expect(world.calls.length).toBe(2);
  });

  it("is nowhere a second time when it was no GET or HEAD", async () => {
    world.connect(0);
    world.connect(1);
    const visitor = ask("/1", "DELETE");
    await flow(false);
    world.disconnect(last());
    await flow();
    expect([visitor.ending, world.calls.length]).toEqual(["refused failed", 1]);
  });

  it("is an error, not another connection, when a head had come", async () => {
    world.connect(0);
    world.connect(1);
    const visitor = ask("/1");
    await flow(false);
    await world.calls[0]?.step(chance); // the head and no body yet
    for (let round = 0; round < 3; round++) {
      await world.settle();
      while (last().toEdge.length > 0) world.deliverToEdge(last());
    }
    await world.settle();
    expect(visitor.ending).toBe("reading");
    world.disconnect(last());
    visitor.read();
    await flow();
    expect([visitor.status, visitor.ending, world.calls.length]).toEqual([200, "error", 1]);
  });
});

describe("a connection that drains", () => {
  it("takes nobody new, finishes what lives, and is closed when that is over", async () => {
    world.connect(0);
    const living = ask("/1");
    await flow(false);
    const [old] = world.lines as [Line];
    world.leave(old);
    await flow(false);
    expect(world.lines).toContain(old);
    const held = ask("/2");
    const refused = ask("/3", "DELETE");
    await world.settle();
    expect([held.ending, refused.ending]).toEqual(["waiting", "refused offline"]);
    world.connect(1);
    await flow();
    for (const visitor of [living, held]) {
      visitor.read();
      await flow();
      visitor.read();
      await flow();
      expect(visitor.ending).toBe("complete");
    }
    expect(world.lines.map((line) => line.program)).toEqual([1]);
  });

  it("is closed at once when nothing lives on it", async () => {
    world.connect();
    world.leave(first());
    await flow();
    expect(world.lines).toEqual([]);
  });

  it("is not waited for longer than the limit", async () => {
    world.connect();
    const visitor = ask("/1");
    await flow(false);
    await world.calls[0]?.step(chance); // the head; its body never comes
    await flow(false);
    world.leave(first());
    await flow(false);
    for (let at = 0; at <= limits.linkDrainMs; at += limits.linkTickMs) {
      world.advance(limits.linkTickMs);
      await flow(false);
    }
    visitor.read();
    await flow(false);
    expect([world.lines, visitor.ending]).toEqual([[], "error"]);
  });

  it("serves on until the other one, which we asked for, is there, and ends nothing then", async () => {
    world.connect();
    const [old] = world.lines as [Line];
    const before = ask("/1");
    world.link.goAway();
    const between = ask("/2");
    await flow(false);
    expect(load()).toEqual([2]);
    world.connect();
    const after = ask("/3");
    await world.settle();
    expect(load()).toEqual([2, 1]);
    await flow();
    for (const visitor of [before, between, after]) {
      visitor.read();
      await flow();
      visitor.read();
      await flow();
      expect(visitor.ending).toBe("complete");
    }
    expect(world.lines).not.toContain(old);
    expect(world.calls.length).toBe(3);
  });

  it("is relieved without an end also when the object has slept in between", async () => {
    world.connect();
    world.link.goAway();
    await flow();
    world.hibernate();
    const visitor = ask("/1");
    await flow(false);
    world.connect();
    await flow(false);
    expect(load()).toEqual([1, 0]);
    await flow();
    visitor.read();
    await flow();
    visitor.read();
    await flow();
    expect([visitor.ending, world.calls.length, load()]).toEqual(["complete", 1, [0]]);
  });
});

describe("a connection that falls silent without a word", () => {
  it("is asked for a sign of life while somebody waits, and given up without one", async () => {
    world.connect(0);
    world.connect(1);
    const visitor = ask("/1");
    await flow(false);
    last().deafSince = world.now;
    for (let at = 0; at < 2 * limits.linkProbeMs; at += limits.linkTickMs) {
      expect(visitor.ending).toBe("waiting");
      world.advance(limits.linkTickMs);
      await flow(false);
    }
    await flow();
    visitor.read();
    await flow();
    visitor.read();
    await flow();
    expect([visitor.ending, lineOf(1)]).toEqual(["complete", []]);
  });

  it("is kept while it answers, however slow its service is", async () => {
    world.connect();
    const visitor = ask("/1");
    await flow(false);
    for (let at = 0; at < 5 * limits.linkProbeMs; at += limits.linkTickMs) {
      world.advance(limits.linkTickMs);
      await flow(false);
    }
    expect([visitor.ending, world.lines.length]).toEqual(["waiting", 1]);
  });
});

it("a connection whose stream identifiers run low is to be replaced", () => {
  const port = {
    send: () => undefined,
    bufferedBytes: () => 0,
    soon: () => undefined,
    later: () => undefined,
    onProtocolError: () => undefined,
  };
  const handler = {
    head: () => true,
    data: () => undefined,
    end: () => undefined,
    reset: () => undefined,
    drain: () => undefined,
  };
  const session = new Session(port, { firstId: 0xffff_fffe - 2 * limits.linkStreams - 3 });
  expect(session.isWornOut).toBe(false);
  session.open(new Uint8Array(2), true, handler).reset(resetCode.cancel);
  session.open(new Uint8Array(2), true, handler).reset(resetCode.cancel);
  expect([session.isWornOut, session.isFull]).toEqual([true, false]);
});
