/**
 * Any order of steps, right and wrong, replayed and late, with settings changed in between: a session
 * is made where the account's own rules of that moment allow it, and nowhere else. The real rules on
 * the real database are held against a model that knows nothing of either.
 */

import { env } from "cloudflare:workers";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { personKey, sealedAt } from "../../db/queries/accounts.ts";
import { limits } from "../../protocol/limits.ts";
import { hashPassword } from "../../workers/sign-in/argon2.ts";
import { sendSignInCode, takeTypedStep } from "../../workers/sign-in/second-step.ts";
import { signIn } from "../../workers/sign-in/sign-in.ts";
import type { CodeKind } from "../../workers/sign-in/step-proofs.ts";
import { renewRecoveryCodes, switchOff } from "../../workers/sign-in/step-settings.ts";
import { totpCode } from "../../workers/sign-in/totp.ts";
import { endTrust, revokeAllTrusted } from "../../workers/sign-in/trust.ts";
import { CLIENT, newPerson, PASSWORD } from "../support/person.ts";
import { type TestPorts, testPorts } from "../support/ports.ts";
import { STEP_MS, smsCode, withApp, withSms } from "./steps-support.ts";

const { DB_HOME } = env as unknown as { DB_HOME: D1Database };
let serial = 0;

type Action =
  | { do: "first"; who: number; password: "right" | "wrong" | "former"; trust: Trust }
  | { do: "second"; which: number; kind: CodeKind; code: Quality; trust: boolean }
  | { do: "wait"; ms: number }
  | { do: "app" | "sms"; who: number; on: boolean }
  | { do: "codes" | "password" | "untrust"; who: number };
type Trust = "none" | "own" | "other" | "ended";
type Quality = "right" | "wrong" | "replayed" | "other";

const who = fc.nat({ max: 1 });
type First = Action & { do: "first" };
type Second = Action & { do: "second" };
const first = (given: Partial<First> = {}): fc.Arbitrary<Action> =>
  fc
    .record({
      do: fc.constant("first" as const),
      who,
      password: fc.constantFrom("right", "right", "right", "wrong", "former"),
      trust: fc.constantFrom("none", "own", "own", "other", "ended"),
    })
    .map((drawn) => ({ ...drawn, ...given }));
const second = (given: Partial<Second> = {}): fc.Arbitrary<Action> =>
  fc
    .record({
      do: fc.constant("second" as const),
      which: fc.nat({ max: 2 }),
      kind: fc.constantFrom("totp", "totp", "sms", "recovery-code"),
      code: fc.constantFrom("right", "right", "right", "wrong", "replayed", "other"),
      trust: fc.boolean(),
    })
    .map((drawn) => ({ ...drawn, ...given }));
const wait: fc.Arbitrary<Action> = fc.record({
  do: fc.constant("wait" as const),
  ms: fc.oneof(
    { weight: 8, arbitrary: fc.constant(STEP_MS) },
    { weight: 2, arbitrary: fc.constant(limits.signInStepMs) },
    { weight: 1, arbitrary: fc.constant(limits.trustedBrowserMs) },
  ),
});
const change: fc.Arbitrary<Action> = fc.oneof(
  fc.record({
    do: fc.constantFrom("app" as const, "app" as const, "sms" as const),
    who,
    on: fc.constantFrom(true, true, false),
  }),
  fc.record({
    do: fc.constantFrom("codes" as const, "password" as const, "untrust" as const),
    who,
  }),
);
const anything = fc.oneof(first(), second(), second(), wait, change);

/** A few actions that mean something together; the rest of an order makes a mess of them. */
const asked = first({ password: "right", trust: "none" });
const scene: fc.Arbitrary<Action[]> = fc.oneof(
  fc.tuple(anything, anything),
  fc.tuple(asked, second({ which: 0 })),
  fc.tuple(asked, fc.oneof(wait, change), second({ which: 0, code: "right" })),
  fc.tuple(asked, asked, second({ which: 0, kind: "totp" }), second({ which: 1, kind: "totp" })),
  fc.tuple(asked, second({ which: 0, code: "right", trust: true }), first({ password: "right" })),
);

/** An account that is protected and has a trusted browser, from where the interesting orders begin. */
const protectedBefore = (who: number): Action[] => [
  { do: "app", who, on: true },
  { do: "first", who, password: "right", trust: "none" },
  { do: "second", which: 0, kind: "totp", code: "right", trust: true },
  { do: "wait", ms: STEP_MS },
];
const orders = fc
  .tuple(
    fc.constantFrom([0, 1], [0, 1], [0], [1], []),
    fc.array(scene, { minLength: 3, maxLength: 10 }),
  )
  .map(([accounts, scenes]) => [...accounts.flatMap(protectedBefore), ...scenes.flat()]);

/** What one account would have to say about its sign-ins, were it asked. */
interface Account {
  readonly id: string;
  readonly address: string;
  passwords: string[];
  app: { secret: string; lastStep: number } | null;
  sms: boolean;
  /** Recovery codes that were not used. */
  paper: string[];
  /** Codes of each kind that were used, the latest last. */
  readonly used: Record<CodeKind, string[]>;
  /** Secrets of browsers it trusts, and until when. */
  trusts: Map<string, number>;
  readonly ended: string[];
  sessions: number;
}

interface Pending {
  readonly account: Account;
  readonly token: string;
  readonly until: number;
  live: boolean;
}

class World {
  readonly test: TestPorts;
  readonly accounts: Account[] = [];
  readonly pending: Pending[] = [];

  constructor() {
    const variables = { SMS_URL: "https://a:b@sms.example/", SMS_FROM: "Latchkey" };
    const limits = { take: async () => true }; // how often is another test's matter
    this.test = testPorts({ env, variables, replace: { limits } });
  }

  async begin(): Promise<void> {
    for (let index = 0; index < 2; index++) {
      const address = `order${serial++}@example.org`;
      const { accountId: id } = await newPerson(this.test, address);
      const used = { totp: [], sms: [], "recovery-code": [] };
      this.accounts.push({
        ...{ id, address, passwords: [PASSWORD], app: null, sms: false, paper: [], used },
        ...{ trusts: new Map(), ended: [], sessions: 1 },
      });
    }
  }

  get now(): number {
    return this.test.clock.now();
  }

  account(who: number): Account {
    return this.accounts[who] as Account;
  }

  other(account: Account): Account {
    return this.accounts.find((other) => other !== account) as Account;
  }

  async act(action: Action): Promise<void> {
    switch (action.do) {
      case "first":
        return await this.first(this.account(action.who), action);
      case "second":
        return await this.second(action);
      case "wait":
        return this.test.clock.advance(action.ms);
      default:
        return await this.change(this.account(action.who), action);
    }
  }

  /** A first step, and what must come of it. */
  async first(account: Account, { password, trust }: Action & { do: "first" }): Promise<void> {
    const typed = {
      right: account.passwords.at(-1),
      former: account.passwords.at(-2),
      wrong: "a wrong password",
    }[password];
    const trustToken = {
      none: undefined,
      own: [...account.trusts.keys()].at(-1),
      other: [...this.other(account).trusts.keys()].at(-1),
      ended: account.ended.at(-1),
    }[trust];
    const isRight = typed !== undefined && typed === account.passwords.at(-1);
    const isTrusted = (account.trusts.get(trustToken ?? "") ?? 0) > this.now;
    const twoSteps = account.app !== null || account.sms;
    const expected = !isRight ? "refused" : twoSteps && !isTrusted ? "second-step" : "signed-in";
    const input = { address: account.address, password: typed ?? "", trustToken };
    const outcome = await settled(signIn(this.test.ports, input, CLIENT));
    expect(outcome?.kind ?? "refused").toBe(expected);
    if (outcome?.kind === "signed-in") account.sessions++;
    if (outcome?.kind === "second-step") {
      const { token } = outcome.pending;
      this.pending.push({ account, token, until: this.now + limits.signInStepMs, live: true });
    }
  }

  /** A second step, and what must come of it. */
  async second({ which, kind, code, trust }: Action & { do: "second" }): Promise<void> {
    const pending = this.pending.at(-1 - which);
    if (pending === undefined) return;
    const { account, token } = pending;
    if (kind === "sms") await settled(sendSignInCode(this.test.ports, token, CLIENT));
    const shown = this.code(account, kind, code);
    const isLive = pending.live && pending.until > this.now;
    const expected =
      isLive && code === "right" && this.isOwed(account, kind) ? "signed-in" : "refused";
    const typed = { kind, code: shown };
    const outcome = await settled(takeTypedStep(this.test.ports, token, typed, CLIENT, { trust }));
    expect(outcome?.kind ?? "refused").toBe(expected);
    if (outcome?.kind !== "signed-in") return;
    pending.live = false;
    account.sessions++;
    this.use(account, kind, shown);
    expect(outcome.trustToken !== undefined).toBe(trust);
    if (outcome.trustToken !== undefined) {
      account.trusts.set(outcome.trustToken, this.now + limits.trustedBrowserMs);
    }
  }

  get timeStep(): number {
    return Math.floor(this.now / STEP_MS);
  }

  /** True when the account takes such a code now. */
  isOwed(account: Account, kind: CodeKind): boolean {
    if (kind === "totp") return account.app !== null && account.app.lastStep < this.timeStep;
    if (kind === "sms") return account.sms;
    return (account.app !== null || account.sms) && account.paper.length > 0;
  }

  code(account: Account, kind: CodeKind, quality: Quality): string {
    if (quality === "wrong") return kind === "recovery-code" ? "0000-0000-0000" : "no-one";
    if (quality === "replayed") return account.used[kind].at(-1) ?? "";
    const of = quality === "right" ? account : this.other(account);
    if (kind === "totp") return of.app === null ? "" : totpCode(of.app.secret, this.now);
    if (kind === "recovery-code") return of.paper[0] ?? "";
    return quality === "right" ? smsCode(this.test) : (account.used.sms[0] ?? "");
  }

  use(account: Account, kind: CodeKind, code: string): void {
    account.used[kind].push(code);
    if (kind === "totp" && account.app !== null) account.app.lastStep = this.timeStep;
    if (kind === "recovery-code") account.paper = account.paper.filter((one) => one !== code);
  }

  /** A change of settings, and that it ends what was granted before. */
  async change(account: Account, action: Exclude<Action, { do: "first" | "second" | "wait" }>) {
    const { ports } = this.test;
    const hadSteps = account.app !== null || account.sms;
    switch (action.do) {
      case "codes":
        if (hadSteps) account.paper = await renewRecoveryCodes(ports, account.id, CLIENT);
        return;
      case "password":
        await this.newPassword(account);
        break;
      case "untrust":
        await revokeAllTrusted(ports, account.id, CLIENT);
        break;
      case "app": {
        if (action.on === (account.app !== null)) return;
        if (action.on) await this.appOn(account, hadSteps);
        else await switchOff(ports, account.id, "totp", CLIENT);
        if (!action.on) account.app = null;
        break;
      }
      case "sms": {
        if (action.on === account.sms) return;
        const codes = action.on ? await withSms(this.test, account.id) : null;
        if (!action.on) await switchOff(ports, account.id, "sms", CLIENT);
        if (action.on && !hadSteps) account.paper = codes ?? [];
        account.sms = action.on;
        break;
      }
    }
    if (account.app === null && !account.sms) account.paper = [];
    account.ended.push(...account.trusts.keys());
    account.trusts = new Map();
    for (const pending of this.pending) if (pending.account === account) pending.live = false;
  }

  async appOn(account: Account, hadSteps: boolean): Promise<void> {
    const lastStep = this.timeStep;
    const { secret, recoveryCodes } = await withApp(this.test, account.id);
    account.app = { secret, lastStep };
    if (!hadSteps) account.paper = [...(recoveryCodes ?? [])];
  }

  /** As a change of password does it: the new hash, then the end of all trust. */
  async newPassword(account: Account): Promise<void> {
    const { ports } = this.test;
    const password = `password number ${account.passwords.length}`;
    const phc = hashPassword(password, ports.random.bytes);
    const at = sealedAt.phc(account.id);
    const sealed = await ports.sealer.seal(personKey(account.id), at, phc);
    await DB_HOME.prepare("UPDATE password SET phc_sealed = ? WHERE account_id = ?")
      .bind(sealed, account.id)
      .run();
    await endTrust(ports, account.id);
    account.passwords.push(password);
  }

  /** Every session there is was one the model knows of. */
  async check(): Promise<void> {
    await this.test.settle();
    for (const { id, sessions } of this.accounts) {
      const made = DB_HOME.prepare("SELECT count(*) AS n FROM session WHERE account_id = ?");
      expect(await made.bind(id).first("n")).toBe(sessions);
    }
  }
}

/** Null when it was refused, as everything is that is not right. */
async function settled<T>(work: Promise<T>): Promise<T | null> {
  try {
    return await work;
  } catch (error) {
    if ((error as { code?: string }).code === undefined) throw error;
    return null;
  }
}

describe("[ACC-12] any order of steps", () => {
  it("makes a session where the account's rules allow it, and nowhere else", {
    timeout: 300_000,
  }, async () => {
    const seen = { signedIn: 0 };
    await fc.assert(
      fc.asyncProperty(orders, async (actions) => {
        const world = new World();
        await world.begin();
        for (const one of actions) await world.act(one);
        await world.check();
        seen.signedIn += world.accounts.reduce((sum, { sessions }) => sum + sessions - 1, 0);
      }),
      { numRuns: 20, endOnFailure: false },
    );
    // The orders are of use only while many of them lead somewhere.
    expect(seen.signedIn).toBeGreaterThan(30);
  });
});
