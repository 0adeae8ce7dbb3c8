/** The address book on D1: codes, one winner, nothing told of strangers' addresses, and undo links. */

import { env } from "cloudflare:workers";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { DAY, limits } from "../../protocol/limits.ts";
import {
  type Address,
  askAddress,
  listAddresses,
  makePrimary,
  masked,
  removeAddress,
  verifyAddress,
} from "../../workers/account/addresses.ts";
import { findUndo, undoChange } from "../../workers/account/undo.ts";
import { handle } from "../../workers/app.ts";
import { eraseAccount } from "../../workers/privacy/erase.ts";
import { askReset, resetPassword } from "../../workers/sign-in/forgot.ts";
import { checkSession } from "../../workers/sign-in/sessions.ts";
import {
  CLIENT,
  type NewSession,
  newPerson,
  PASSWORD,
  sessionOf,
  signIn,
} from "../support/person.ts";
import { countQueries, type TestPorts, testPorts } from "../support/ports.ts";
import { switchOn } from "../support/second-step.ts";

const { DB_HOME } = env as unknown as { DB_HOME: D1Database };
const NEXT = "another unlikely password";
let test: TestPorts;
let first: string;
let own: NewSession;
let count = 0;

beforeEach(async () => {
  test = testPorts({ env, variables: { SMS_URL: "https://a:b@sms.example/" } });
  first = `book${count++}@example.org`;
  own = await newPerson(test, first);
  await test.settle();
  test.mail.sent.length = 0;
});
afterEach(() => vi.restoreAllMocks());

const refusal = (work: Promise<unknown>) =>
  work.then(
    () => "accepted",
    (error: { code: string }) => error.code,
  );
const ask = (address: string, id = own.accountId) => askAddress(test.ports, id, address, CLIENT);
const verify = (token: string, code: string, id = own.accountId) =>
  verifyAddress(test.ports, id, { token, code }, CLIENT);
const lastCode = () => {
  const [mail, sms] = [test.mail.sent.at(-1)?.text, test.sms.sent.at(-1)?.text];
  return /^\d{6}/m.exec(`${mail}\n${sms}`)?.[0] ?? "";
};
const book = (id = own.accountId) => listAddresses(test.ports, id);
const find = async (address: string) =>
  (await book()).find(({ text }) => text === address) as Address;
const other = (code: string) => String((Number(code) + 1) % 1_000_000).padStart(6, "0");

async function add(address: string, id = own.accountId): Promise<void> {
  test.mail.sent.length = 0;
  test.sms.sent.length = 0;
  const { token } = await ask(address, id);
  await verify(token, lastCode(), id);
  await test.settle();
}
const mailTo = (to: string) => test.mail.sent.filter((mail) => mail.to === to).map((m) => m.text);
const undoToken = (to: string) =>
  /undo\?token=(\S+)/.exec(mailTo(to).findLast((text) => text.includes("/undo")) ?? "")?.[1] ?? "";

describe("adding an address", () => {
  it("[NOT-8] needs the code that was sent there; then it signs in and is found", async () => {
    const second = `second-${first}`;
    const { token, kind } = await ask(second);
    expect([kind, test.mail.sent.map(({ to }) => to)]).toEqual(["email", [second]]);
    expect(await refusal(signIn(test.ports, { address: second, password: PASSWORD }, CLIENT))).toBe(
      "bad-credentials",
    );
    expect(await refusal(verify(token, other(lastCode())))).toBe("code-wrong");
    await verify(token, lastCode());
    await test.settle();
    expect((await book()).map(({ text, primary }) => [text, primary])).toEqual([
      [first, true],
      [second, false],
    ]);
    const session = await signIn(test.ports, { address: second, password: PASSWORD }, CLIENT);
    expect(session.accountId).toBe(own.accountId);
    expect(mailTo(first).join()).toContain("was added");
  });

  it("[NOT-5] takes a phone as well, by pure text", async () => {
    const phone = `+4915177770${String(count).padStart(3, "0")}`;
    await add(phone);
    expect((await book()).at(-1)).toMatchObject({ kind: "phone", text: phone });
    for (const { text } of test.sms.sent) expect(text).not.toMatch(/https?:|localhost|\//);
    const plain = testPorts({ env });
    expect(await refusal(askAddress(plain.ports, own.accountId, "+491512", CLIENT))).toBe(
      "address-syntax",
    );
    expect(await refusal(askAddress(plain.ports, own.accountId, phone, CLIENT))).toBe(
      "phone-unsupported",
    );
  });

  it("works once, for its own account, with one winner, in its time", async () => {
    const stranger = await newPerson(test, `stranger-${first}`);
    const { token } = await ask(`a-${first}`);
    const code = lastCode();
    expect(await refusal(verify(token, code, stranger.accountId))).toBe("code-expired");
    const tries = await Promise.all([1, 2, 3].map(() => refusal(verify(token, code))));
    expect(tries.sort()).toEqual(["accepted", "code-expired", "code-expired"]);
    expect(await refusal(verify(token, code))).toBe("code-expired");
    const late = await ask(`b-${first}`);
    const lateCode = lastCode();
    test.clock.advance(limits.challengeMs);
    expect(await refusal(verify(late.token, lateCode))).toBe("code-expired");
    expect(await book()).toHaveLength(2);
  });

  it("bears a few wrong codes", async () => {
    const { token } = await ask(`a-${first}`);
    const code = lastCode();
    for (let at = 0; at < limits.challengeAttempts; at++) {
      expect(await refusal(verify(token, other(code)))).toBe("code-wrong");
    }
    expect(await refusal(verify(token, code))).toBe("code-expired");
    expect(await refusal(verify(token, code))).toBe("code-expired");
  });

  it("is limited in number and in tries, and refuses what is there already", async () => {
    expect(await refusal(ask(first.toUpperCase()))).toBe("address-yours");
    for (let at = 1; at < limits.addressesPerAccount; at++) {
      test.clock.advance(limits.mailWindowMs);
      await add(`n${at}-${first}`);
    }
    expect(await refusal(ask(`one-more-${first}`))).toBe("too-many");
    await removeAddress(test.ports, own.accountId, (await find(`n1-${first}`)).id, CLIENT);
    test.clock.advance(limits.mailWindowMs);
    for (let at = 0; at < limits.addressTriesPerAccount; at++) await ask(`t${at}-${first}`);
    expect(await refusal(ask(`t-${first}`))).toBe("too-many-tries");
  });

  it("leaves nothing waiting when the relay refuses", async () => {
    await DB_HOME.prepare("DELETE FROM challenge").run();
    test.mail.failing = true;
    expect(await refusal(ask(`a-${first}`))).toBe("mail-failed");
    const left = await DB_HOME.prepare("SELECT count(*) AS n FROM challenge").first<number>("n");
    expect(left).toBe(0);
  });

  it("can be done again when it was cut off after the address was claimed", async () => {
    const second = `cut-${first}`;
    const hash = await test.ports.directory.contactHash(second);
    await test.ports.directory.claimContact(hash, own.accountId);
    await add(second);
    expect((await book()).map(({ text }) => text)).toEqual([first, second]);
  });
});

describe("an address of another account", () => {
  let theirs: string;
  beforeEach(async () => {
    theirs = `theirs-${first}`;
    await newPerson(test, theirs);
    await test.settle();
    test.mail.sent.length = 0;
  });

  const post = async (path: string, body: unknown) => {
    const response = await handle(
      new Request(`http://localhost:8787/api/account/addresses${path}`, {
        method: "POST",
        headers: { "content-type": "application/json", authorization: `Bearer ${own.token}` },
        body: JSON.stringify(body),
      }),
      test.ports,
    );
    const text = (await response.text()).replace(/lk_chl_home_\w+/, "TOKEN");
    await test.settle();
    return [response.status, [...response.headers], text];
  };

  it("is answered like a free one; its reader is told", async () => {
    expect(await post("", { address: theirs })).toEqual(
      await post("", { address: `free-${first}` }),
    );
    expect(mailTo(theirs).join()).toContain("belongs to one already");
    expect(mailTo(theirs).join()).not.toMatch(/\d{6}/);
    expect(mailTo(`free-${first}`).join()).toMatch(/\d{6}/);
  });

  it("is not told apart by its codes, nor by the work", async () => {
    const work = async (address: string) => {
      const queries = countQueries(DB_HOME);
      const { token } = await ask(address);
      const asked = queries();
      vi.restoreAllMocks();
      const answers: unknown[] = [];
      for (let at = 0; at <= limits.challengeAttempts; at++) {
        const wrong = at === 0 ? "" : other(lastCode() || "000000");
        answers.push(await post("/verify", { token, code: wrong }));
      }
      return { asked, answers };
    };
    expect(await work(theirs)).toEqual(await work(`free-${first}`));
  });

  it("[SEC-5] goes to the one who verifies first, when two add it at once", async () => {
    const shared = `shared-${first}`;
    const second = await newPerson(test, `second-${first}`);
    const mine = await ask(shared);
    const code = lastCode();
    test.mail.sent.length = 0;
    const others = await ask(shared, second.accountId);
    const otherCode = lastCode();
    const tries = await Promise.all([
      refusal(verify(mine.token, code)),
      refusal(verify(others.token, otherCode, second.accountId)),
    ]);
    expect(tries.sort()).toEqual(["accepted", "code-expired"]);
    const [a, b] = [await book(), await book(second.accountId)];
    expect([...a, ...b].filter(({ text }) => text === shared)).toHaveLength(1);
  });
});

describe("removing an address", () => {
  it("frees it, and never takes the last or the primary", async () => {
    const { id } = await find(first);
    expect(await refusal(removeAddress(test.ports, own.accountId, id, CLIENT))).toBe(
      "address-last",
    );
    const second = `second-${first}`;
    await add(second);
    expect(await refusal(removeAddress(test.ports, own.accountId, id, CLIENT))).toBe(
      "address-primary",
    );
    const stranger = await newPerson(test, `stranger-${first}`);
    const theirs = removeAddress(test.ports, stranger.accountId, (await find(second)).id, CLIENT);
    expect(await refusal(theirs)).toBe("not-found");
    await removeAddress(test.ports, own.accountId, (await find(second)).id, CLIENT);
    await test.settle();
    expect(await refusal(signIn(test.ports, { address: second, password: PASSWORD }, CLIENT))).toBe(
      "bad-credentials",
    );
    expect(mailTo(second).at(-1)).toContain("was removed");
    expect(mailTo(second).at(-1)).not.toContain("/undo");
    expect((await newPerson(test, second)).accountId).not.toBe(own.accountId);
  });

  it("kills the links to choose a new password that went there", async () => {
    const second = `second-${first}`;
    await add(second);
    await askReset(test.ports, second, CLIENT);
    await test.settle();
    const token = /token=(\S+)/.exec(mailTo(second).at(-1) ?? "")?.[1] ?? "";
    await removeAddress(test.ports, own.accountId, (await find(second)).id, CLIENT);
    const late = resetPassword(test.ports, { token, password: NEXT }, CLIENT);
    expect(await refusal(late)).toBe("link-expired");
  });

  it("is refused for the phone that the second step uses", async () => {
    const phone = `+4915166660${String(count).padStart(3, "0")}`;
    await add(phone);
    const { id } = await find(phone);
    await switchOn(test.ports, own.accountId, "sms", { identifier: id });
    expect((await find(phone)).secondStep).toBe(true);
    expect(await refusal(removeAddress(test.ports, own.accountId, id, CLIENT))).toBe(
      "address-in-use",
    );
  });
});

describe("a changed primary address", () => {
  let thiefs: string;

  /** Somebody with a session adds an address, makes it the primary and removes the old one. */
  beforeEach(async () => {
    test.clock.advance(30 * DAY);
    own = await signIn(test.ports, { address: first, password: PASSWORD }, CLIENT);
    thiefs = `thief-${first}`;
    await add(thiefs);
    await makePrimary(test.ports, own.accountId, (await find(thiefs)).id, CLIENT);
    await test.settle();
  });
  const removeOld = async () =>
    await removeAddress(test.ports, own.accountId, (await find(first)).id, CLIENT);
  const undo = (token = undoToken(first)) => undoChange(test.ports, token, CLIENT);

  it("is told where notices go, and the old one gets an undo link", async () => {
    expect((await book()).map(({ text, primary }) => [text, primary])).toEqual([
      [thiefs, true],
      [first, false],
    ]);
    expect(mailTo(thiefs).join()).toContain("was changed");
    expect(await findUndo(test.ports, undoToken(first))).toMatchObject({ address: first });
    const text = mailTo(first).at(-1) ?? "";
    expect(text.match(/https?:/g)).toHaveLength(1);
  });

  it.each([
    ["changed", false],
    ["removed", true],
  ])(
    "is taken back by the old one after it was %s: sessions end, a new password is chosen",
    async (_, removed) => {
      if (removed) await removeOld();
      const link = undoToken(first);
      test.clock.advance(limits.addressUndoMs - 1);
      const thief = await signIn(test.ports, { address: thiefs, password: PASSWORD }, CLIENT);
      const token = await undo(link);
      await test.settle();
      for (const dead of [own.token, thief.token]) {
        expect(await checkSession(test.ports, dead)).toBeNull();
      }
      expect((await book()).map(({ text, primary }) => [text, primary])).toEqual([[first, true]]);
      for (const address of [first, thiefs]) {
        const tried = signIn(test.ports, { address, password: PASSWORD }, CLIENT);
        expect(await refusal(tried)).toBe("bad-credentials");
      }
      const back = await resetPassword(test.ports, { token, password: NEXT }, CLIENT);
      expect(sessionOf(back).accountId).toBe(own.accountId);
      await signIn(test.ports, { address: first, password: NEXT }, CLIENT);
      await askReset(test.ports, thiefs, CLIENT);
      await test.settle();
      expect(mailTo(thiefs).filter((text) => text.includes("/forgot/new"))).toEqual([]);
    },
  );

  it("works once, with one winner, and not after a week", async () => {
    const link = undoToken(first);
    const tries = await Promise.all([1, 2, 3].map(() => refusal(undo(link))));
    expect(tries.sort()).toEqual(["accepted", "link-expired", "link-expired"]);
    expect(await refusal(undo(link))).toBe("link-expired");
    for (const wrong of ["", "x", own.token])
      expect(await refusal(undo(wrong))).toBe("link-expired");

    await add(thiefs);
    test.mail.sent.length = 0;
    await makePrimary(test.ports, own.accountId, (await find(thiefs)).id, CLIENT);
    const late = undoToken(first);
    test.clock.advance(limits.addressUndoMs);
    expect(await findUndo(test.ports, late)).toBeNull();
    expect(await refusal(undo(late))).toBe("link-expired");
  });

  it("cannot be kept by the thief, whatever undo links come to the thief", async () => {
    const link = undoToken(first);
    const next = `next-${thiefs}`;
    await add(next);
    await makePrimary(test.ports, own.accountId, (await find(next)).id, CLIENT);
    const thiefsLink = undoToken(thiefs);
    await undo(link);
    expect(await refusal(undo(thiefsLink))).toBe("link-expired");
    expect((await book()).map(({ text }) => text)).toEqual([first]);
  });

  it("is taken back by the older link even after the thief used a newer one", async () => {
    const link = undoToken(first);
    const next = `next-${thiefs}`;
    test.clock.advance(1000);
    await add(next);
    await makePrimary(test.ports, own.accountId, (await find(next)).id, CLIENT);
    await undo(undoToken(thiefs));
    await undo(link);
    expect((await book()).map(({ text, primary }) => [text, primary])).toEqual([[first, true]]);
  });

  it("keeps addresses that were there long before", async () => {
    await undo();
    const older = `older-${first}`;
    await add(older);
    test.clock.advance(limits.addressUndoMs + 1);
    await add(thiefs);
    test.mail.sent.length = 0;
    await makePrimary(test.ports, own.accountId, (await find(thiefs)).id, CLIENT);
    await undo();
    expect((await book()).map(({ text }) => text)).toEqual([first, older]);
  });

  it("ends the second step whose phone goes with it", async () => {
    const phone = `+4915155550${String(count).padStart(3, "0")}`;
    await add(phone);
    await switchOn(test.ports, own.accountId, "sms", { identifier: (await find(phone)).id });
    test.mail.sent.length = 0;
    await makePrimary(test.ports, own.accountId, (await find(first)).id, CLIENT);
    await makePrimary(test.ports, own.accountId, (await find(thiefs)).id, CLIENT);
    const token = await undo();
    const outcome = await resetPassword(test.ports, { token, password: NEXT }, CLIENT);
    expect(outcome.kind).toBe("signed-in");
  });

  it("is not changed at all when the old one cannot be written to", async () => {
    await undo();
    await add(thiefs);
    test.mail.failing = true;
    const { id } = await find(thiefs);
    expect(await refusal(makePrimary(test.ports, own.accountId, id, CLIENT))).toBe("mail-failed");
    expect((await book())[0]?.text).toBe(first);
  });

  it("tells when the old address got another account meanwhile", async () => {
    await removeOld();
    const link = undoToken(first);
    await newPerson(test, first);
    expect(await refusal(undo(link))).toBe("contact-taken");
    expect((await book()).map(({ text }) => text)).toEqual([thiefs]);
  });

  it("is forgotten with the account", async () => {
    const link = undoToken(first);
    await eraseAccount(test.ports, own.accountId);
    expect(await refusal(undo(link))).toBe("link-expired");
    const rows = await DB_HOME.prepare("SELECT count(*) AS n FROM undo WHERE account_id = ?")
      .bind(own.accountId)
      .first<number>("n");
    expect(rows).toBe(0);
  });
});

describe("what is told of an address elsewhere", () => {
  it("is masked", () => {
    expect(masked({ kind: "email", text: "ada.lovelace@example.org" })).toBe("a…@example.org");
    expect(masked({ kind: "phone", text: "+4915112345678" })).toBe("+49…78");
  });
});
