/**
 * The device's public name: which addresses it resolves to, and who may change them.
 *
 * Addresses are sealed under the feature's key, so switching the name off makes every copy
 * unreadable (FEA-4). Only the current addresses exist (CON-2).
 */

import type { Sealer } from "../../db/seal.ts";
import { regionOf } from "../../protocol/ids.ts";
import { limits } from "../../protocol/limits.ts";
import { equalInConstantTime, hashToken, newToken } from "../../protocol/tokens.ts";
import type { DeviceContext } from "./context.ts";
import type {
  AddressChange,
  AddressUpdate,
  NameDescription,
  NameRecords,
  UpdateResult,
} from "./rpc.ts";

interface Row extends Record<string, string | number | null> {
  addresses_sealed: string | null;
  update_secret_hash: string | null;
  changed_at: number | null;
}

const NONE: NameRecords = { ipv4: null, ipv6: null };

export class Name {
  readonly #context: DeviceContext;
  readonly #sealer: Sealer;
  #records: NameRecords | null = null;
  /** Updates run one after another: an acknowledged change is never overtaken by an older one. */
  #turn: Promise<unknown> = Promise.resolve();
  /** Times of recent changes per family, for the limit; in memory only. */
  readonly #changes: Record<"ipv4" | "ipv6", number[]> = { ipv4: [], ipv6: [] };

  constructor(context: DeviceContext, sealer: Sealer) {
    this.#context = context;
    this.#sealer = sealer;
  }

  async records(): Promise<NameRecords> {
    if (this.#records !== null) return this.#records;
    const sealed = this.#row()?.addresses_sealed ?? null;
    const text =
      sealed === null ? null : await this.#sealer.open(this.#key(), "name.addresses", sealed);
    this.#records ??= text === null ? NONE : (JSON.parse(text) as NameRecords);
    return this.#records;
  }

  async describe(): Promise<NameDescription> {
    const row = this.#row();
    return {
      ...(await this.records()),
      changedAt: row?.changed_at ?? null,
      hasUpdateSecret: row?.update_secret_hash != null,
    };
  }

  /** A new update secret; the old one stops working at once. */
  async rotateSecret(): Promise<string> {
    const { random, deviceId, sql } = this.#context;
    const secret = newToken("upd", regionOf(deviceId) ?? "home", (count) => random.bytes(count));
    const hash = await hashToken(secret);
    sql.run(
      `INSERT INTO name_record (row, update_secret_hash) VALUES (1, ?)
       ON CONFLICT (row) DO UPDATE SET update_secret_hash = excluded.update_secret_hash`,
      hash,
    );
    return secret;
  }

  /** Applies an update; unchanged addresses cost no write. */
  update(update: AddressUpdate): Promise<UpdateResult> {
    const result = this.#turn.then(() => this.#update(update));
    this.#turn = result.catch(() => undefined);
    return result;
  }

  clear(): void {
    this.#context.sql.run("DELETE FROM name_record");
    this.forgetMemory();
  }

  forgetMemory(): void {
    this.#records = null;
    this.#changes.ipv4 = [];
    this.#changes.ipv6 = [];
  }

  async #update(update: AddressUpdate): Promise<UpdateResult> {
    if (update.secret !== null && !(await this.#isSecret(update.secret))) {
      return { verdict: "badauth", ...NONE };
    }
    const before = await this.records();
    const after: NameRecords = {
      ipv4: apply(before.ipv4, update.ipv4),
      ipv6: apply(before.ipv6, update.ipv6),
    };
    const changed = (["ipv4", "ipv6"] as const).filter(
      (family) => before[family] !== after[family],
    );
    if (changed.length === 0) return { verdict: "nochg", ...before };
    const now = this.#context.clock.now();
    if (update.secret !== null) {
      const retryAfter = Math.max(...changed.map((family) => this.#waitFor(family, now)));
      if (retryAfter > 0) return { verdict: "911", ...before, retryAfter };
      for (const family of changed) this.#changes[family].push(now);
    }
    const sealed = await this.#sealer.seal(this.#key(), "name.addresses", JSON.stringify(after));
    this.#context.sql.run(
      `INSERT INTO name_record (row, addresses_sealed, changed_at) VALUES (1, ?, ?)
       ON CONFLICT (row) DO UPDATE SET addresses_sealed = excluded.addresses_sealed,
         changed_at = excluded.changed_at`,
      sealed,
      now,
    );
    this.#records = after;
    return { verdict: "good", ...after };
  }

  async #isSecret(secret: string): Promise<boolean> {
    const hash = await hashToken(secret);
    const stored = this.#row()?.update_secret_hash ?? null;
    return stored !== null && equalInConstantTime(stored, hash);
  }

  /** Seconds until this family may change again; 0 when it may now. */
  #waitFor(family: "ipv4" | "ipv6", now: number): number {
    const recent = this.#changes[family].filter((at) => at > now - limits.updateWindowMs);
    this.#changes[family] = recent;
    if (recent.length < limits.updateChangesPerFamily) return 0;
    return Math.ceil(((recent[0] as number) + limits.updateWindowMs - now) / 1000);
  }

  #row(): Row | null {
    return this.#context.sql.all<Row>("SELECT * FROM name_record")[0] ?? null;
  }

  #key(): `feature/${string}/name` {
    return `feature/${this.#context.deviceId}/name`;
  }
}

function apply(before: string | null, change: AddressChange): string | null {
  if (change === "keep") return before;
  return change === "clear" ? null : change.set;
}
