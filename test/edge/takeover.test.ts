/** Taking an account over by its address book: who is told, and what comes back, whatever a thief tries. */

import { env } from "cloudflare:workers";
import { beforeEach, describe, expect, it } from "vitest";
import { DAY } from "../../protocol/limits.ts";
import {
  type Address,
  askAddress,
  listAddresses,
  makePrimary,
  removeAddress,
  verifyAddress,
} from "../../workers/account/addresses.ts";
import { checkPersonalToken, makePersonalToken } from "../../workers/account/personal-tokens.ts";
import { undoChange } from "../../workers/account/undo.ts";
import { link, listLinked, signInLinked, unlink } from "../../workers/linked/linked.ts";
import { passkeySignInOptions, signInWithPasskey } from "../../workers/sign-in/passkey-sign-in.ts";
import { addPasskey, creationOptions, listPasskeys } from "../../workers/sign-in/passkeys.ts";
import { signInUnderWay } from "../../workers/sign-in/second-step.ts";
import { stepSettings } from "../../workers/sign-in/step-settings.ts";
import { Authenticator } from "../support/authenticator.ts";
import { CLIENT, type NewSession, newPerson, PASSWORD, signIn } from "../support/person.ts";
import { type TestPorts, testPorts } from "../support/ports.ts";
import { switchOn } from "../support/second-step.ts";

const ORIGIN = "https://latchkey.test";
let test: TestPorts;
let mail: string;
let phone: string;
let own: NewSession;
let count = 0;

beforeEach(async () => {
  test = testPorts({ env, variables: { ORIGIN, SMS_URL: "https://a:b@sms.example/" } });
  count++;
  mail = `owner${count}@takeover.example`;
  phone = `+49151222${String(count).padStart(5, "0")}`;
  own = await newPerson(test, mail);
  await test.settle();
  test.mail.sent.length = 0;
});

const lastCode = () => {
  const [written, text] = [test.mail.sent.at(-1)?.text, test.sms.sent.at(-1)?.text];
  return /^\d{6}/m.exec(`${written}\n${text}`)?.[0] ?? "";
};
const ask = (address: string) => askAddress(test.ports, own.accountId, address, CLIENT);
const verify = (token: string, code: string) =>
  verifyAddress(test.ports, own.accountId, { token, code }, CLIENT);
const book = () => listAddresses(test.ports, own.accountId);
const find = async (address: string) =>
  (await book()).find(({ text }) => text === address) as Address;
const primary = async (address: string) =>
  makePrimary(test.ports, own.accountId, (await find(address)).id, CLIENT);
const remove = async (address: string) =>
  removeAddress(test.ports, own.accountId, (await find(address)).id, CLIENT);

function forgetMessages(): void {
  test.mail.sent.length = 0;
  test.sms.sent.length = 0;
}
async function add(address: string): Promise<void> {
  forgetMessages();
  const { token } = await ask(address);
  await verify(token, lastCode());
  await test.settle();
}
const mailTo = (to: string) => test.mail.sent.filter((one) => one.to === to).map((m) => m.text);
const undoToken = (to: string) => /undo\?token=(\S+)/.exec(mailTo(to).join("\n"))?.[1] ?? "";

describe("an account that has a phone only", () => {
  beforeEach(async () => {
    await add(phone);
    await primary(phone);
    await remove(mail);
    await test.settle();
  });

  it("[NOT-1] hears of a mail address that is added where it heard of everything so far", async () => {
    const thiefs = `thief${count}@takeover.example`;
    await add(thiefs);
    expect(test.sms.sent.map(({ to }) => to)).toContain(phone);
    expect(test.sms.sent.at(-1)?.text).toContain("was added");
    expect(mailTo(thiefs).join()).not.toContain("was added");
  });
});

describe("an account whose primary is a phone, beside which it has a mailbox", () => {
  const thiefs = () => `thief${count}@takeover.example`;

  beforeEach(async () => {
    await add(phone);
    await primary(phone);
    test.clock.advance(30 * DAY);
    own = await signIn(test.ports, { address: mail, password: PASSWORD }, CLIENT);
    await test.settle();
    await add(thiefs());
    forgetMessages();
  });

  it("gets the undo link in the mailbox that heard of everything so far", async () => {
    await primary(thiefs());
    await test.settle();
    expect(test.sms.sent.map(({ to }) => to)).toContain(phone);
    await undoChange(test.ports, undoToken(mail), CLIENT);
    expect((await book()).map(({ text }) => text).sort()).toEqual([phone, mail].sort());
  });

  it("gets it as well when the thief removes that mailbox without making his own the primary", async () => {
    await remove(mail);
    await test.settle();
    await undoChange(test.ports, undoToken(mail), CLIENT);
    expect((await book()).map(({ text }) => text).sort()).toEqual([phone, mail].sort());
  });

  it("gets none where notices go to the same mailbox as before", async () => {
    await primary(mail);
    await test.settle();
    expect(undoToken(mail)).toBe("");
    expect(test.sms.sent.map(({ to }) => to)).toContain(phone);
  });
});

describe("one address asked for twice", () => {
  it("stands in the book once, so that removing it frees it for good", async () => {
    const second = `second${count}@takeover.example`;
    const one = await ask(second);
    const code = lastCode();
    forgetMessages();
    const two = await ask(second);
    const otherCode = lastCode();
    await verify(one.token, code);
    await verify(two.token, otherCode).catch(() => undefined);
    expect((await book()).filter(({ text }) => text === second)).toHaveLength(1);
    await remove(second);
    expect((await newPerson(test, second)).accountId).not.toBe(own.accountId);
    expect((await book()).map(({ text }) => text)).toEqual([mail]);
  });
});

describe("ways in that a thief made", () => {
  const key = new Authenticator(ORIGIN);

  async function addKey(name: string) {
    const response = await key.create(await creationOptions(test.ports, own.accountId));
    return await addPasskey(test.ports, own.accountId, { response, name }, CLIENT);
  }
  async function enterWithKey(credential = key.credentials.at(-1)) {
    const options = await passkeySignInOptions(test.ports, CLIENT);
    const response = await key.get(options, {}, credential);
    return await signInWithPasskey(test.ports, { response }, CLIENT);
  }
  const identity = (subject: string) => ({
    provider: "work",
    issuer: "https://login.works.test",
    subject: `${subject}${count}`,
    name: null,
    email: null,
    emailChecked: false,
  });
  const newToken = async (name: string) => {
    const asked = { name, scopes: ["account:read"] as const, days: 90 };
    return (await makePersonalToken(test.ports, own.accountId, asked, CLIENT)).token;
  };

  it("go when the address is taken back; what was there before stays, and so does a second step", async () => {
    await addKey("owner's");
    const owners = key.credentials.at(-1);
    await link(test.ports, own.accountId, identity("owner"), CLIENT);
    const program = await newToken("owner's");
    test.clock.advance(30 * DAY);

    await addKey("thief's");
    await link(test.ports, own.accountId, identity("thief"), CLIENT);
    const stolen = await newToken("thief's");
    const thiefs = `thief${count}@takeover.example`;
    await add(thiefs);
    await switchOn(test.ports, own.accountId);
    await primary(thiefs);
    expect((await enterWithKey()).kind).toBe("signed-in");

    await undoChange(test.ports, undoToken(mail), CLIENT);
    await expect(enterWithKey()).rejects.toThrow("passkey-refused");
    expect((await enterWithKey(owners)).kind).toBe("signed-in");
    expect((await listPasskeys(test.ports, own.accountId)).map(({ name }) => name)).toEqual([
      "owner's",
    ]);
    expect(await listLinked(test.ports, own.accountId)).toHaveLength(1);
    expect(await checkPersonalToken(test.ports, stolen)).toBeNull();
    expect(await checkPersonalToken(test.ports, program)).not.toBeNull();
    expect((await stepSettings(test.ports, own.accountId)).totp).toBe(true);
    // Whose account elsewhere it was may link it to an account of their own.
    own = await newPerson(test, `another${count}@takeover.example`);
    await link(test.ports, own.accountId, identity("thief"), CLIENT);
    expect(await listLinked(test.ports, own.accountId)).toHaveLength(1);
  });
});

describe("an account elsewhere that is unlinked", () => {
  it("finishes no sign-in that it began", async () => {
    await switchOn(test.ports, own.accountId);
    const identity = {
      provider: "work",
      issuer: "https://login.works.test",
      subject: `unlinked${count}`,
      name: null,
      email: null,
      emailChecked: false,
    };
    await link(test.ports, own.accountId, identity, CLIENT);
    const begun = await signInLinked(test.ports, identity, null, CLIENT);
    if (begun?.kind !== "second-step") throw new Error("there is no second step");
    const { token } = begun.pending;
    await signInUnderWay(test.ports, token);
    const [{ id } = { id: "" }] = await listLinked(test.ports, own.accountId);
    const session = { ...own, confirmedAt: test.clock.now() };
    await unlink(test.ports, session, id, CLIENT);
    const later = signInUnderWay(test.ports, token).then(() => "goes on");
    await expect(later).rejects.toThrow("sign-in-expired");
  });
});
