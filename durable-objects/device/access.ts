/**
 * Who may come in, as the owner says (CON-3): rules for services and paths, of which the deepest
 * counts, and shares of one file or folder, which let in beside them. Who was let in has a pass, a text
 * that says by what and as whom: so that it is known whose way ends when something changes.
 */

import type { Sealer } from "../../db/seal.ts";
import { webService } from "../../protocol/link/headers.ts";
import type { DeviceContext } from "./context.ts";
import { judge } from "./paths.ts";
import type { AccessMode, Closure, IdentityMode } from "./rpc.ts";
import { type Rule, Rules } from "./rules.ts";
import { type Share, Shares } from "./shares.ts";

/** Who stands at the door. */
export interface Visitor {
  readonly account: string | null;
  /** An accepted contact of the owner when they came in, and not told otherwise since. */
  readonly contact: boolean;
  /** Shares whose links this browser opened. */
  readonly opened: ReadonlySet<string>;
}

export const nobody: Visitor = { account: null, contact: false, opened: new Set() };

/** `open`: anybody may go there, whoever they are. */
export type Judgement =
  | { readonly kind: "pass"; readonly pass: string; readonly open: boolean }
  | { readonly kind: "sign-in" | "forbidden" | "closed" };

export class Access {
  readonly #context: DeviceContext;
  readonly #owner: () => string | null;
  readonly rules: Rules;
  readonly shares: Shares;
  /** As it is in the table: every visit asks, few ever change it. Null: to be read again. */
  #door: { readonly identity: IdentityMode; readonly closed: Closure | null } | null = null;

  /** @param owner whose device it is; null when it is nobody's */
  constructor(context: DeviceContext, sealer: Sealer, owner: () => string | null) {
    this.#context = context;
    this.#owner = owner;
    this.rules = new Rules(context);
    this.shares = new Shares(context, sealer);
  }

  /** Before anything is said the door opens for the owner alone. Idempotent. */
  begin(): void {
    const { sql } = this.#context;
    sql.run("INSERT INTO door (row, identity) VALUES (1, 'off') ON CONFLICT DO NOTHING");
    this.rules.begin();
    this.forgetMemory();
  }

  forgetMemory(): void {
    this.#door = null;
    this.rules.forgetMemory();
    this.shares.forgetMemory();
  }

  // What is set, beside rules and shares

  get mode(): AccessMode {
    return this.rules.root().mode;
  }

  get identity(): IdentityMode {
    return this.#settings().identity;
  }

  get closed(): Closure | null {
    return this.#settings().closed;
  }

  /** People whom the owner lets in to the whole page by name; everybody may come, they are known. */
  named(): string[] {
    if (this.closed?.extent === "all") return [];
    return this.mode === "listed" || this.mode === "everyone" ? this.rules.people() : [];
  }

  /** Takes a person off every list. */
  forget(accountId: string): void {
    this.rules.forget(accountId);
    this.shares.forget(accountId);
  }

  setIdentity(mode: IdentityMode): void {
    this.#context.sql.run("UPDATE door SET identity = ?", mode);
    this.#door = null;
  }

  /** Keeps the operator's word; false when it says what it said before. */
  close(closure: Closure | null): boolean {
    const before = this.closed;
    const isSame =
      closure === null
        ? before === null
        : before?.reason === closure.reason &&
          before.extent === closure.extent &&
          before.words === closure.words;
    if (isSame) return false;
    const query =
      "UPDATE door SET closed_for = ?, closed_extent = ?, closed_words = ?, closed_at = ?";
    const { reason = null, extent = null, words = null, at = null } = closure ?? {};
    this.#context.sql.run(query, reason, extent, words, at);
    this.#door = null;
    return true;
  }

  // Who may come in

  /** True when everybody may go everywhere: no look at who comes, or where to, is needed. */
  get isOpen(): boolean {
    const [only, more] = this.rules.all();
    return only?.mode === "everyone" && more === undefined && this.closed === null;
  }

  /** The pass of whoever comes through an open door. */
  get openPass(): string {
    return passOf([this.rules.root()], null);
  }

  /** Judges a path of the web service, once `shares.ready()`. */
  judge(path: string, visitor: Visitor): Judgement {
    const rules = this.rules.web();
    const shares = this.shares.over(path, visitor, this.closed);
    const open = judge<Rule | Share>(rules, [], path, (rule) => this.#admits(rule, nobody));
    if (open !== null) return { kind: "pass", pass: passOf(open, null), open: true };
    const by = this.#isOwner(visitor.account)
      ? [this.rules.root()]
      : judge<Rule | Share>(rules, shares, path, (rule) => this.#admits(rule, visitor));
    if (by !== null) return { kind: "pass", pass: passOf(by, visitor.account), open: false };
    if (this.closed !== null && this.#onceOpen(rules, path, visitor)) return { kind: "closed" };
    return { kind: visitor.account === null ? "sign-in" : "forbidden" };
  }

  /** True for somebody to whom some path is open. */
  mayEnter(account: string, contact: boolean): boolean {
    if (this.#isOwner(account)) return true;
    const visitor = { account, contact, opened: nobody.opened };
    const web = this.rules.web();
    return (
      web.some((rule) => this.#admits(rule, visitor)) || this.shares.admitSome(visitor, this.closed)
    );
  }

  /** True for a visitor to whom some path of the web service is open. */
  admitsSomewhere(visitor: Visitor): boolean {
    if (visitor.opened.size > 0 && this.closed === null) return true;
    if (visitor.account !== null) return this.mayEnter(visitor.account, visitor.contact);
    const web = this.rules.web();
    return web.some((rule) => this.#admits(rule, nobody));
  }

  /** True for somebody who may use a service that no path leads to; before a rule, for the owner. */
  mayUse(service: string, account: string, contact: boolean): boolean {
    if (this.#isOwner(account)) return true;
    const rule = this.rules.at(service, "/");
    if (rule === undefined || service === webService || rule.mode === "everyone") return false;
    return this.#admits(rule, { account, contact, opened: nobody.opened });
  }

  /** True for somebody who may use one or the other such service. */
  mayUseSome(account: string, contact: boolean): boolean {
    if (this.#isOwner(account)) return true;
    return this.rules.all().some(({ service }) => this.mayUse(service, account, contact));
  }

  /** True while what a pass was given for is there and lets its holder in. */
  holds(pass: string): boolean {
    const { by, account } = readPass(pass);
    if (this.#isOwner(account)) return true;
    const contact = account !== null && this.#isHereAsContact(account);
    const visitor = { account, contact, opened: new Set(by) };
    return by.every((id) => {
      const rule = this.rules.byId(id);
      return rule === undefined
        ? this.shares.holds(id, visitor, this.closed)
        : this.#admits(rule, visitor);
    });
  }

  /** True while a pass holds that was given by what stands above a new rule, if that lets them in too. */
  holdsBeside(pass: string, ruleId: string): boolean {
    const { by, account } = readPass(pass);
    const rule = this.rules.byId(ruleId);
    if (rule === undefined || this.#isOwner(account)) return true;
    const contact = account !== null && this.#isHereAsContact(account);
    return (
      !this.rules.isAbove(by, rule) ||
      this.#admits(rule, { account, contact, opened: nobody.opened })
    );
  }

  #admits(rule: Rule | Share, visitor: Visitor, closed = this.closed): boolean {
    if ("audience" in rule) return false; // shares were looked at before
    if (this.#isOwner(visitor.account)) return true;
    if (closed?.extent === "all") return false;
    switch (rule.mode) {
      case "owner":
        return false;
      case "everyone":
        // Closed, it opens to the people on its list: the owner lets them in by name.
        return closed === null || this.rules.isListed(rule, visitor.account);
      case "contacts":
        return visitor.contact;
      case "listed":
        return this.rules.isListed(rule, visitor.account);
    }
  }

  /** True when only the operator's word keeps the visitor out. */
  #onceOpen(rules: readonly Rule[], path: string, visitor: Visitor): boolean {
    const shares = this.shares.over(path, visitor, null);
    const admits = (rule: Rule | Share) => this.#admits(rule, visitor, null);
    return judge<Rule | Share>(rules, shares, path, admits) !== null;
  }

  #isOwner(account: string | null): boolean {
    return account !== null && account === this.#owner();
  }

  #isHereAsContact(account: string): boolean {
    const query =
      "SELECT 1 AS one FROM door_session WHERE account_id = ? AND contact = 1 AND expires_at > ?";
    return this.#context.sql.all(query, account, this.#context.clock.now()).length > 0;
  }

  #settings() {
    if (this.#door !== null) return this.#door;
    const [row] = this.#context.sql.all<{
      identity: IdentityMode;
      closed_for: Closure["reason"] | null;
      closed_extent: Closure["extent"] | null;
      closed_words: string | null;
      closed_at: number | null;
    }>("SELECT identity, closed_for, closed_extent, closed_words, closed_at FROM door");
    const closed =
      row?.closed_for == null
        ? null
        : {
            reason: row.closed_for,
            extent: row.closed_extent ?? "all",
            words: row.closed_words ?? "",
            at: row.closed_at ?? 0,
          };
    this.#door = { identity: row?.identity ?? "off", closed };
    return this.#door;
  }
}

function passOf(by: readonly { readonly id: string }[], account: string | null): string {
  return `${by.map(({ id }) => id).join(",")}|${account ?? ""}`;
}

/** What a pass was given for and to whom. */
export function readPass(pass: string): { by: readonly string[]; account: string | null } {
  const [by = "", account = ""] = pass.split("|");
  return { by: by.split(","), account: account === "" ? null : account };
}
