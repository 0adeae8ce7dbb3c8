/** Passkeys in workerd: adding, signing in without a name, and everything that must not work. */

import { env } from "cloudflare:workers";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { personKey } from "../../db/queries/accounts.ts";
import { Sealer } from "../../db/seal.ts";
import { limits } from "../../protocol/limits.ts";
import { base64url, fromBase64url } from "../../protocol/tokens.ts";
import { listActivity } from "../../workers/account/activity.ts";
import { eraseAccount } from "../../workers/privacy/erase.ts";
import { readAssertion, requestOptions } from "../../workers/sign-in/ceremonies.ts";
import { passkeySignInOptions, signInWithPasskey } from "../../workers/sign-in/passkey-sign-in.ts";
import {
  addPasskey,
  creationOptions,
  listPasskeys,
  namePasskey,
  removePasskey,
} from "../../workers/sign-in/passkeys.ts";
import type { SignInMethod } from "../../workers/sign-in/requirements.ts";
import { takeStep } from "../../workers/sign-in/second-step.ts";
import { checkSession } from "../../workers/sign-in/sessions.ts";
import { Authenticator, type Bend, mapItem, UP, UV } from "../support/authenticator.ts";
import {
  CLIENT,
  completeSignIn,
  type NewSession,
  newPerson,
  sessionOf,
} from "../support/person.ts";
import { type TestPorts, testPorts } from "../support/ports.ts";

const { DB_HOME } = env as unknown as { DB_HOME: D1Database };
const ORIGIN = "https://latchkey.test";
const firefox = "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0";
const client = { userAgent: firefox, peer: "198.51.100.7" };
let test: TestPorts;
let person: NewSession;
let key: Authenticator;
let serial = 0;

beforeEach(async () => {
  test = testPorts({ env, variables: { ORIGIN } });
  person = await newPerson(test, `passkey${serial++}@example.org`);
  key = new Authenticator(ORIGIN);
});
afterEach(() => vi.restoreAllMocks());

const refusal = (work: Promise<unknown>) =>
  work.then(
    () => "accepted",
    (error: { code: string }) => error.code,
  );

async function add(bend: Bend = {}, algorithm?: "ES256" | "EdDSA", name?: string) {
  const options = await creationOptions(test.ports, person.accountId);
  const response = await key.create(options, bend, algorithm);
  const input = name === undefined ? { response } : { response, name };
  return await addPasskey(test.ports, person.accountId, input, client);
}

async function answer(bend: Bend = {}, credential = key.credentials.at(-1)) {
  return await key.get(await passkeySignInOptions(test.ports, client), bend, credential);
}
const present = (response: Awaited<ReturnType<typeof answer>>) =>
  signInWithPasskey(test.ports, { response }, client);
const signIn = async (bend: Bend = {}, credential = key.credentials.at(-1)) =>
  await present(await answer(bend, credential));

const newSession = async (methods: readonly SignInMethod[]) =>
  await completeSignIn(test.ports, { accountId: person.accountId, methods }, client);

describe("a passkey", () => {
  it.each(["ES256", "EdDSA"] as const)(
    "signs its owner in without a name, with %s",
    async (algorithm) => {
      await add({}, algorithm);
      const session = sessionOf(await signIn());
      expect(session.accountId).toBe(person.accountId);
      const row = await DB_HOME.prepare("SELECT methods FROM session WHERE id = ?")
        .bind(session.sessionId)
        .first("methods");
      expect(row).toBe("passkey-verified");
    },
  );

  it("that saw only a touch is one step, not two", async () => {
    await add();
    const session = sessionOf(await signIn({ flags: UP }));
    const methods = await DB_HOME.prepare("SELECT methods FROM session WHERE id = ?")
      .bind(session.sessionId)
      .first("methods");
    expect(methods).toBe("passkey");
    await DB_HOME.prepare("INSERT INTO second_step VALUES (?, ?, 'totp', 's1.x', 0, 1, 1)")
      .bind(`${person.accountId}/totp`, person.accountId)
      .run();
    expect((await signIn({ flags: UP })).kind).toBe("second-step");
    expect((await signIn({ flags: UP | UV })).kind).toBe("signed-in");
  });

  it("is asked for as the standard says, for our host, and alike for everybody", async () => {
    await add();
    const asked = await passkeySignInOptions(test.ports, client);
    const other = await passkeySignInOptions(test.ports, { userAgent: null, peer: "192.0.2.1" });
    expect({ ...asked, challenge: "" }).toEqual({ ...other, challenge: "" });
    expect(asked).toEqual({
      challenge: expect.stringMatching(/^[\w-]{43}$/),
      rpId: "latchkey.test",
      timeout: limits.passkeyCeremonyMs,
      userVerification: "preferred",
      allowCredentials: [],
    });
    const creation = await creationOptions(test.ports, person.accountId);
    expect(creation).toMatchObject({
      rp: { id: "latchkey.test", name: "Latchkey" },
      user: { id: base64url(new TextEncoder().encode(person.accountId)) },
      attestation: "none",
      authenticatorSelection: { residentKey: "required", userVerification: "preferred" },
      excludeCredentials: [{ type: "public-key", transports: ["hybrid", "internal"] }],
    });
    const [made] = key.credentials;
    expect(creation.excludeCredentials[0]?.id).toBe(base64url(made?.id ?? new Uint8Array()));
  });

  it("is listed with its name, and the day of its last use alone", async () => {
    const made = await add({}, "ES256", "  Blue   key ");
    expect(made).toMatchObject({ name: "Blue key", backedUp: true, usedDay: null });
    test.clock.advance(1);
    await add();
    test.clock.advance(3 * 86_400_000 + 12_345);
    await signIn({}, key.credentials[0]);
    const day = Math.floor(test.clock.now() / 86_400_000) * 86_400_000;
    expect(await listPasskeys(test.ports, person.accountId)).toMatchObject([
      { id: made.id, name: "Blue key", usedDay: day },
      { name: "Passkey on Firefox on Linux", usedDay: null },
    ]);
    await namePasskey(test.ports, person.accountId, made.id, "Green key");
    expect((await listPasskeys(test.ports, person.accountId))[0]?.name).toBe("Green key");
    for (const name of ["", "   ", "x".repeat(limits.passkeyNameLength + 1)]) {
      const named = namePasskey(test.ports, person.accountId, made.id, name);
      expect(await refusal(named)).toBe("bad-request");
    }
  });

  it("[ACC-12] lies sealed: neither its name nor its key nor its number is in the database", async () => {
    await add({}, "ES256", "Grandmother's phone");
    const [made] = key.credentials;
    const rows = JSON.stringify((await DB_HOME.prepare("SELECT * FROM passkey").all()).results);
    expect(rows).toContain(person.accountId);
    expect(rows).not.toContain("Grandmother");
    expect(rows).not.toContain(base64url(made?.id ?? new Uint8Array()));
  });

  it("is noted when it comes and goes", async () => {
    const made = await add({}, "ES256", "Blue key");
    await removePasskey(test.ports, person, made.id, client);
    const events = await listActivity(test.ports, person.accountId);
    const about = events.map(({ event, about }) => [event, about]);
    expect(about).toContainEqual(["passkey-added", "Blue key"]);
    expect(about).toContainEqual(["passkey-removed", "Blue key"]);
    await test.settle();
    const told = test.mail.sent.map(({ subject }) => subject);
    expect(told).toContain("A passkey was added to your Latchkey account");
    expect(told).toContain("A passkey was removed from your Latchkey account");
  });

  it("is one of a limited number", { timeout: 30_000 }, async () => {
    const late = await creationOptions(test.ports, person.accountId);
    for (let at = 0; at < limits.passkeysPerAccount; at++) await add();
    expect(await refusal(creationOptions(test.ports, person.accountId))).toBe("too-many");
    const response = await key.create(late);
    const adding = addPasskey(test.ports, person.accountId, { response }, client);
    expect(await refusal(adding)).toBe("too-many");
  });
});

describe("adding a passkey is refused", () => {
  const wrong: readonly [string, Bend][] = [
    ["from another origin", { origin: "https://evil.test" }],
    ["from a door below our host", { origin: "https://nas.latchkey.test" }],
    ["for another RP ID", { rpId: "evil.test" }],
    ["with another challenge", { challenge: base64url(new Uint8Array(32)) }],
    ["for an assertion's type", { type: "webauthn.get" }],
    ["from inside a frame", { crossOrigin: true }],
    ["without a touch", { flags: 0 }],
  ];
  it.each(wrong)("%s", async (_case, bend) => {
    expect(await refusal(add(bend))).toBe("passkey-refused");
    expect(await listPasskeys(test.ports, person.accountId)).toEqual([]);
  });

  it("with a challenge used before, asked for by somebody else, or too old", async () => {
    const options = await creationOptions(test.ports, person.accountId);
    const adding = (accountId: string, response: Awaited<ReturnType<typeof key.create>>) =>
      refusal(addPasskey(test.ports, accountId, { response }, client));
    const first = await key.create(options);
    expect(await adding(person.accountId, first)).toBe("accepted");
    expect(await adding(person.accountId, first)).toBe("passkey-refused");
    expect(await adding(person.accountId, await key.create(options))).toBe("passkey-refused");
    const other = await newPerson(test, `passkey${serial++}@example.org`);
    const own = await creationOptions(test.ports, person.accountId);
    expect(await adding(other.accountId, await key.create(own))).toBe("passkey-refused");
    const late = await key.create(await creationOptions(test.ports, person.accountId));
    test.clock.advance(limits.passkeyCeremonyMs);
    expect(await adding(person.accountId, late)).toBe("passkey-refused");
  });

  it("for a credential that somebody has already (WebAuthn §7.1)", async () => {
    await add();
    const other = await newPerson(test, `passkey${serial++}@example.org`);
    const options = await creationOptions(test.ports, other.accountId);
    const response = await key.create(options);
    const [taken] = key.credentials;
    const object = fromBase64url(response.response.attestationObject) ?? new Uint8Array();
    const made = key.credentials.at(-1)?.id ?? new Uint8Array();
    const at = object.findIndex((_byte, from) =>
      made.every((byte, i) => object[from + i] === byte),
    );
    object.set(taken?.id ?? [], at);
    const id = base64url(taken?.id ?? new Uint8Array());
    const stolen = {
      ...response,
      id,
      rawId: id,
      response: { ...response.response, attestationObject: base64url(object) },
    };
    const adding = addPasskey(test.ports, other.accountId, { response: stolen }, client);
    expect(await refusal(adding)).toBe("passkey-refused");
  });

  it("and what an authenticator attests is not even looked at", async () => {
    const fetched = vi.spyOn(globalThis, "fetch");
    const made = await add({ attestation: { fmt: "packed", attStmt: mapItem() } });
    expect(made.id).toMatch(/^psk_/);
    await add({ attestation: { fmt: "nonsense", attStmt: mapItem() } });
    expect(fetched).not.toHaveBeenCalled();
  });
});

describe("signing in with a passkey is refused", () => {
  beforeEach(async () => void (await add()));

  const wrong: readonly [string, Bend][] = [
    ["from another origin", { origin: "https://evil.test" }],
    ["from a door below our host", { origin: "https://nas.latchkey.test" }],
    ["for another RP ID", { rpId: "evil.test" }],
    ["with a challenge that nobody gave", { challenge: base64url(new Uint8Array(32)) }],
    ["for a registration's type", { type: "webauthn.create" }],
    ["from inside a frame", { crossOrigin: true }],
    ["without a touch", { flags: UV }],
    ["without its owner's handle", { userHandle: null }],
    ["with a handle that is none", { userHandle: base64url(new Uint8Array([0xff, 0xfe])) }],
  ];
  it.each(wrong)("%s", async (_case, bend) => {
    expect(await refusal(signIn(bend))).toBe("passkey-refused");
    expect((await signIn()).kind).toBe("signed-in");
  });

  it("when its signature is another key's", async () => {
    const [own] = key.credentials;
    await add();
    const signer = key.credentials[1];
    if (own === undefined || signer === undefined) throw new Error("two credentials");
    expect(await refusal(signIn({ signer }, own))).toBe("passkey-refused");
  });

  it("a second time, whatever came first", async () => {
    const good = await answer();
    expect((await present(good)).kind).toBe("signed-in");
    expect(await refusal(present(good))).toBe("passkey-refused");
    // The challenge is used up by a wrong answer, too.
    const options = await passkeySignInOptions(test.ports, client);
    expect(await refusal(present(await key.get(options, { flags: 0 })))).toBe("passkey-refused");
    expect(await refusal(present(await key.get(options)))).toBe("passkey-refused");
  });

  it("five minutes later", async () => {
    const good = await answer();
    test.clock.advance(limits.passkeyCeremonyMs);
    expect(await refusal(present(good))).toBe("passkey-refused");
  });

  it("when its count went back, or stood still: somebody made a copy", async () => {
    await signIn({ counter: 10 });
    for (const counter of [10, 9, 1, 0]) {
      expect(await refusal(signIn({ counter }))).toBe("passkey-refused");
    }
    await signIn({ counter: 11 });
    await test.settle();
    const events = (await listActivity(test.ports, person.accountId)).map(({ event }) => event);
    expect(events.filter((event) => event === "sign-in-failed")).toHaveLength(4);
  });

  it("unless it never counts, as passkeys of password managers", async () => {
    for (let at = 0; at < 3; at++) await signIn({ counter: 0 });
  });

  it("under another account's handle, and as another account's second step", async () => {
    const other = await newPerson(test, `passkey${serial++}@example.org`);
    const userHandle = base64url(new TextEncoder().encode(other.accountId));
    expect(await refusal(signIn({ userHandle }))).toBe("passkey-refused");
    const asking = { kind: "step", accountId: other.accountId } as const;
    for (const bend of [{}, { userHandle: null }, { userHandle }]) {
      const response = await key.get(await requestOptions(test.ports, asking), bend);
      expect((await readAssertion(test.ports, asking, response)).method).toBeNull();
    }
  });

  it("with a challenge that was given for something else", async () => {
    const { accountId } = person;
    const asking = { kind: "confirm", accountId } as const;
    const response = await key.get(await requestOptions(test.ports, asking));
    expect(await refusal(present(response))).toBe("passkey-refused");
    const step = { kind: "step", accountId } as const;
    const crossed = await key.get(await requestOptions(test.ports, asking));
    expect((await readAssertion(test.ports, step, crossed)).method).toBeNull();
    expect((await readAssertion(test.ports, asking, crossed)).method).toBe("passkey-verified");
    const anybody = await answer();
    expect((await readAssertion(test.ports, asking, anybody)).method).toBeNull();
  });

  it("once it was removed, also for an answer that was under way", async () => {
    const [own] = await listPasskeys(test.ports, person.accountId);
    const [early, asking] = [
      await answer(),
      { kind: "step", accountId: person.accountId } as const,
    ];
    const step = await key.get(await requestOptions(test.ports, asking));
    await removePasskey(test.ports, person, own?.id ?? "", client);
    expect(await refusal(present(early))).toBe("passkey-refused");
    expect((await readAssertion(test.ports, asking, step)).method).toBeNull();
    expect(await refusal(signIn())).toBe("passkey-refused");
  });

  it("once it was removed: the sessions that a passkey opened end, but for the one that removes it", async () => {
    const password = await newSession(["password"]);
    const second = await newSession(["password", "passkey"]);
    const [thief, own] = [sessionOf(await signIn()), sessionOf(await signIn())];
    const [made] = await listPasskeys(test.ports, person.accountId);
    await removePasskey(test.ports, own, made?.id ?? "", client);
    const live = async ({ token }: NewSession) => (await checkSession(test.ports, token)) !== null;
    expect(await Promise.all([password, second, thief, own, person].map(live))).toEqual([
      true,
      false,
      false,
      true,
      true,
    ]);
  });

  it("once it was removed, also by a sign-in that it began and that waits for its second step", async () => {
    await DB_HOME.prepare("INSERT INTO second_step VALUES (?, ?, 'totp', 's1.x', 0, 1, 1)")
      .bind(`${person.accountId}/totp`, person.accountId)
      .run();
    const begun = await signIn({ flags: UP });
    if (begun.kind !== "second-step") throw new Error("one step was enough");
    expect(begun.pending.offers).toEqual(["totp"]);
    const [own] = await listPasskeys(test.ports, person.accountId);
    await removePasskey(test.ports, person, own?.id ?? "", client);
    const { token } = begun.pending;
    const step = takeStep(
      test.ports,
      token,
      { tried: "second-step", prove: async () => "totp" },
      client,
    );
    expect(await refusal(step)).toBe("sign-in-expired");
  });

  it("[RGT-14] once its account is erased, and once the person's key is gone", async () => {
    const elsewhere = new Sealer(test.ports.keys, test.clock, test.ports.random);
    const early = await answer();
    await elsewhere.destroy(personKey(person.accountId));
    expect(await refusal(present(early))).toBe("passkey-refused");
    const other = await newPerson(test, `passkey${serial++}@example.org`);
    person = other;
    await add();
    const late = await answer();
    await eraseAccount(test.ports, other.accountId);
    expect(await refusal(present(late))).toBe("passkey-refused");
    const count = "SELECT count(*) AS n FROM passkey WHERE account_id = ?";
    expect(await DB_HOME.prepare(count).bind(other.accountId).first("n")).toBe(0);
  });

  it("when there were too many tries from its network", async () => {
    const good = await answer();
    for (let at = 0; at < limits.signInPerNetwork; at++) {
      await refusal(present({ ...good, id: "AAAA", rawId: "AAAA" }));
    }
    expect(await refusal(signIn())).toBe("too-many-tries");
    const elsewhere = { ...client, peer: "203.0.113.9" };
    const response = await key.get(await passkeySignInOptions(test.ports, elsewhere));
    expect((await signInWithPasskey(test.ports, { response }, elsewhere)).kind).toBe("signed-in");
    for (let at = 0; at < limits.passkeyCeremoniesPerNetwork; at++) {
      await refusal(passkeySignInOptions(test.ports, client));
    }
    expect(await refusal(passkeySignInOptions(test.ports, client))).toBe("too-many-tries");
  });
});

describe("of two at once", () => {
  it("one wins: the same answer, two answers to one challenge, two with one count", async () => {
    await add();
    const won = async (work: readonly Promise<unknown>[]) =>
      (await Promise.all(work.map(refusal))).filter((word) => word === "accepted").length;
    const good = await answer();
    expect(await won([present(good), present(good), present(good)])).toBe(1);
    const options = await passkeySignInOptions(test.ports, client);
    const two = [await key.get(options), await key.get(options)];
    expect(await won(two.map(present))).toBe(1);
    const same = [await answer({ counter: 50 }), await answer({ counter: 50 })];
    expect(await won(same.map(present))).toBe(1);
    const creation = await creationOptions(test.ports, person.accountId);
    const made = [await key.create(creation), await key.create(creation)];
    const added = made.map((response) =>
      addPasskey(test.ports, person.accountId, { response }, client),
    );
    expect(await won(added)).toBe(1);
  });
});

describe("the last way in", () => {
  const forgetPassword = () =>
    DB_HOME.prepare("DELETE FROM password WHERE account_id = ?").bind(person.accountId).run();

  it("stays, also when two passkeys are removed at once", async () => {
    const [one, two] = [await add(), await add()];
    await forgetPassword();
    const remove = (id: string) => refusal(removePasskey(test.ports, person, id, CLIENT));
    const both = await Promise.all([remove(one.id), remove(two.id)]);
    expect(both.sort()).toEqual(["accepted", "last-way-in"]);
    expect(await listPasskeys(test.ports, person.accountId)).toHaveLength(1);
  });

  it("is nobody else's to take, and an unknown one is not found", async () => {
    const made = await add();
    const other = await newPerson(test, `passkey${serial++}@example.org`);
    const gone = removePasskey(test.ports, other, made.id, CLIENT);
    expect(await refusal(gone)).toBe("not-found");
    const renamed = namePasskey(test.ports, other.accountId, made.id, "mine");
    expect(await refusal(renamed)).toBe("not-found");
    for (const id of ["psk_home_0000000000000000", "nonsense"]) {
      expect(await refusal(removePasskey(test.ports, person, id, CLIENT))).toBe("not-found");
    }
  });
});
