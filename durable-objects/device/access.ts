/**
 * Who may come in, as the owner says (CON-3): rules for services and paths, of which the deepest
 * counts, and shares of one file or folder, which let in beside them. Who was let in has a pass, a text
 * that says by what and as whom: so that it is known whose way ends when something changes.
 */

import type { Sealer } from "../../db/seal.ts";
import { newId, regionOf } from "../../protocol/ids.ts";
import { limits } from "../../protocol/limits.ts";
import { webService } from "../../protocol/link/headers.ts";
import type { DeviceContext } from "./context.ts";
import { covers, judge, type Placed } from "./paths.ts";
import type { AccessMode, Closure, IdentityMode, RuleDescription } from "./rpc.ts";
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

interface Rule extends Placed {
  readonly id: string;
  readonly service: string;
  readonly mode: AccessMode;
}

interface RuleRow extends Record<string, string> {
  id: string;
  service: string;
  path: string;
  mode: AccessMode;
}

/** `open`: anybody may go there, whoever they are. */
export type Judgement =
  | { readonly kind: "pass"; readonly pass: string; readonly open: boolean }
  | { readonly kind: "sign-in" | "forbidden" | "closed" };

export class Access {
  readonly #context: DeviceContext;
  readonly #owner: () => string | null;
  readonly shares: Shares;
  /** As it is in the tables: every visit asks, few ever change it. Null: to be read again. */
  #rules: readonly Rule[] | null = null;
  #door: { readonly identity: IdentityMode; readonly closed: Closure | null } | null = null;

  /** @param owner whose device it is; null when it is nobody's */
  constructor(context: DeviceContext, sealer: Sealer, owner: () => string | null) {
    this.#context = context;
    this.#owner = owner;
    this.shares = new Shares(context, sealer);
  }

  /** Before anything is said the door opens for the owner alone. Idempotent. */
  begin(): void {
    const { sql } = this.#context;
    sql.run("INSERT INTO door (row, identity) VALUES (1, 'off') ON CONFLICT DO NOTHING");
    this.#insert(webService, "/", "owner");
    this.forgetMemory();
  }

  forgetMemory(): void {
    this.#rules = null;
    this.#door = null;
    this.shares.forgetMemory();
  }

  // What is set

  get mode(): AccessMode {
    return this.#root().mode;
  }

  get identity(): IdentityMode {
    return this.#settings().identity;
  }

  get closed(): Closure | null {
    return this.#settings().closed;
  }

  /** Who is on the list of a rule; null: of `/` of the web service. */
  people(ruleId: string | null = null): string[] {
    const query = "SELECT account_id FROM guest WHERE rule_id = ? ORDER BY account_id";
    const id = ruleId ?? this.#root().id;
    return this.#context.sql.all<{ account_id: string }>(query, id).map((row) => row.account_id);
  }

  /** People whom the owner lets in to the whole page by name; everybody may come, they are known. */
  named(): string[] {
    if (this.closed?.extent === "all") return [];
    return this.mode === "listed" || this.mode === "everyone" ? this.people() : [];
  }

  /** Every rule but that of `/` of the web service. */
  rules(): RuleDescription[] {
    return this.#all()
      .filter(({ service, prefix }) => service !== webService || prefix !== "/")
      .map(({ id, service, prefix, mode }) => ({
        id,
        service,
        path: prefix,
        mode,
        people: this.people(id),
      }));
  }

  setMode(mode: AccessMode): void {
    this.setRule(webService, "/", mode);
  }

  /**
   * Makes a rule or changes it.
   * @returns the rule that held for its path before, when it is new; `full` when there are as many as can be
   */
  setRule(service: string, prefix: string, mode: AccessMode): string | "full" | null {
    const all = this.#all();
    const same = all.find((one) => one.service === service && one.prefix === prefix);
    if (same !== undefined) {
      this.#context.sql.run("UPDATE door_rule SET mode = ? WHERE id = ?", mode, same.id);
      this.#rules = null;
      return null;
    }
    if (all.length > limits.rulesPerDevice) return "full";
    const above = all
      .filter((one) => one.service === service && covers(one.prefix, prefix))
      .sort((a, b) => b.prefix.length - a.prefix.length)[0];
    this.#insert(service, prefix, mode);
    return above?.id ?? null;
  }

  removeRule(ruleId: string): void {
    if (ruleId === this.#root().id) return;
    this.#context.sql.transaction(() => {
      this.#context.sql.run("DELETE FROM guest WHERE rule_id = ?", ruleId);
      this.#context.sql.run("DELETE FROM door_rule WHERE id = ?", ruleId);
    });
    this.#rules = null;
  }

  /** Lists a person; false when the list is full, null when there is no such list. */
  add(accountId: string, ruleId: string | null): boolean | null {
    const rule = ruleId === null ? this.#root() : this.#all().find(({ id }) => id === ruleId);
    if (rule === undefined) return null;
    const others = this.people(rule.id).filter((person) => person !== accountId);
    if (others.length >= limits.peoplePerDevice) return false;
    const query = "INSERT INTO guest (rule_id, account_id) VALUES (?, ?) ON CONFLICT DO NOTHING";
    this.#context.sql.run(query, rule.id, accountId);
    return true;
  }

  remove(accountId: string, ruleId: string | null): void {
    const query = "DELETE FROM guest WHERE rule_id = ? AND account_id = ?";
    this.#context.sql.run(query, ruleId ?? this.#root().id, accountId);
  }

  /** Takes a person off every list. */
  forget(accountId: string): void {
    this.#context.sql.run("DELETE FROM guest WHERE account_id = ?", accountId);
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
    const [only, more] = this.#all();
    return only?.mode === "everyone" && more === undefined && this.closed === null;
  }

  /** The pass of whoever comes through an open door. */
  get openPass(): string {
    return passOf([this.#root()], null);
  }

  /** Judges a path of the web service, once `shares.ready()`. */
  judge(path: string, visitor: Visitor): Judgement {
    const rules = this.#all().filter(({ service }) => service === webService);
    const shares = this.shares.over(path, visitor, this.closed);
    const open = judge<Rule | Share>(rules, [], path, (rule) => this.#admits(rule, nobody));
    if (open !== null) return { kind: "pass", pass: passOf(open, null), open: true };
    const by = this.#isOwner(visitor.account)
      ? [this.#root()]
      : judge<Rule | Share>(rules, shares, path, (rule) => this.#admits(rule, visitor));
    if (by !== null) return { kind: "pass", pass: passOf(by, visitor.account), open: false };
    if (this.closed !== null && this.#onceOpen(rules, path, visitor)) return { kind: "closed" };
    return { kind: visitor.account === null ? "sign-in" : "forbidden" };
  }

  /** True for somebody to whom some path is open. */
  mayEnter(account: string, contact: boolean): boolean {
    if (this.#isOwner(account)) return true;
    const visitor = { account, contact, opened: nobody.opened };
    const web = this.#all().filter(({ service }) => service === webService);
    return (
      web.some((rule) => this.#admits(rule, visitor)) || this.shares.admitSome(visitor, this.closed)
    );
  }

  /** True for a visitor to whom some path of the web service is open. */
  admitsSomewhere(visitor: Visitor): boolean {
    if (visitor.opened.size > 0 && this.closed === null) return true;
    if (visitor.account !== null) return this.mayEnter(visitor.account, visitor.contact);
    const web = this.#all().filter(({ service }) => service === webService);
    return web.some((rule) => this.#admits(rule, nobody));
  }

  /** True for somebody who may use a service that no path leads to; before a rule, for the owner. */
  mayUse(service: string, account: string, contact: boolean): boolean {
    if (this.#isOwner(account)) return true;
    const rule = this.#all().find((one) => one.service === service && one.prefix === "/");
    if (rule === undefined || service === webService || rule.mode === "everyone") return false;
    return this.#admits(rule, { account, contact, opened: nobody.opened });
  }

  /** True for somebody who may use one or the other such service. */
  mayUseSome(account: string, contact: boolean): boolean {
    if (this.#isOwner(account)) return true;
    return this.#all().some(({ service }) => this.mayUse(service, account, contact));
  }

  /** True while what a pass was given for is there and lets its holder in. */
  holds(pass: string): boolean {
    const { by, account } = readPass(pass);
    if (this.#isOwner(account)) return true;
    const contact = account !== null && this.#isHereAsContact(account);
    const visitor = { account, contact, opened: new Set(by) };
    return by.every((id) => {
      const rule = this.#all().find((one) => one.id === id);
      return rule === undefined
        ? this.shares.holds(id, visitor, this.closed)
        : this.#admits(rule, visitor);
    });
  }

  /** True while a pass holds that was given by what stands above a new rule, if that lets them in too. */
  holdsBeside(pass: string, ruleId: string): boolean {
    const { by, account } = readPass(pass);
    const rule = this.#all().find((one) => one.id === ruleId);
    if (rule === undefined || this.#isOwner(account)) return true;
    const contact = account !== null && this.#isHereAsContact(account);
    const above = by.some((id) => {
      const other = this.#all().find((one) => one.id === id);
      return other === undefined || (other.id !== rule.id && covers(other.prefix, rule.prefix));
    });
    return !above || this.#admits(rule, { account, contact, opened: nobody.opened });
  }

  /** The rule of a service and path. */
  ruleAt(service: string, prefix: string): string | null {
    const rule = this.#all().find((one) => one.service === service && one.prefix === prefix);
    return rule?.id ?? null;
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
        return closed === null || this.#isListed(rule, visitor);
      case "contacts":
        return visitor.contact;
      case "listed":
        return this.#isListed(rule, visitor);
    }
  }

  #isListed(rule: Rule, { account }: Visitor): boolean {
    if (account === null) return false;
    const query = "SELECT account_id FROM guest WHERE rule_id = ? AND account_id = ?";
    return this.#context.sql.all(query, rule.id, account).length > 0;
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

  #insert(service: string, prefix: string, mode: AccessMode): void {
    const { sql, random, deviceId } = this.#context;
    const id = newId("rul", regionOf(deviceId) ?? "home", (count) => random.bytes(count));
    const query = `INSERT INTO door_rule (id, service, path, mode) VALUES (?, ?, ?, ?)
       ON CONFLICT DO NOTHING`;
    sql.run(query, id, service, prefix, mode);
    this.#rules = null;
  }

  #root(): Rule {
    const rule = this.#all().find(
      ({ service, prefix }) => service === webService && prefix === "/",
    );
    if (rule === undefined) throw new Error("a device without a rule for its door");
    return rule;
  }

  #all(): readonly Rule[] {
    this.#rules ??= this.#context.sql
      .all<RuleRow>("SELECT id, service, path, mode FROM door_rule ORDER BY service, path")
      .map(({ path, ...rule }) => ({ ...rule, prefix: path }));
    return this.#rules;
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
