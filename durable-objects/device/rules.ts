/**
 * The rules of a device's door, one for each service and path, and who is on the list of each. What
 * they mean for somebody who comes is in access.ts.
 */

import { newId, regionOf } from "../../protocol/ids.ts";
import { limits } from "../../protocol/limits.ts";
import { webService } from "../../protocol/link/headers.ts";
import type { DeviceContext } from "./context.ts";
import { covers, type Placed } from "./paths.ts";
import type { AccessMode, RuleDescription } from "./rpc.ts";

export interface Rule extends Placed {
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

export class Rules {
  readonly #context: DeviceContext;
  /** As it is in the table: every visit asks, few ever change it. Null: to be read again. */
  #known: readonly Rule[] | null = null;

  constructor(context: DeviceContext) {
    this.#context = context;
  }

  /** Before anything is said the door opens for the owner alone. Idempotent. */
  begin(): void {
    this.#insert(webService, "/", "owner");
  }

  forgetMemory(): void {
    this.#known = null;
  }

  all(): readonly Rule[] {
    this.#known ??= this.#context.sql
      .all<RuleRow>("SELECT id, service, path, mode FROM door_rule ORDER BY service, path")
      .map(({ path, ...rule }) => ({ ...rule, prefix: path }));
    return this.#known;
  }

  /** Those of the web service. */
  web(): readonly Rule[] {
    return this.all().filter(({ service }) => service === webService);
  }

  /** That of `/` of the web service. */
  root(): Rule {
    const rule = this.all().find(({ service, prefix }) => service === webService && prefix === "/");
    if (rule === undefined) throw new Error("a device without a rule for its door");
    return rule;
  }

  byId(id: string): Rule | undefined {
    return this.all().find((one) => one.id === id);
  }

  at(service: string, prefix: string): Rule | undefined {
    return this.all().find((one) => one.service === service && one.prefix === prefix);
  }

  /** Every rule but that of `/` of the web service. */
  describe(): RuleDescription[] {
    return this.all()
      .filter(({ service, prefix }) => service !== webService || prefix !== "/")
      .map(({ id, service, prefix, mode }) => ({
        id,
        service,
        path: prefix,
        mode,
        people: this.people(id),
      }));
  }

  /** Makes a rule or changes it; false when there are as many as can be. */
  set(service: string, prefix: string, mode: AccessMode): boolean {
    const same = this.at(service, prefix);
    if (same !== undefined) {
      this.#context.sql.run("UPDATE door_rule SET mode = ? WHERE id = ?", mode, same.id);
      this.#known = null;
      return true;
    }
    if (this.all().length > limits.rulesPerDevice) return false;
    this.#insert(service, prefix, mode);
    return true;
  }

  /** Removes a rule with its list; that of `/` of the web service stays. */
  remove(ruleId: string): void {
    if (ruleId === this.root().id) return;
    this.#context.sql.transaction(() => {
      this.#context.sql.run("DELETE FROM guest WHERE rule_id = ?", ruleId);
      this.#context.sql.run("DELETE FROM door_rule WHERE id = ?", ruleId);
    });
    this.#known = null;
  }

  /** True when a pass that these rules, or shares, gave was given by something above `rule`. */
  isAbove(ids: readonly string[], rule: Rule): boolean {
    return ids.some((id) => {
      const other = this.byId(id);
      return other === undefined || (other.id !== rule.id && covers(other.prefix, rule.prefix));
    });
  }

  // Who is on the list of a rule; null: of `/` of the web service

  people(ruleId: string | null = null): string[] {
    const query = "SELECT account_id FROM guest WHERE rule_id = ? ORDER BY account_id";
    const id = ruleId ?? this.root().id;
    return this.#context.sql.all<{ account_id: string }>(query, id).map((row) => row.account_id);
  }

  isListed(rule: Rule, account: string | null): boolean {
    if (account === null) return false;
    const query = "SELECT account_id FROM guest WHERE rule_id = ? AND account_id = ?";
    return this.#context.sql.all(query, rule.id, account).length > 0;
  }

  /** Lists a person; false when the list is full, null when there is no such list. */
  list(accountId: string, ruleId: string | null): boolean | null {
    const rule = ruleId === null ? this.root() : this.byId(ruleId);
    if (rule === undefined) return null;
    const others = this.people(rule.id).filter((person) => person !== accountId);
    if (others.length >= limits.peoplePerDevice) return false;
    const query = "INSERT INTO guest (rule_id, account_id) VALUES (?, ?) ON CONFLICT DO NOTHING";
    this.#context.sql.run(query, rule.id, accountId);
    return true;
  }

  unlist(accountId: string, ruleId: string | null): void {
    const query = "DELETE FROM guest WHERE rule_id = ? AND account_id = ?";
    this.#context.sql.run(query, ruleId ?? this.root().id, accountId);
  }

  /** Takes a person off every list. */
  forget(accountId: string): void {
    this.#context.sql.run("DELETE FROM guest WHERE account_id = ?", accountId);
  }

  #insert(service: string, prefix: string, mode: AccessMode): void {
    const { sql, random, deviceId } = this.#context;
    const id = newId("rul", regionOf(deviceId) ?? "home", (count) => random.bytes(count));
    const query = `INSERT INTO door_rule (id, service, path, mode) VALUES (?, ?, ?, ?)
       ON CONFLICT DO NOTHING`;
    sql.run(query, id, service, prefix, mode);
    this.#known = null;
  }
}
