/** Link's waits, on a clock in the test's hand: for a device, for a head, for somebody who left. */

import { beforeEach, describe, expect, it } from "vitest";
import { doorHeader } from "../../../durable-objects/device/door.ts";
import { limits } from "../../../protocol/limits.ts";
import { Chance, type Script, Upload, Visitor, World } from "../../support/link-world.ts";

const script: Script = {
  status: 200,
  start: 0,
  length: 10,
  announced: 10,
  breakAfter: null,
  readsBody: true,
};
const person = "acc_home_0000000000000000";
const chance = new Chance(1);
let world: World;

beforeEach(() => {
  world = new World(new Chance(1));
  world.scripts.set("/", script);
});

/** Asks, and says how it ended. */
function ask(method = "GET", signal?: AbortSignal): Promise<string> {
  const init = signal === undefined ? { method } : { method, signal };
  return world.link
    .relay(new Request("http://nas.link.test/", init), () => world.socket, person)
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
  const askDeaf = (method = "GET") =>
    world.link
      .relay(new Request("http://nas.link.test/", { method }), () => null, person)
      .then((response) => response.headers.get(doorHeader) ?? String(response.status));

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
    const upload = new Upload(0, 3);
    const visitor = new Visitor();
    void visitor.ask(world, "/", "POST", upload);
    await world.settle();
    world.advance(limits.linkHeadMs * 3);
    await world.settle();
    expect(visitor.ending).toBe("waiting");
    upload.give(new Chance(5));
    upload.give(new Chance(5));
    upload.give(new Chance(5));
    await world.settle();
    world.advance(limits.linkHeadMs + limits.linkTickMs);
    await world.settle();
    expect(visitor.ending).toBe("refused timeout");
  });
});

describe("a busy device", () => {
  it("gets no more streams than the limit, and takes more when they end", async () => {
    world.connect();
    const all = Array.from({ length: limits.linkStreams }, () => ask());
    expect(await state(ask())).toBe("busy");
    await flow();
    expect(new Set(await Promise.all(all))).toEqual(new Set(["200"]));
    const next = ask();
    await flow();
    expect(await next).toBe("200");
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
