/**
 * With the sweep off, what is overdue is as good as gone: every kind of row that expires is read a
 * moment before its end and at its end, through what the services offer. A new kind without a reader
 * here fails.
 */

import { env } from "cloudflare:workers";
import { drizzle } from "drizzle-orm/d1";
import { beforeEach, describe, expect, it } from "vitest";
import type { Db } from "../../db/db.ts";
import {
  dueOrders,
  enqueueOrder,
  leaseOrder,
  nextFree,
  placeInQueue,
  takeOrder,
} from "../../db/queries/certificate-orders.ts";
import { hasReach, insertReach } from "../../db/queries/devices.ts";
import { codeOf, useCode } from "../../db/queries/openid-codes.ts";
import {
  denyDeviceCode,
  deviceCodeByUserCode,
  deviceCodeOf,
  insertDeviceCode,
  takeDeviceCode,
} from "../../db/queries/openid-device.ts";
import { takeCeremony } from "../../db/queries/passkeys.ts";
import { insertRecovery } from "../../db/queries/recoveries.ts";
import {
  decideReport,
  insertObjection,
  insertReport,
  objectionOf,
  reportOf,
  waitingObjections,
  waitingReports,
  waitingReportsOf,
} from "../../db/queries/reports.ts";
import {
  dueRevocations,
  insertRevocation,
  revocationsOf,
  takeRevocation,
} from "../../db/queries/revocations.ts";
import { insertSignIn, signInOfToken } from "../../db/queries/sign-ins.ts";
import { signingKeys } from "../../db/queries/signing-keys.ts";
import { useTrust } from "../../db/queries/trusted-browsers.ts";
import { device } from "../../db/schema/region/devices.ts";
import { trustedBrowser } from "../../db/schema/region/sign-in.ts";
import { systemRandom } from "../../durable-objects/platform.ts";
import { signAssertion } from "../../protocol/assertion.ts";
import { newId } from "../../protocol/ids.ts";
import { DAY, limits } from "../../protocol/limits.ts";
import { base64url, hashToken, newToken } from "../../protocol/tokens.ts";
import { listActivity, note } from "../../workers/account/activity.ts";
import {
  checkPersonalToken,
  listPersonalTokens,
  makePersonalToken,
} from "../../workers/account/personal-tokens.ts";
import { findUndo, offerUndo } from "../../workers/account/undo.ts";
import {
  approveEnrolment,
  lookupEnrolment,
  pollEnrolment,
  startEnrolment,
} from "../../workers/devices/devices.ts";
import { addName } from "../../workers/name/labels.ts";
import { offerName, offersOf } from "../../workers/name/offers.ts";
import type { Client } from "../../workers/openid/clients.ts";
import { newCode } from "../../workers/openid/codes.ts";
import { allow } from "../../workers/openid/grants.ts";
import { makeDueKeys, publicKeys } from "../../workers/openid/keys.ts";
import type { AuthorizeRequest } from "../../workers/openid/rules.ts";
import { checkAccessToken } from "../../workers/openid/tokens.ts";
import { acceptContact, askContact, knownPeople } from "../../workers/people/contacts.ts";
import { lanesOf } from "../../workers/privacy/plan.ts";
import { openCeremony } from "../../workers/sign-in/ceremonies.ts";
import { ownRecovery } from "../../workers/sign-in/lost-step.ts";
import { checkSession, listSessions } from "../../workers/sign-in/sessions.ts";
import { signUp } from "../../workers/sign-in/sign-up.ts";
import { completeSignIn, verifySignUp } from "../support/person.ts";
import { type TestPorts, testPorts } from "../support/ports.ts";
import { newPerson } from "./devices-support.ts";

const bindings = env as unknown as { DB_HOME: D1Database; DIRECTORY: D1Database };
const client = { userAgent: "curl/8.5.0", peer: "198.51.100.7" };
let test: TestPorts;
let accountId: string;
let serial = 0;

beforeEach(async () => {
  test = testPorts({ env });
  accountId = newId("acc", "home", systemRandom.bytes);
  await bindings.DB_HOME.prepare("INSERT INTO account VALUES (?, 1, 1, 0)").bind(accountId).run();
});

/** Makes one row of its kind; answers for how long it is to be seen, and whether it is. */
type Reader = () => Promise<{ liveMs: number; isSeen: () => Promise<boolean> }>;

async function enrolling() {
  const pair = (await crypto.subtle.generateKey("Ed25519", true, [
    "sign",
    "verify",
  ])) as CryptoKeyPair;
  const raw = (await crypto.subtle.exportKey("raw", pair.publicKey)) as ArrayBuffer;
  const start = await startEnrolment(test.ports, { publicKey: base64url(new Uint8Array(raw)) });
  const poll = async () => {
    const [origin, now] = [test.ports.config.origin, test.clock.now()];
    const subject = await hashToken(start.device_code);
    const assertion = await signAssertion(pair.privateKey, subject, origin, now);
    return await pollEnrolment(test.ports, { deviceCode: start.device_code, assertion });
  };
  return { userCode: start.user_code, poll };
}

/** A code on its way to an app that the account allowed. */
async function allowed() {
  const app: Client = {
    id: `app-${serial++}`,
    name: "An app",
    kind: "operator",
    redirectUris: [],
    postLogoutRedirectUris: [],
    auth: { method: "none" },
    scopes: ["openid"],
    idTokenAlg: "RS256",
    deviceGrant: false,
  };
  const scope = ["openid"] as const;
  const allowing = { accountId, client: app, scope, on: "Firefox", slot: "browser" };
  const grantId = await allow(test.ports, allowing, client);
  const request = { clientId: app.id, redirectUri: "https://app.example/", scope } as const;
  const facts = { accountId, methods: "password", authAt: test.clock.now() };
  const code = await newCode(test.ports, grantId, request as unknown as AuthorizeRequest, facts);
  if (code === null) throw new Error("no code");
  return { db: drizzle(bindings.DB_HOME) as Db, code };
}

const readers: Record<string, Reader> = {
  "region.door_reach": async () => {
    const db = drizzle(bindings.DB_HOME) as Db;
    const device = newId("dev", "home", systemRandom.bytes);
    const liveMs = limits.doorSessionMs;
    await insertReach(db, device, accountId, test.clock.now() + liveMs);
    return { liveMs, isSeen: () => hasReach(db, device, accountId, test.clock.now()) };
  },
  "region.door_report": async () => {
    const db = drizzle(bindings.DB_HOME) as Db;
    const deviceId = newId("dev", "home", systemRandom.bytes);
    await db.insert(device).values({ id: deviceId, accountId, createdAt: 1, endsAt: null });
    const now = test.clock.now();
    const row = { id: newId("rpt", "home", systemRandom.bytes), deviceId, about: "other" } as const;
    const times = { createdAt: now, expiresAt: now + limits.reportMs };
    await insertReport(db, { ...row, toldSealed: "s1.t", ...times }, limits.reportsPerDevice);
    return {
      liveMs: limits.reportMs,
      async isSeen() {
        const at = test.clock.now();
        const decision = { outcome: "closed", toldSealed: "s1.d", expiresAt: at + 1 } as const;
        const seen = [
          (await reportOf(db, row.id, at)) !== null,
          (await waitingReports(db, null, 9, at)).some(({ id }) => id === row.id),
          (await waitingReportsOf(db, deviceId, at)).length === 1,
          await decideReport(db, row.id, decision, at),
        ];
        expect(new Set(seen).size).toBe(1);
        return seen[0] ?? false;
      },
    };
  },
  "region.door_objection": async () => {
    const db = drizzle(bindings.DB_HOME) as Db;
    const deviceId = newId("dev", "home", systemRandom.bytes);
    const now = test.clock.now();
    const times = { createdAt: now, expiresAt: now + limits.reportMs };
    await insertObjection(db, { deviceId, accountId, wordsSealed: "s1.w", ...times });
    return {
      liveMs: limits.reportMs,
      async isSeen() {
        const at = test.clock.now();
        const seen = (await objectionOf(db, deviceId, at)) !== null;
        const listed = await waitingObjections(db, 9, at);
        expect(listed.some((row) => row.deviceId === deviceId)).toBe(seen);
        return seen;
      },
    };
  },
  "region.oauth_device_code": async () => {
    const [codeHash, userCodeHash] = [
      await hashToken(`device ${serial}`),
      await hashToken(`user ${serial++}`),
    ];
    const db = drizzle(bindings.DB_HOME) as Db;
    const expiresAt = test.clock.now() + limits.deviceCodeMs;
    const row = { codeHash, userCodeHash, clientId: "app", scope: "openid" };
    await insertDeviceCode(db, { ...row, polledAt: 0, intervalMs: 0, expiresAt });
    return {
      liveMs: limits.deviceCodeMs,
      async isSeen() {
        const now = test.clock.now();
        const polled = (await deviceCodeOf(db, codeHash, now)) !== null;
        const typed = (await deviceCodeByUserCode(db, userCodeHash, now)) !== null;
        expect(typed).toBe(polled);
        const denied = await denyDeviceCode(db, userCodeHash, `${userCodeHash}-`, now);
        expect(denied || (await takeDeviceCode(db, userCodeHash, now)) !== null).toBe(polled);
        return polled;
      },
    };
  },
  "region.activity": async () => {
    await note(test.ports, accountId, "signed-in", { client });
    const isSeen = async () => (await listActivity(test.ports, accountId)).length === 1;
    return { liveMs: limits.activityMs, isSeen };
  },
  "region.sign_in": async () => {
    const [tokenHash, db] = [
      await hashToken(`${accountId}${serial++}`),
      drizzle(bindings.DB_HOME) as Db,
    ];
    const expiresAt = test.clock.now() + limits.signInStepMs;
    await insertSignIn(db, { tokenHash, accountId, methods: "password", expiresAt });
    const isSeen = async () => (await signInOfToken(db, tokenHash, test.clock.now())) !== null;
    return { liveMs: limits.signInStepMs, isSeen };
  },
  "region.trusted_browser": async () => {
    const [tokenHash, db] = [
      await hashToken(`${accountId}${serial++}`),
      drizzle(bindings.DB_HOME) as Db,
    ];
    const now = test.clock.now();
    const expiresAt = now + limits.trustedBrowserMs;
    const row = { tokenHash, id: tokenHash, accountId, clientSealed: "s1.c" };
    await db.insert(trustedBrowser).values({ ...row, createdAt: now, seenAt: now, expiresAt });
    const isSeen = () => useTrust(db, accountId, tokenHash, test.clock.now());
    return { liveMs: limits.trustedBrowserMs, isSeen };
  },
  "region.ceremony": async () => {
    const asked = { kind: "sign-in", accountId: null } as const;
    const challenge = await openCeremony(test.ports, asked);
    const db = drizzle(bindings.DB_HOME) as Db;
    const challengeHash = await hashToken(challenge);
    const isSeen = () => takeCeremony(db, { challengeHash, ...asked }, test.clock.now());
    return { liveMs: limits.passkeyCeremonyMs, isSeen };
  },
  "region.oauth_code": async () => {
    const { db, code } = await allowed();
    const codeHash = await hashToken(code);
    const isSeen = async () => (await codeOf(db, codeHash, test.clock.now())) !== null;
    return { liveMs: limits.openidCodeMs, isSeen };
  },
  "region.oauth_token": async () => {
    const { db, code } = await allowed();
    const [access, now] = [newToken("oat", "home", systemRandom.bytes), test.clock.now()];
    const facts = { scope: "openid", methods: "password", authAt: now, rememberedUntil: now + 1 };
    const tokens = {
      chain: `c${serial++}`,
      accessHash: await hashToken(access),
      accessScope: "openid",
      accessExpiresAt: now + limits.accessTokenMs,
      refresh: null,
    };
    expect(await useCode(db, await hashToken(code), facts, tokens, now)).toBe(true);
    const isSeen = async () => (await checkAccessToken(test.ports, access)) !== null;
    return { liveMs: limits.accessTokenMs, isSeen };
  },
  "directory.signing_key": async () => {
    await makeDueKeys(test.ports);
    const [key] = await signingKeys(test.ports.directory.db, test.clock.now());
    if (key === undefined) throw new Error("no key was made");
    const isSeen = async () => (await publicKeys(test.ports)).some(({ kid }) => kid === key.kid);
    return { liveMs: key.expiresAt - test.clock.now(), isSeen };
  },
  "directory.certificate_order": async () => {
    const { db } = test.ports.directory;
    const deviceId = newId("dev", "home", systemRandom.bytes);
    const now = test.clock.now();
    const expiresAt = now + limits.certificateOrderMs;
    const row = { deviceId, slot: deviceId, exempt: 0, askedAt: now, expiresAt };
    await enqueueOrder(db, row);
    return {
      liveMs: limits.certificateOrderMs,
      async isSeen() {
        const at = test.clock.now();
        const waits = (await placeInQueue(db, deviceId, at)) !== null;
        expect((await dueOrders(db, at, 9)).includes(deviceId)).toBe(waits);
        expect((await leaseOrder(db, deviceId, at, at)) !== null).toBe(waits);
        return waits;
      },
    };
  },
  "directory.acme_slot": async () => {
    const { db } = test.ports.directory;
    const now = test.clock.now();
    const liveMs = limits.acmeOrdersWindowMs;
    const one = { max: 2, now, expiresAt: now + liveMs }; // the moment before left one
    expect(await takeOrder(db, `slot ${serial++}`, one)).toBe(true);
    return {
      liveMs,
      async isSeen() {
        const at = test.clock.now();
        const counts = (await nextFree(db, "order", at)) !== null;
        const asked = { max: 1, now: at, expiresAt: at };
        expect(await takeOrder(db, `slot ${serial++}`, asked)).toBe(!counts);
        return counts;
      },
    };
  },
  "region.personal_token": async () => {
    const asked = { name: "backup", scopes: ["devices:read"], days: 7 } as const;
    const { token } = await makePersonalToken(test.ports, accountId, asked, client);
    return {
      liveMs: 7 * DAY,
      async isSeen() {
        const checked = (await checkPersonalToken(test.ports, token)) !== null;
        expect((await listPersonalTokens(test.ports, accountId)).length === 1).toBe(checked);
        return checked;
      },
    };
  },
  "region.session": async () => {
    const made = await completeSignIn(test.ports, { accountId, methods: ["password"] }, client);
    return {
      liveMs: limits.sessionIdleMs,
      async isSeen() {
        const checked = (await checkSession(test.ports, made.token)) !== null;
        expect((await listSessions(test.ports, accountId)).length === 1).toBe(checked);
        return checked;
      },
    };
  },
  "region.challenge": async () => {
    const address = `late${serial++}@example.org`;
    const password = "an unlikely password";
    await signUp(test.ports, { address, password }, client);
    const link = /http\S+/.exec(test.mail.sent.at(-1)?.text ?? "")?.[0] ?? "";
    const token = new URL(link).searchParams.get("token") ?? "";
    const opened = () => verifySignUp(test.ports, { token, password }, client);
    return {
      liveMs: limits.challengeMs,
      isSeen: () =>
        opened().then(
          () => true,
          () => false,
        ),
    };
  },
  "region.undo": async () => {
    const contact = { kind: "email", text: `undo${serial++}@example.org` } as const;
    const row = { id: `idn_home_${serial}`, verifiedAt: 1 };
    await offerUndo(test.ports, accountId, row, contact, "changed");
    const token = /token=(\S+)/.exec(test.mail.sent.at(-1)?.text ?? "")?.[1] ?? "";
    const isSeen = async () => (await findUndo(test.ports, token)) !== null;
    return { liveMs: limits.addressUndoMs, isSeen };
  },
  "region.recovery": async () => {
    const db = drizzle(bindings.DB_HOME) as Db;
    const now = test.clock.now();
    const opensAt = now + limits.recoveryWaitMs;
    const liveMs = limits.recoveryWaitMs + limits.recoveryOpenMs;
    const stopHash = await hashToken(`${accountId}${serial++}`);
    await insertRecovery(db, { accountId, stopHash, opensAt, expiresAt: now + liveMs }, now);
    const isSeen = async () => (await ownRecovery(test.ports, accountId)) !== null;
    return { liveMs, isSeen };
  },
  "region.enrolment": async () => {
    const { userCode, poll } = await enrolling();
    return {
      liveMs: limits.enrolmentMs,
      async isSeen() {
        const found = (await lookupEnrolment(test.ports, accountId, userCode)) !== null;
        expect(await poll()).toMatchObject({
          error: found ? "authorization_pending" : "expired_token",
        });
        return found;
      },
    };
  },
  "region.enrolment_grant": async () => {
    const { userCode, poll } = await enrolling();
    await approveEnrolment(test.ports, accountId, { userCode, label: `late-${serial++}` });
    return { liveMs: limits.enrolmentMs, isSeen: async () => (await poll()).kind === "done" };
  },
  "region.contact_edge": async () => {
    const other = newId("acc", "home", systemRandom.bytes);
    await askContact(test.ports, accountId, other, client);
    const isSeen = async () => (await knownPeople(test.ports, accountId)).length === 1;
    return { liveMs: limits.contactAskMs, isSeen };
  },
  "region.name_offer": async () => {
    const { ports } = test;
    const other = await newPerson();
    await askContact(ports, accountId, other, client);
    await acceptContact(ports, other, accountId, client);
    const { userCode } = await enrolling();
    const device = await approveEnrolment(ports, accountId, {
      userCode,
      label: `late-${serial++}`,
    });
    const label = `late-${serial++}`;
    await addName(ports, accountId, device.id, label, client);
    await offerName(ports, accountId, device.id, { label, to: other }, client);
    const isSeen = async () => (await offersOf(ports, other)).length === 1;
    return { liveMs: limits.nameOfferMs, isSeen };
  },
  "region.revocation": async () => {
    const { ports } = test;
    const [id, deviceId] = (["rvk", "dev"] as const).map((kind) =>
      newId(kind, "home", systemRandom.bytes),
    ) as [string, string];
    const [now, db] = [test.clock.now(), ports.regions.db("home") as Db];
    const expiresAt = now + limits.revocationMs;
    const row = { id, deviceId, leavesSealed: "", tries: 0, dueAt: now };
    await insertRevocation(db, { ...row, expiresAt });
    return {
      liveMs: limits.revocationMs,
      async isSeen() {
        const at = test.clock.now();
        const isThere = (await revocationsOf(db, deviceId, at)).length === 1;
        const due = await dueRevocations(db, at, 99);
        expect(due.some((one) => one.id === id)).toBe(isThere);
        expect(await takeRevocation(db, row, at, at)).toBe(isThere);
        return isThere;
      },
    };
  },
  "directory.label": async () => {
    const [label, device] = [`held-${serial++}`, newId("dev", "home", systemRandom.bytes)];
    await test.ports.directory.claimLabel(label, device);
    await test.ports.directory.holdLabelsOf(device);
    return {
      liveMs: limits.heldLabelMs,
      isSeen: async () => !(await test.ports.directory.isLabelFree(label)),
    };
  },
};

describe("[DLY-3] with the sweep off", () => {
  const lanes = [...lanesOf("region"), ...lanesOf("directory")];

  it.each(lanes.map((lane) => [lane.name, lane] as const))(
    "%s is seen until its end and not at it, though its row is there",
    async (name, lane) => {
      const database = lane.store === "directory" ? bindings.DIRECTORY : bindings.DB_HOME;
      const left = () =>
        database.prepare(`SELECT count(*) AS n FROM ${lane.table}`).first<number>("n");
      for (const moment of ["before", "at"] as const) {
        const reader = await readers[name]?.();
        if (reader === undefined) throw new Error(`nothing here reads ${name}`);
        test.clock.advance(moment === "before" ? reader.liveMs - 1 : reader.liveMs);
        if (moment === "at") expect(await left()).toBeGreaterThan(0);
        expect(await reader.isSeen()).toBe(moment === "before");
      }
    },
  );
});
