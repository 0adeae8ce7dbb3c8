/** Link's waits, on a clock in the test's hand: for a device, for a head, for somebody who left. */

import { beforeEach, describe, expect, it } from "vitest";
import { doorHeader } from "../../../durable-objects/device/door.ts";
import { peerHeader } from "../../../durable-objects/device/rpc.ts";
import { limits } from "../../../protocol/limits.ts";
import { Chance, shortAnswer as script, Upload, Visitor, World } from "../../support/link-world.ts";

const person = "acc_home_0000000000000000";
const chance = new Chance(1);
let world: World;

beforeEach(() => {
  world = new World(new Chance(1));
  world.scripts.set("/", script);
});

/** Asks, and says how it ended. */
function ask(method = "GET", signal?: AbortSignal, peer = "192.0.2.1"): Promise<string> {
  const headers = { [peerHeader]: peer };
  const init = signal === undefined ? { method, headers } : { method, headers, signal };
  return world.link
    .relay(new Request("http://nas.link.test/", init), person)
    .then((response) => response.headers.get(doorHeader) ?? String(response.status));
}

/** How far a promise is. */
async function state(promise: Promise<string>): Promise<string> {
  await world.settle();
  return await Promise.race([promise, Promise.resolve("waiting")]);
}

/** Carries every message to its end, and lets the local service finish. */
async function flow(): Promise<void> {
  for (let round = 0; round < 10; round++) {
    await world.settle();
    while (world.toAgent.length > 0) world.deliverToAgent();
    for (const call of world.calls) await call.step(chance);
    await world.settle();
    while (world.toEdge.length > 0) world.deliverToEdge();
  }
  await world.settle();
}

describe("an offline device", () => {
  it("is waited for as long as the limit says, not longer", async () => {
    const asked = ask();
    world.advance(limits.linkHoldOfflineMs - 1);
    expect(await state(asked)).toBe("waiting");
    world.advance(1);
    expect(await state(asked)).toBe("offline");
    expect(world.link.load).toMatchObject({ exchanges: 0, waiting: 0 });
  });

  it.each(["POST", "PUT", "DELETE", "OPTIONS"])("is not waited for by %s", async (method) => {
    expect(await state(ask(method))).toBe("offline");
  });

  it("is not waited for by somebody who may no longer enter", async () => {
    const asked = ask();
    world.link.keepOnly((visitor) => visitor !== person);
    expect(await state(asked)).toBe("offline");
  });

  it("gets no request of a visitor who left while it was away", async () => {
    const leaving = new AbortController();
    const asked = ask("GET", leaving.signal);
    leaving.abort();
    world.connect();
    expect(await state(asked)).toBe("failed");
    expect(world.toAgent).toEqual([]);
  });
});

describe("a device that drops before its head", () => {
  it("is asked a second time and no third", async () => {
    world.connect();
    const asked = ask();
    for (let drop = 0; drop < 2; drop++) {
      await world.settle();
      world.disconnect();
      await world.settle();
      world.connect();
    }
    expect(await state(asked)).toBe("failed");
  });

  it("is given up when it does not come back in time", async () => {
    world.connect();
    const asked = ask();
    await world.settle();
    world.disconnect();
    expect(await state(asked)).toBe("waiting");
    world.advance(limits.linkHoldOfflineMs);
    expect(await state(asked)).toBe("failed");
  });
});

describe("a device that connects anew while its older connection still seems to live", () => {
  it("is asked again on the new connection, at once", async () => {
    world.connect();
    const asked = ask();
    await world.settle();
    world.replace();
    await flow();
    expect(await state(asked)).toBe("200");
    expect(world.link.load.waiting).toBe(0);
  });

  it("is not asked again for what may have happened", async () => {
    world.connect();
    const asked = ask("POST");
    await world.settle();
    world.replace();
    await flow();
    expect(await state(asked)).toBe("failed");
    expect(world.calls).toEqual([]);
  });
});

describe("a connection that has gone deaf", () => {
  /** Asks while the device's only socket is one that nobody has heard of for too long. */
  const askDeaf = (method = "GET") => {
    if (world.line !== null && world.line.deafSince === null) {
      world.line.deafSince = world.now;
      world.now += limits.agentStaleMs + 1;
    }
    return world.link
      .relay(new Request("http://nas.link.test/", { method }), person)
      .then((response) => response.headers.get(doorHeader) ?? String(response.status));
  };

  it("is not trusted for having carried requests before", async () => {
    world.connect();
    const before = ask();
    await flow();
    expect(await before).toBe("200");
    expect(await state(askDeaf("POST"))).toBe("offline");
    const asked = askDeaf();
    expect(await state(asked)).toBe("waiting");
    world.replace();
    await flow();
    expect(await state(asked)).toBe("200");
  });

  it("holds nobody who asked while it could still hear", async () => {
    world.connect();
    const asked = ask();
    await world.settle();
    expect(await state(askDeaf("POST"))).toBe("offline");
    world.replace();
    await flow();
    expect(await state(asked)).toBe("200");
  });
});

describe("a device that does not answer", () => {
  it("is given up after the limit, and told so", async () => {
    world.connect();
    const asked = ask();
    await world.settle();
    while (world.toAgent.length > 0) world.deliverToAgent();
    expect(world.calls.length).toBe(1);
    world.advance(limits.linkHeadMs - 1);
    expect(await state(asked)).toBe("waiting");
    world.advance(limits.linkTickMs);
    expect(await state(asked)).toBe("timeout");
    world.deliverToAgent();
    expect(world.calls[0]?.state).toBe("aborted");
    expect(world.server?.session.size).toBe(0);
  });

  it("has all the time an upload takes", async () => {
    world.connect();
    const upload = new Upload(0, 200_000);
    const visitor = new Visitor();
    void visitor.ask(world, "/", "POST", upload);
    await world.settle();
    for (let given = 0; given < 3; given++) {
      world.advance(limits.linkUploadIdleMs - 1);
      await world.settle();
      expect(visitor.ending).toBe("waiting");
      upload.give(new Chance(5));
      await world.settle();
    }
    world.advance(limits.linkHeadMs + limits.linkTickMs);
    await world.settle();
    expect(visitor.ending).toBe("refused timeout");
  });
});

describe("a busy device", () => {
  it("gets no more streams than the limit, and takes more when they end", async () => {
    world.connect();
    const all = Array.from({ length: limits.linkStreams }, (_, at) =>
      ask("GET", undefined, `192.0.2.${at}`),
    );
    expect(await state(ask())).toBe("busy");
    await flow();
    expect(new Set(await Promise.all(all))).toEqual(new Set(["200"]));
    const next = ask();
    await flow();
    expect(await next).toBe("200");
  });
});

describe("a visitor", () => {
  it.each([
    ["an address", () => "192.0.2.1"],
    ["an IPv6 network", (at: number) => `2001:db8::${at.toString(16)}`],
    ["no known address", () => ""],
  ])("of %s holds its share of the streams and leaves the others theirs", async (_name, peer) => {
    world.connect();
    const greedy = Array.from({ length: limits.linkStreamsPerVisitor }, (_, at) =>
      ask("POST", undefined, peer(at)),
    );
    expect(await state(ask("POST", undefined, peer(0xffff)))).toBe("busy");
    const other = ask("POST", undefined, "192.0.2.2");
    await flow();
    expect([await other, ...(await Promise.all(greedy))].every((end) => end === "200")).toBe(true);
  });

  it("who stops in the middle of an upload is given up, and the device told", async () => {
    world.connect();
    const upload = new Upload(0, 200_000);
    const visitor = new Visitor();
    void visitor.ask(world, "/", "POST", upload);
    await world.settle();
    upload.give(new Chance(5));
    await world.settle();
    while (world.toAgent.length > 0) world.deliverToAgent();
    world.advance(limits.linkUploadIdleMs - 1);
    await world.settle();
    expect(visitor.ending).toBe("waiting");
    world.advance(limits.linkTickMs);
    await world.settle();
    while (world.toAgent.length > 0) world.deliverToAgent();
    expect(visitor.ending).toBe("refused stalled");
    expect(world.calls[0]?.state).toBe("aborted");
    expect([world.link.load.exchanges, world.server?.session.size, world.timers]).toEqual([
      0, 0, 0,
    ]);
  });

  /** A visitor with the first piece of a long response, who has read all that came so far. */
  async function reading(): Promise<Visitor> {
    world.scripts.set("/", { ...script, length: 600_000, announced: 600_000 });
    world.connect();
    const visitor = new Visitor();
    void visitor.ask(world, "/", "GET", null);
    await flow();
    return visitor;
  }

  it("who pauses is waited for, and one who never reads again is not for ever", async () => {
    const visitor = await reading();
    world.advance(limits.linkUntakenMs - 1);
    await flow();
    expect(visitor.ending).toBe("reading");
    visitor.read();
    await flow();
    world.advance(limits.linkUntakenMs - 1);
    await flow();
    expect([visitor.ending, world.link.load.exchanges]).toEqual(["reading", 1]);
    world.advance(limits.linkTickMs);
    await flow();
    for (let read = 0; read < 3; read++) {
      visitor.read();
      await flow();
    }
    expect([visitor.ending, world.link.load.exchanges]).toEqual(["error", 0]);
    expect(world.server?.session.size).toBe(0);
  });

  it("who has read everything waits for what comes next as long as they like", async () => {
    world.connect();
    const visitor = new Visitor();
    void visitor.ask(world, "/", "GET", null);
    await world.settle();
    while (world.toAgent.length > 0) world.deliverToAgent();
    await world.calls[0]?.step(chance); // the head; the body is still to come
    await world.settle();
    while (world.toEdge.length > 0) world.deliverToEdge();
    await world.settle();
    visitor.read();
    await world.settle();
    for (let hour = 0; hour < 48; hour++) {
      world.advance(2 * limits.linkUntakenMs);
      await world.settle();
      world.deliverToAgent(); // the device is asked now and then whether it is still there
      await world.settle();
      world.deliverToEdge();
    }
    await flow();
    visitor.read();
    await flow();
    expect([visitor.status, visitor.ending]).toEqual([200, "complete"]);
  });
});

describe("a device that does not take an upload", () => {
  it("is given up in the end", async () => {
    world.connect();
    world.scripts.set("/", { ...script, readsBody: true });
    const upload = new Upload(0, 600_000);
    const visitor = new Visitor();
    void visitor.ask(world, "/", "POST", upload);
    await world.settle();
    while (world.toAgent.length > 0) world.deliverToAgent(); // and its service reads nothing
    for (let given = 0; given < 20; given++) {
      upload.give(new Chance(5));
      await world.settle();
      while (world.toAgent.length > 0) world.deliverToAgent();
    }
    world.advance(limits.linkUntakenMs - 1);
    await world.settle();
    expect(visitor.ending).toBe("waiting");
    world.advance(limits.linkTickMs);
    await world.settle();
    expect(visitor.ending).toBe("refused timeout");
  });
});

describe("an answer that comes before the question is complete", () => {
  it("ends the upload", async () => {
    world.connect();
    world.scripts.set("/", { ...script, readsBody: false, status: 413 });
    const upload = new Upload(0, 5000);
    const visitor = new Visitor();
    void visitor.ask(world, "/", "POST", upload);
    await flow();
    visitor.read();
    await flow();
    visitor.read();
    await flow();
    expect([visitor.status, visitor.ending]).toEqual([413, "complete"]);
    expect(world.link.load.exchanges).toBe(0);
    expect(world.server?.session.size).toBe(0);
  });
});

describe("a timer", () => {
  it("does not run while nobody waits, so that the object can sleep", async () => {
    world.connect();
    const visitor = new Visitor();
    void visitor.ask(world, "/", "GET", null);
    await flow();
    expect(world.timers).toBe(1);
    visitor.leave();
    await flow();
    world.advance(limits.linkTickMs);
    expect(world.timers).toBe(0);
  });
});
