/** Who may come through the door, as the owner says: only me, listed people, everyone (CON-3). */

import { limits } from "../../protocol/limits.ts";
import type { DeviceContext } from "./context.ts";
import type { AccessMode } from "./rpc.ts";

/** Whose device it is, and whom it lets in. */
export interface AccessRule {
  readonly account_id: string;
  readonly access_mode: AccessMode;
}

export class Access {
  readonly #context: DeviceContext;

  constructor(context: DeviceContext) {
    this.#context = context;
  }

  people(): string[] {
    const query = "SELECT account_id FROM guest ORDER BY account_id";
    return this.#context.sql.all<{ account_id: string }>(query).map((guest) => guest.account_id);
  }

  setMode(mode: AccessMode): void {
    this.#context.sql.run("UPDATE registration SET access_mode = ?", mode);
  }

  /** Lists a person; false when the list is full. */
  add(accountId: string): boolean {
    const others = this.people().filter((person) => person !== accountId);
    if (others.length >= limits.peoplePerDevice) return false;
    const query = "INSERT INTO guest (account_id) VALUES (?) ON CONFLICT DO NOTHING";
    this.#context.sql.run(query, accountId);
    return true;
  }

  remove(accountId: string): void {
    this.#context.sql.run("DELETE FROM guest WHERE account_id = ?", accountId);
  }

  /** @param visitor an account; null for a visitor nobody asked for a name */
  mayEnter(rule: AccessRule, visitor: string | null): boolean {
    if (rule.access_mode === "everyone") return true;
    if (visitor === null) return false;
    if (visitor === rule.account_id) return true;
    if (rule.access_mode === "owner") return false;
    const query = "SELECT account_id FROM guest WHERE account_id = ?";
    return this.#context.sql.all(query, visitor).length > 0;
  }
}
