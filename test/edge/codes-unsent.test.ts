/**
 * A code that was sent to nobody opens nothing and tells nothing: whoever asks for a reset of a stranger's
 * phone, or adds or signs up with an address that somebody has, is answered like everybody else, by the
 * same work, even if the code that was drawn for it were known. Here every drawn code is `777777`.
 */

import { env } from "cloudflare:workers";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { systemRandom } from "../../durable-objects/platform.ts";
import { limits } from "../../protocol/limits.ts";
import { askAddress, listAddresses, verifyAddress } from "../../workers/account/addresses.ts";
import { askReset, resetPassword } from "../../workers/sign-in/forgot.ts";
import { signUp, verifySignUp } from "../../workers/sign-in/sign-up.ts";
import { CLIENT, newPerson, PASSWORD } from "../support/person.ts";
import { countQueries, type TestPorts, testPorts } from "../support/ports.ts";

const { DB_HOME } = env as unknown as { DB_HOME: D1Database };
const DRAWN = "777777";
const WRONG = "123456";
let test: TestPorts;
let own: string;
let taken: { readonly mail: string; readonly phone: string };
let count = 0;

beforeEach(async () => {
  // Only codes draw twelve bytes; what is sealed draws from elsewhere.
  const bytes = (length: number) =>
    length === 12 ? new Uint8Array(12).fill(7) : systemRandom.bytes(length);
  test = testPorts({
    env,
    variables: { SMS_URL: "https://a:b@sms.example/" },
    replace: { random: { bytes } },
  });
  count++;
  taken = { mail: `taken${count}@unsent.example`, phone: `+4915155550${100 + count}` };
  const holder = (await newPerson(test, taken.mail)).accountId;
  const { token } = await askAddress(test.ports, holder, taken.phone, CLIENT);
  await verifyAddress(test.ports, holder, { token, code: DRAWN }, CLIENT);
  own = (await newPerson(test, `own${count}@unsent.example`)).accountId;
  await test.settle();
  test.mail.sent.length = 0;
  test.sms.sent.length = 0;
});
afterEach(() => vi.restoreAllMocks());

/** How a piece of work was answered, and how much of it there was. */
async function observed(work: () => Promise<unknown>) {
  const reads = vi.spyOn(test.ports.keys, "get");
  const creates = vi.spyOn(test.ports.keys, "getOrCreate");
  const takes = vi.spyOn(test.ports.limits, "take");
  const queries = countQueries(DB_HOME);
  const answer = await work().then(
    () => "accepted",
    (error: { code: string; field?: string }) => [error.code, error.field],
  );
  const keys = [reads.mock.calls.length, creates.mock.calls.length];
  const tries = takes.mock.calls.map(([kind]) => kind);
  const seen = { answer, queries: queries(), keys, tries };
  vi.restoreAllMocks();
  return seen;
}

/** Asks, then tries codes until nothing waits any more; what was seen at each step. */
async function story(
  ask: () => Promise<string>,
  attempt: (token: string, code: string) => Promise<unknown>,
  code: string,
) {
  let token = "";
  const seen = [
    await observed(async () => {
      token = await ask();
    }),
  ];
  await test.settle();
  for (let at = 0; at <= limits.challengeAttempts; at++) {
    seen.push(await observed(() => attempt(token, code)));
    await test.settle();
  }
  return seen;
}

const answers = (seen: Awaited<ReturnType<typeof story>>) => seen.map(({ answer }) => answer);
const wrongUntil = (last: string) => [
  "accepted",
  ...Array.from({ length: limits.challengeAttempts }, () => ["code-wrong", "code"]),
  [last, undefined],
];

describe("a reset asked for by phone", () => {
  const ask = (phone: string) => async () => {
    const sent = await askReset(test.ports, phone, CLIENT);
    return sent.kind === "sms" ? sent.token : "";
  };
  const attempt = (token: string, code: string) =>
    resetPassword(test.ports, { token, code, password: `${PASSWORD} 2` }, CLIENT);

  it("is answered alike for a number without an account, whatever code is tried", async () => {
    const unknown = `+4915155551${100 + count}`;
    await story(ask(`${unknown}9`), attempt, WRONG);
    const known = await story(ask(taken.phone), attempt, WRONG);
    expect(answers(known)).toEqual(wrongUntil("link-expired"));
    expect(await story(ask(unknown), attempt, DRAWN)).toEqual(known);
    expect(test.sms.sent.map(({ to }) => to)).toEqual([taken.phone]);
    // The control: where it was sent, this very code is right.
    expect(await attempt(await ask(taken.phone)(), DRAWN)).toMatchObject({ kind: "signed-in" });
  });
});

describe.each(["mail", "phone"] as const)("an address that is added, by %s", (kind) => {
  const ask = (address: string) => async () =>
    (await askAddress(test.ports, own, address, CLIENT)).token;
  const attempt = (token: string, code: string) =>
    verifyAddress(test.ports, own, { token, code }, CLIENT);
  const sent = () => [...test.mail.sent, ...test.sms.sent];

  it("is answered alike where somebody has it, whatever code is tried", async () => {
    const free = kind === "mail" ? `free${count}@unsent.example` : `+4915155552${100 + count}`;
    await story(ask(kind === "mail" ? `x${free}` : `${free}9`), attempt, WRONG);
    const before = sent().length;
    const known = await story(ask(free), attempt, WRONG);
    expect(answers(known)).toEqual(wrongUntil("code-expired"));
    expect(await story(ask(taken[kind]), attempt, DRAWN)).toEqual(known);
    // Its reader is told what happened, and no code.
    expect(
      sent()
        .slice(before)
        .map(({ to }) => to),
    ).toEqual([free, taken[kind]]);
    expect(sent().at(-1)?.text).toContain("It belongs to one already");
    expect(sent().at(-1)?.text).not.toMatch(/\d{6}/);
    expect((await listAddresses(test.ports, own)).map(({ text }) => text)).toHaveLength(1);
    // The control: where it was sent, this very code is right.
    await attempt(await ask(free)(), DRAWN);
    expect((await listAddresses(test.ports, own)).map(({ text }) => text)).toContain(free);
  });
});

describe("a sign-up by phone", () => {
  const ask = (address: string) => async () => {
    const sent = await signUp(test.ports, { address, password: PASSWORD }, CLIENT);
    return sent.kind === "sms" ? sent.token : "";
  };
  const attempt = (token: string, code: string) =>
    verifySignUp(test.ports, { token, code }, CLIENT);

  it("is answered alike where somebody has the number, whatever code is tried", async () => {
    const free = `+4915155553${100 + count}`;
    await story(ask(`${free}9`), attempt, WRONG);
    const known = await story(ask(free), attempt, WRONG);
    expect(answers(known)).toEqual(wrongUntil("link-expired"));
    expect(await story(ask(taken.phone), attempt, DRAWN)).toEqual(known);
    expect(test.sms.sent.at(-1)?.text).not.toMatch(/\d{6}/);
  });
});
