/**
 * Contacts over two regions: whatever two people do, in whatever order and wherever it is cut short,
 * both sides end up telling the same, and nobody sees what they should not.
 */

import fc from "fast-check";
import { beforeAll, beforeEach, describe, expect, it } from "vitest";
import { limits } from "../../protocol/limits.ts";
import { listActivity } from "../../workers/account/activity.ts";
import {
  acceptContact,
  askContact,
  blockPerson,
  declineContact,
  knownPeople,
  removeContact,
  unblockPerson,
} from "../../workers/people/contacts.ts";
import { visibleOfKnown, visibleProfile } from "../../workers/people/visible.ts";
import type { Ports } from "../../workers/ports.ts";
import { eraseAccount } from "../../workers/privacy/erase.ts";
import { Problem } from "../../workers/problem.ts";
import { countQueries, type TestPorts } from "../support/ports.ts";
import {
  addRegion,
  bindings,
  client,
  gated,
  newPerson,
  nobody,
  say,
  twoRegions,
} from "./people-support.ts";

const UNLIMITED = { take: async () => true };
let test: TestPorts;
let ports: Ports;

beforeAll(addRegion);
beforeEach(() => {
  test = twoRegions();
  ports = { ...test.ports, limits: UNLIMITED };
});

const acts = {
  ask: (on: Ports, me: string, other: string) => askContact(on, me, other, client),
  accept: (on: Ports, me: string, other: string) => acceptContact(on, me, other, client),
  decline: (on: Ports, me: string, other: string) => declineContact(on, me, other),
  remove: (on: Ports, me: string, other: string) => removeContact(on, me, other, client),
  block: (on: Ports, me: string, other: string) => blockPerson(on, me, other, client),
  unblock: (on: Ports, me: string, other: string) => unblockPerson(on, me, other),
} as const;
type Act = keyof typeof acts;
const actNames = Object.keys(acts) as Act[];

/** What the person sees of the other: a relation, or nothing. */
async function relation(me: string, other: string): Promise<string> {
  const known = await knownPeople(ports, me);
  return known.find(({ accountId }) => accountId === other)?.relation ?? "none";
}

const nameSeen = async (viewer: string, of: string) =>
  (await visibleProfile(ports, viewer, of))?.fields.name ?? null;

/** True when the act was done, false when it was refused. */
async function done(work: Promise<void>): Promise<boolean> {
  try {
    await work;
    return true;
  } catch (error) {
    if (!(error instanceof Problem)) throw error;
    return false;
  }
}

async function pair(): Promise<[string, string]> {
  const people = [await newPerson("home"), await newPerson("eu")] as [string, string];
  for (const id of people) await say(ports, id, "name", `name of ${id}`, "contacts");
  return people;
}

describe("contacts", () => {
  it("come to be when both agree, and are seen by both", async () => {
    const [a, b] = await pair();
    await acts.ask(ports, a, b);
    expect([await relation(a, b), await relation(b, a)]).toEqual(["asked", "asking"]);
    expect([await nameSeen(a, b), await nameSeen(b, a)]).toEqual([null, null]);
    await acts.accept(ports, b, a);
    expect([await relation(a, b), await relation(b, a)]).toEqual(["contact", "contact"]);
    expect([await nameSeen(a, b), await nameSeen(b, a)]).toEqual([`name of ${b}`, `name of ${a}`]);
    const seen = await visibleOfKnown(ports, a, await knownPeople(ports, a));
    expect(seen.get(b)?.fields.name).toBe(`name of ${b}`);
    await acts.remove(ports, a, b);
    expect([await relation(a, b), await relation(b, a)]).toEqual(["none", "none"]);
    expect([await nameSeen(a, b), await nameSeen(b, a)]).toEqual([null, null]);
    const events = (await listActivity(ports, a)).map(({ event, about }) => [event, about]);
    expect(events.map(([event]) => event).sort()).toEqual(["contact-asked", "contact-removed"]);
    expect(events.every(([, about]) => about === b)).toBe(true);
  });

  it("are not found by anything but a whole identifier of somebody else", async () => {
    const [a, b] = await pair();
    const wrong = [
      "",
      "mara",
      b.slice(0, -1),
      `${b} `,
      b.toUpperCase(),
      "dev_home_0000000000000000",
    ];
    for (const id of wrong) {
      await expect(acts.ask(ports, a, id)).rejects.toMatchObject({ code: "id-syntax" });
    }
    await expect(acts.ask(ports, a, a)).rejects.toMatchObject({ code: "own-id" });
    await acts.block(ports, a, b);
    await expect(acts.ask(ports, a, b)).rejects.toMatchObject({ code: "blocked-by-you" });
    await expect(acts.accept(ports, a, b)).rejects.toMatchObject({ code: "not-found" });
    await expect(acts.decline(ports, a, b)).rejects.toMatchObject({ code: "not-found" });
  });

  it("[ACC-9] asking says and costs the same for somebody, nobody, a contact and who blocked", async () => {
    const asker = await newPerson("home");
    const kinds: Record<string, string> = {
      somebody: await newPerson("eu"),
      nobody: nobody("eu"),
      "of no region": nobody("mars"),
      blocked: await newPerson("eu"),
      declined: await newPerson("eu"),
      contact: await newPerson("eu"),
    };
    await acts.block(ports, kinds.blocked as string, asker);
    for (const kind of ["declined", "contact"]) await acts.ask(ports, asker, kinds[kind] as string);
    await acts.decline(ports, kinds.declined as string, asker);
    await acts.accept(ports, kinds.contact as string, asker);
    const count = countQueries(bindings.DB_HOME);
    const costs = new Set<number>();
    for (const [kind, id] of Object.entries(kinds)) {
      const before = count();
      expect([kind, await acts.ask(ports, asker, id)]).toEqual([kind, undefined]);
      costs.add(count() - before);
      const [first] = await listActivity(ports, asker);
      expect(first).toMatchObject({ event: "contact-asked" });
    }
    expect(costs.size).toBe(1);
    const known = await knownPeople(ports, asker);
    const { contact, ...others } = kinds;
    for (const [kind, id] of Object.entries(others)) {
      const { since, ...row } = known.find(({ accountId }) => accountId === id) ?? { since: 0 };
      const { theirs: _, ...shown } = row as { theirs?: unknown };
      const expiresAt = since + limits.contactAskMs;
      expect([kind, shown]).toEqual([kind, { accountId: id, relation: "asked", expiresAt }]);
    }
    expect(await relation(asker, contact as string)).toBe("contact");
    // To be removed, an ask that nobody got looks like any other, too.
    for (const id of Object.values(others)) await acts.remove(ports, asker, id);
    expect(await knownPeople(ports, asker)).toHaveLength(1);
  });

  it("are asked for a limited number of times, and as many as fit", async () => {
    const asker = await newPerson();
    for (let n = 0; n < limits.contactAsksPerAccount; n++) {
      await askContact(test.ports, asker, nobody(), client);
    }
    const next = askContact(test.ports, asker, nobody(), client);
    await expect(next).rejects.toMatchObject({ code: "too-many-tries" });
    test.clock.advance(limits.contactAskWindowMs);
    await askContact(test.ports, asker, nobody(), client);
  });

  it("[ACC-9] an ask that nobody answers ends, on both sides", async () => {
    const [a, b] = await pair();
    await acts.ask(ports, a, b);
    test.clock.advance(limits.contactAskMs);
    expect([await relation(a, b), await relation(b, a)]).toEqual(["none", "none"]);
    expect(await done(acts.accept(ports, b, a))).toBe(false);
    await acts.ask(ports, b, a);
    expect([await relation(a, b), await relation(b, a)]).toEqual(["asking", "asked"]);
    expect(await nameSeen(b, a)).toBeNull();
  });

  it("a no is not asked again, and whoever asked cannot tell", async () => {
    const [a, b] = await pair();
    await acts.ask(ports, a, b);
    await acts.decline(ports, b, a);
    await acts.ask(ports, a, b);
    expect([await relation(a, b), await relation(b, a)]).toEqual(["asked", "none"]);
    await acts.remove(ports, a, b);
    await acts.ask(ports, a, b);
    expect([await relation(a, b), await relation(b, a)]).toEqual(["asked", "none"]);
    await acts.ask(ports, b, a); // a change of mind
    expect([await relation(a, b), await relation(b, a)]).toEqual(["contact", "contact"]);
  });

  it("[ACC-11] who is erased vanishes from everybody's list, in every region", async () => {
    const [gone, other] = await pair();
    const near = await newPerson("home");
    const asked = await newPerson("eu");
    await acts.ask(ports, gone, other);
    await acts.accept(ports, other, gone);
    await acts.ask(ports, near, gone);
    await acts.accept(ports, gone, near);
    await acts.ask(ports, gone, asked);
    await acts.ask(ports, near, other);
    await eraseAccount(ports, gone);
    for (const database of [bindings.DB_HOME, bindings.DIRECTORY]) {
      const { results } = await database.prepare("SELECT * FROM contact_edge").all();
      expect(JSON.stringify(results)).not.toContain(gone);
      expect(JSON.stringify(results)).toContain(near);
    }
    expect(await knownPeople(ports, asked)).toEqual([]);
    expect(await nameSeen(other, gone)).toBeNull();
    expect(await relation(near, other)).toBe("asked");
  });

  it("[ACC-11] an ask of somebody who is erased meanwhile leaves nothing", async () => {
    const [gone, other] = await pair();
    let effects = 0;
    // Erased after the ask has its own row, before it reaches the other.
    const slow = gated(ports, async () => {
      if (effects++ === 1) await eraseAccount(ports, gone);
    });
    await acts.ask(slow, gone, other);
    expect(await knownPeople(ports, other)).toEqual([]);
    const { results } = await bindings.DIRECTORY.prepare("SELECT * FROM contact_edge").all();
    expect(JSON.stringify(results)).not.toContain(gone);
  });
});

describe("two people, whatever they do", () => {
  const step = fc.record({ who: fc.constantFrom(0, 1), act: fc.constantFrom(...actNames) });

  it("one after the other: both sides are what the acts say", { timeout: 120_000 }, async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 14 }), async (steps) => {
        const people = await pair();
        const model = [newSide(), newSide()] as const;
        for (const { who, act } of steps) {
          const [me, other] = [people[who] as string, people[1 - who] as string];
          const did = await done(acts[act](ports, me, other));
          expect([act, did]).toEqual([act, play(model, who as 0 | 1, act)]);
          const both = model[0].state === "contact" && model[1].state === "contact";
          for (const side of [0, 1] as const) {
            const [own, theirs] = [people[side] as string, people[1 - side] as string];
            const { state } = model[side];
            const shown = state === "declined" ? "none" : state;
            expect([side, steps, await relation(own, theirs)]).toEqual([side, steps, shown]);
            expect(await nameSeen(own, theirs)).toBe(both ? `name of ${theirs}` : null);
          }
        }
      }),
      { numRuns: 30 },
    );
  });

  it("[ACC-7] at once, delayed and cut short: never seen against a wish, and both sides agree", {
    timeout: 240_000,
  }, async () => {
    const round = fc.record({
      acts: fc.tuple(fc.constantFrom(...actNames), fc.constantFrom(...actNames)),
      /** After how many effects each of them crashes. */
      budgets: fc.tuple(fc.constantFrom(0, 1, 2, 99, 99), fc.constantFrom(0, 1, 2, 99, 99)),
    });
    await fc.assert(
      fc.asyncProperty(
        fc.scheduler(),
        fc.array(round, { minLength: 1, maxLength: 6 }),
        async (scheduler, rounds) => {
          const people = await pair();
          const wishes: [Wish, Wish] = ["no", "no"];
          for (const { acts: chosen, budgets } of rounds) {
            const running = chosen.map((act, who) =>
              attempt(scheduler, act, people, who as 0 | 1, budgets[who] as number),
            );
            const ended = await scheduler.waitFor(Promise.all(running));
            for (const who of [0, 1] as const) {
              wishes[who] = wishAfter(wishes[who], chosen[who] as Act, ended[who] as Ending);
            }
            await agree(people, wishes);
          }
        },
      ),
      { numRuns: 30 },
    );
  });
});

interface Side {
  state: "none" | "asked" | "asking" | "declined" | "contact" | "blocked";
}
const newSide = (): Side => ({ state: "none" });

/** What an act does to both sides when nothing comes between; false when it is refused. */
function play(model: readonly [Side, Side], who: 0 | 1, act: Act): boolean {
  const [me, other] = [model[who], model[1 - who] as Side];
  switch (act) {
    case "ask":
      if (me.state === "blocked") return false;
      if (other.state === "asked" || other.state === "contact") {
        me.state = "contact";
        other.state = "contact";
        return true;
      }
      me.state = "asked";
      if (other.state === "none") other.state = "asking";
      return true;
    case "accept":
      if (me.state !== "asking" && me.state !== "contact") return false;
      me.state = "contact";
      other.state = "contact";
      return true;
    case "decline":
      if (me.state !== "asking") return false;
      me.state = "declined";
      return true;
    case "remove":
      if (me.state === "asked" || me.state === "contact") me.state = "none";
      if (other.state === "asking" || other.state === "contact") other.state = "none";
      return true;
    case "block":
      me.state = "blocked";
      if (other.state === "asking" || other.state === "contact") other.state = "none";
      return true;
    case "unblock":
      if (me.state === "blocked") me.state = "none";
      return true;
  }
}

type Wish = "yes" | "no" | "either";
type Ending = "done" | "refused" | "crashed";

async function attempt(
  scheduler: fc.Scheduler,
  act: Act,
  people: readonly [string, string],
  who: 0 | 1,
  budget: number,
): Promise<Ending> {
  let left = budget;
  const slow = gated(ports, async () => {
    await scheduler.schedule(Promise.resolve());
    if (left-- <= 0) throw new Error("crash");
  });
  try {
    return (await done(acts[act](slow, people[who], people[1 - who] as string)))
      ? "done"
      : "refused";
  } catch (error) {
    if (!(error instanceof Error && error.message === "crash")) throw error;
    return "crashed";
  }
}

/** Whether a person wants the contact, after an act that ended so; `either` when one cannot know. */
function wishAfter(before: Wish, act: Act, ending: Ending): Wish {
  if (act === "unblock") return before;
  const meant = act === "ask" || act === "accept" ? "yes" : "no";
  if (ending === "done") return meant;
  // An accept that comes too late ends what was; a decline that is refused changes nothing.
  if (ending === "refused") return act === "accept" ? join(before, "no") : before;
  return join(before, meant);
}

const join = (a: Wish, b: Wish): Wish => (a === b ? a : "either");

/** Nothing is seen against a wish, before and after the sides are mended; and they tell the same. */
async function agree(
  people: readonly [string, string],
  wishes: readonly [Wish, Wish],
): Promise<void> {
  const [a, b] = people;
  const check = async () => {
    const seen = [await nameSeen(a, b), await nameSeen(b, a)];
    if (wishes.includes("no")) expect(seen).toEqual([null, null]);
    expect(seen[0] === null).toBe(seen[1] === null);
    return seen[0] !== null;
  };
  await check();
  await relation(a, b);
  await relation(b, a);
  const [ofA, ofB] = [await relation(a, b), await relation(b, a)];
  expect([ofA, ofB].filter((one) => one === "contact")).toHaveLength(ofA === "contact" ? 2 : 0);
  if (ofA === "asking") expect(ofB).toBe("asked");
  if (ofB === "asking") expect(ofA).toBe("asked");
  expect(await check()).toBe(ofA === "contact");
}
