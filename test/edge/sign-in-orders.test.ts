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
import { type Action, orders, type Quality } from "./sign-in-actions.ts";
import { STEP_MS, smsCode, withApp, withSms } from "./steps-support.ts";

const { DB_HOME } = env as unknown as { DB_HOME: D1Database };
let serial = 0;

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
      case "race":
        return await this.race(action);
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
    this.use(account, kind, shown);
    this.enter(pending, outcome, trust);
  }

  /** A session and, where it was asked for, a trust came of a sign-in, which is used up. */
  enter(pending: Pending, { trustToken }: { readonly trustToken?: string }, trust: boolean): void {
    const { account } = pending;
    pending.live = false;
    account.sessions++;
    expect(trustToken !== undefined).toBe(trust);
    if (trustToken !== undefined) {
      account.trusts.set(trustToken, this.now + limits.trustedBrowserMs);
    }
  }

  /**
   * Several go on with one sign-in at once, each with a code of its own: one of those who are right wins.
   * Whether a loser's code was used up is not said, so the model counts on none of them any more.
   */
  async race({ which, runners }: Action & { do: "race" }): Promise<void> {
    const pending = this.pending.at(-1 - which);
    if (pending === undefined) return;
    const { account, token } = pending;
    if (runners.some(({ kind }) => kind === "sms")) {
      await settled(sendSignInCode(this.test.ports, token, CLIENT));
    }
    const isLive = pending.live && pending.until > this.now;
    const papers = [...account.paper];
    const shown = runners.map(({ kind, code }) => {
      const paper = kind === "recovery-code" && code === "right" ? papers.shift() : undefined;
      const isRight = code === "right" && this.isOwed(account, kind);
      if (kind !== "recovery-code") return { isRight, code: this.code(account, kind, code) };
      return {
        isRight: isRight && paper !== undefined,
        code: paper ?? this.code(account, kind, "wrong"),
      };
    });
    const outcomes = await Promise.all(
      runners.map(({ kind, trust }, at) => {
        const typed = { kind, code: shown[at]?.code ?? "" };
        return settled(takeTypedStep(this.test.ports, token, typed, CLIENT, { trust }));
      }),
    );
    const won = outcomes.flatMap((outcome, at) =>
      outcome?.kind === "signed-in" ? [{ outcome, at }] : [],
    );
    expect(won).toHaveLength(isLive && shown.some(({ isRight }) => isRight) ? 1 : 0);
    for (const { outcome, at } of won) {
      expect(shown[at]?.isRight).toBe(true);
      this.enter(pending, outcome, runners[at]?.trust ?? false);
    }
    account.paper = papers;
    this.test.clock.advance(STEP_MS);
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
  async change(
    account: Account,
    action: Exclude<Action, { do: "first" | "second" | "race" | "wait" }>,
  ) {
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

  /** Every session and every trust there is was one the model knows of. */
  async check(): Promise<void> {
    await this.test.settle();
    for (const { id, sessions, trusts } of this.accounts) {
      const made = DB_HOME.prepare("SELECT count(*) AS n FROM session WHERE account_id = ?");
      expect(await made.bind(id).first("n")).toBe(sessions);
      const trusted = DB_HOME.prepare(
        "SELECT count(*) AS n FROM trusted_browser WHERE account_id = ? AND expires_at > ?",
      );
      const live = [...trusts.values()].filter((until) => until > this.now);
      expect(await trusted.bind(id, this.now).first("n")).toBe(live.length);
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
