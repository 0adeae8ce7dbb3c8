/** When requests leave for the device: at once where nothing is under way, else in company. */

import { beforeEach, describe, expect, it } from "vitest";
import { limits } from "../../../protocol/limits.ts";
import { decodeMessage, frameType } from "../../../protocol/link/frames.ts";
import { Outbox } from "../../../protocol/link/outbox.ts";
import { Chance, shortAnswer as script, World } from "../../support/link-world.ts";

let world: World;

beforeEach(async () => {
  world = new World(new Chance(1));
  world.scripts.set("/", script);
  world.connect();
  ask();
  await world.settle();
  expect(opened()).toEqual([1]);
  world.advance(10 * limits.linkGatherMs); // its answer takes long
});

function ask(): void {
  const request = new Request("http://nas.link.test/");
  void world.link.relay(request, "acc_home_0000000000000000");
}

/** How many streams each message opens that is on its way. */
function opened(): number[] {
  return world.toAgent.map((message) => {
    let opens = 0;
    decodeMessage(message.slice(), (type) => {
      if (type === frameType.open) opens++;
      return null;
    });
    return opens;
  });
}

describe("requests that come together", () => {
  it("leave one by one while nothing is heard for long", async () => {
    ask();
    await world.settle();
    expect(opened()).toEqual([1, 1]);
    world.advance(2 * limits.linkGatherMs);
    ask();
    await world.settle();
    expect(opened()).toEqual([1, 1, 1]);
  });

  it("share a message when one has just left, and wait no longer than the limit", async () => {
    ask();
    await world.settle();
    for (let nth = 0; nth < 5; nth++) ask();
    await world.settle();
    expect(opened(), "they wait").toEqual([1, 1]);
    world.advance(limits.linkGatherMs);
    await world.settle();
    expect(opened()).toEqual([1, 1, 5]);
    expect(world.timers, "the tick alone").toBe(1);
  });

  it("leave together as soon as the device says anything", async () => {
    ask();
    await world.settle();
    for (let nth = 0; nth < 3; nth++) ask();
    world.deliverToAgent();
    await world.settle();
    world.deliverToEdge(); // HELLO
    await world.settle();
    expect(opened()).toEqual([1, 3]);
    expect(world.timers, "the tick alone").toBe(1);
  });

  it("do not wait behind an answer", async () => {
    ask();
    await world.settle();
    world.deliverToAgent();
    await world.settle();
    world.deliverToEdge();
    await world.settle();
    ask();
    await world.settle();
    expect(opened()).toEqual([1, 1]);
  });

  it("are given up with their connection", async () => {
    ask();
    await world.settle();
    const request = new Request("http://nas.link.test/", { method: "POST" });
    const asked = world.link.relay(request, "acc_home_0000000000000000");
    await world.settle();
    world.disconnect();
    await world.settle();
    world.advance(limits.linkGatherMs);
    expect((await asked).status).toBe(502);
  });
});

describe("a stream that is opened while a message leaves", () => {
  it("keeps none that is opened later waiting", () => {
    const waiting: (() => void)[] = [];
    const opens: number[] = [];
    const outbox = new Outbox(
      {
        send: (message, sent) => {
          decodeMessage(message, (type, _end, id) => {
            if (type === frameType.open) opens.push(id);
            return null;
          });
          if (opens.length === 1) outbox.open(3, new Uint8Array(2), true);
          waiting.length = 0; // what waited went along
          sent();
        },
        bufferedBytes: () => 0,
        soon: (work) => void waiting.push(work),
        gather: (work) => void waiting.push(work),
        later: (work) => void waiting.push(work),
      },
      () => undefined,
    );
    for (const id of [1, 5]) {
      outbox.open(id, new Uint8Array(2), true);
      for (const work of waiting.splice(0)) work();
    }
    expect(opens).toEqual([1, 3, 5]);
  });
});
