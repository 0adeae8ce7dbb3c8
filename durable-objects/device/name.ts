/**
 * The device's public name: which addresses it resolves to. Who may change them stands in name-tokens.ts.
 *
 * Addresses are sealed under the feature's key, so switching the name off makes every copy
 * unreadable (FEA-4). Only the current addresses exist (CON-2).
 */

import type { Sealer } from "../../db/seal.ts";
import type { Family } from "../../protocol/addresses.ts";
import type { RecordSet } from "../../protocol/dns/sets.ts";
import { DAY, limits } from "../../protocol/limits.ts";
import type { Connection } from "./connection.ts";
import type { DeviceContext } from "./context.ts";
import { applied, families, ofConnection } from "./name-addresses.ts";
import { NameHistory } from "./name-history.ts";
import type {
  AddressUpdate,
  MadeNameToken,
  NameDescription,
  NameEvent,
  NewNameToken,
  UpdateResult,
  UpdateVerdict,
} from "./name-rpc.ts";
import { type KnownToken, NameTokens } from "./name-tokens.ts";
import type { SetProvider } from "./published.ts";
import type { NameAddresses } from "./rpc.ts";

interface Row extends Record<string, string | number | null> {
  addresses_sealed: string | null;
  changed_at: number | null;
  reported_day: number | null;
}

const NONE: NameAddresses = { ipv4: null, ipv6: null };

export class Name implements SetProvider {
  /** Who may speak for the name, beside the device's own socket. */
  readonly tokens: NameTokens;
  readonly history: NameHistory;
  readonly #context: DeviceContext;
  readonly #sealer: Sealer;
  readonly #isOn: () => boolean;
  readonly #mark: () => void;
  /** The opened record, so that it is unsealed once a wake; null until then. */
  #records: NameAddresses | null = null;
  /** Grows whenever the record is replaced or cleared, so that a slow reader keeps nothing old. */
  #epoch = 0;
  /** The day that was written down, so that a report costs no look at the disk. */
  #reportedDay = 0;
  /**
   * Updates, new tokens and the end of the key run one after another: an acknowledged change is
   * never overtaken by an older one, and a key that was destroyed is not made again by a late seal.
   */
  #turn: Promise<unknown> = Promise.resolve();

  /**
   * @param isOn whether the feature is on at this moment; whatever awaits asks again after
   * @param mark notes, in the transaction of a change, that what is published changes
   */
  constructor(context: DeviceContext, sealer: Sealer, isOn: () => boolean, mark: () => void) {
    this.#context = context;
    this.#sealer = sealer;
    this.#isOn = isOn;
    this.#mark = mark;
    this.tokens = new NameTokens(context, sealer, this.#key(), isOn);
    this.history = new NameHistory(context, sealer, this.#key());
  }

  /** The current addresses, as they stand in the record. */
  async addresses(): Promise<NameAddresses> {
    if (this.#records !== null) return this.#records;
    const epoch = this.#epoch;
    const sealed = this.#row()?.addresses_sealed ?? null;
    const text =
      sealed === null ? null : await this.#sealer.open(this.#key(), "name.addresses", sealed);
    if (epoch === this.#epoch) {
      this.#records ??= text === null ? NONE : (JSON.parse(text) as NameAddresses);
    }
    return this.#records ?? NONE;
  }

  async describe(): Promise<NameDescription> {
    const addresses = await this.addresses();
    const row = this.#row();
    return {
      ...addresses,
      changedAt: row?.changed_at ?? null,
      ...this.tokens.counts(),
    };
  }

  /** The record sets that the addresses make. */
  async sets(): Promise<readonly RecordSet[]> {
    const { ipv4, ipv6 } = await this.addresses();
    const set = (type: "A" | "AAAA", address: string | null): RecordSet[] =>
      address === null
        ? []
        : [{ owner: "", type, ttl: limits.addressTtlSeconds, data: [{ type, address }] }];
    return [...set("A", ipv4), ...set("AAAA", ipv6)];
  }

  /** A new token, told this once. */
  makeToken(asked: NewNameToken): Promise<MadeNameToken> {
    return this.inTurn(() => this.tokens.make(asked));
  }

  /** Applies an update; unchanged addresses cost no write. `nohost` while the name is off. */
  update(update: AddressUpdate): Promise<UpdateResult> {
    return this.inTurn(() => this.#update(update));
  }

  /** Deletes the record. What is in its turn right now finds the name off and writes nothing. */
  clear(): void {
    this.#context.sql.run("DELETE FROM name_record");
    this.#context.sql.run("DELETE FROM name_change");
    this.#context.sql.run("DELETE FROM name_signing");
    this.#mark();
    this.tokens.clear();
    this.history.clear();
    this.forgetMemory();
  }

  /** Seals `text` for another place under the name's key; null while the name is off. */
  seal(at: string, text: string): Promise<string | null> {
    return this.inTurn(async () => {
      if (!this.#isOn()) return null;
      const sealed = await this.#sealer.seal(this.#key(), at, text);
      return this.#isOn() ? sealed : null;
    });
  }

  /** Opens what was sealed for another place; null when it is not the name's, or its key is gone. */
  open(at: string, sealed: string): Promise<string | null> {
    return this.#sealer.open(this.#key(), at, sealed);
  }

  /** Destroys the key once nothing that might use it is under way. */
  destroyKey(): Promise<void> {
    return this.inTurn(() => this.#sealer.destroy(this.#key()));
  }

  /** Runs `work` after every change of the name that came before it. */
  inTurn<T>(work: () => Promise<T>): Promise<T> {
    const result = this.#turn.then(work);
    this.#turn = result.catch(() => undefined);
    return result;
  }

  forgetMemory(): void {
    this.#epoch++;
    this.#records = null;
    this.tokens.forgetMemory();
  }

  /** When the next change stops counting, a token ends or an event is forgotten; null when nothing does. */
  nextExpiry(): number | null {
    const query = "SELECT min(expires_at) AS at FROM name_change";
    const changes = this.#context.sql.all<{ at: number | null }>(query)[0]?.at ?? null;
    const times = [changes, this.tokens.nextExpiry(), this.history.nextExpiry()].filter(
      (at) => at !== null,
    );
    return times.length === 0 ? null : Math.min(...times);
  }

  /**
   * Forgets the changes that count no more, tokens that have ended and what happened long ago. That a token
   * ended because nobody used it, its owner reads in the history.
   */
  sweep(): Promise<void> {
    this.history.sweep();
    this.#forgetChanges();
    return this.inTurn(async () => {
      for (const { name } of await this.tokens.sweep()) {
        const what = { verdict: "ended", families: [], client: "", token: name } as const;
        const event = await this.history.sealed(what);
        if (event === null || !this.#isOn()) continue;
        this.#context.sql.transaction(() => this.history.write(event, what));
      }
    });
  }

  #forgetChanges(): void {
    const now = this.#context.clock.now();
    this.#context.sql.run("DELETE FROM name_change WHERE expires_at <= ?", now);
  }

  /** Takes over where the connected device is: nobody has to poll. True when that is news. */
  async adopt(at: Pick<Connection, "address" | "kept">): Promise<boolean> {
    const { allowSpecialAddresses } = this.#context;
    const changes = ofConnection(at.address(), at.kept(), allowSpecialAddresses);
    if (families.every((family) => changes[family] === "keep")) return false;
    const { verdict } = await this.update({ secret: null, client: "device", ...changes });
    return verdict === "good";
  }

  async #update(update: AddressUpdate): Promise<UpdateResult> {
    const { secret, from = null } = update;
    const token =
      secret === null ? null : await this.tokens.find(secret, "address", from, update.labels);
    if (secret !== null && token === null) {
      return { verdict: this.#isOn() ? "badauth" : "nohost", ...NONE };
    }
    const before = await this.addresses();
    if (!this.#isOn()) return { verdict: "nohost", ...NONE };
    const { isTrial = false } = update;
    if (token !== null && (isTrial ? token.isBlocked : this.tokens.isBlocked(token))) {
      return await this.#refuse("abuse", update, token, before);
    }
    const after = applied(before, update, this.#context.allowSpecialAddresses);
    if (after === null) return await this.#refuse("dnserr", update, token, before);
    const changed = families.filter((family) => before[family] !== after[family]);
    const now = this.#context.clock.now();
    if (changed.length === 0) {
      if (!isTrial) this.#noteReport(now);
      return { verdict: "nochg", ...before };
    }
    const isCounted = update.secret !== null || update.isCounted === true;
    if (isCounted) {
      const retryAfter = Math.max(...changed.map((family) => this.#waitFor(family, now)));
      if (retryAfter > 0) {
        return { ...(await this.#refuse("911", update, token, before)), retryAfter };
      }
    }
    if (isTrial) return { verdict: "good", ...after };
    const what = { ...whatOf("good", update, token), families: changed };
    const event = await this.history.sealed(what);
    const sealed = await this.#sealer.seal(this.#key(), "name.addresses", JSON.stringify(after));
    if (!this.#isOn()) return { verdict: "nohost", ...NONE };
    this.#store(sealed, isCounted ? changed : [], now, () => {
      if (event !== null) this.history.write(event, what);
    });
    this.#epoch++;
    this.#records = after;
    return { verdict: "good", ...after };
  }

  /** Changes nothing, and says so in the history. */
  async #refuse(
    verdict: "abuse" | "dnserr" | "911",
    update: AddressUpdate,
    token: KnownToken | null,
    before: NameAddresses,
  ): Promise<UpdateResult> {
    const what = whatOf(verdict, update, token);
    const event = await this.history.sealed(what);
    if (!this.#isOn()) return { verdict: "nohost", ...NONE };
    if (event !== null) this.#context.sql.transaction(() => this.history.write(event, what));
    return { verdict, ...before };
  }

  /** That the name is in use today: at most one write a day, and none that says more than the day. */
  #noteReport(now: number): void {
    const today = Math.floor(now / DAY) * DAY;
    if (this.#reportedDay === today) return;
    this.#reportedDay = today;
    if ((this.lastReport() ?? 0) >= today) return;
    this.#context.sql.run("UPDATE name_record SET reported_day = ?", today);
  }

  /** The last day on which somebody reported its addresses, ms since the epoch; null: none. */
  lastReport(): number | null {
    const row = this.#row();
    return Math.max(row?.changed_at ?? 0, row?.reported_day ?? 0) || null;
  }

  /** Writes the record, and the changes that count against the limit: the object may sleep in between. */
  #store(sealed: string, counted: readonly Family[], now: number, also: () => void): void {
    const { sql } = this.#context;
    sql.transaction(() => {
      sql.run(
        `INSERT INTO name_record (row, addresses_sealed, changed_at) VALUES (1, ?, ?)
         ON CONFLICT (row) DO UPDATE SET addresses_sealed = excluded.addresses_sealed,
           changed_at = excluded.changed_at`,
        sealed,
        now,
      );
      this.#mark();
      also();
      this.#forgetChanges();
      for (const family of counted) {
        const expiresAt = now + limits.updateWindowMs;
        sql.run("INSERT INTO name_change (family, expires_at) VALUES (?, ?)", family, expiresAt);
      }
    });
  }

  /** Seconds until this family may change again; 0 when it may now. */
  #waitFor(family: Family, now: number): number {
    const recent = this.#context.sql.all<{ expires_at: number }>(
      "SELECT expires_at FROM name_change WHERE family = ? AND expires_at > ? ORDER BY expires_at",
      family,
      now,
    );
    const [first] = recent;
    if (first === undefined || recent.length < limits.updateChangesPerFamily) return 0;
    return Math.ceil((first.expires_at - now) / 1000);
  }

  /** The stored row; none while the name is off, whatever is still on its way out. */
  #row(): Row | null {
    if (!this.#isOn()) return null;
    return this.#context.sql.all<Row>("SELECT * FROM name_record")[0] ?? null;
  }

  #key(): `feature/${string}/name` {
    return `feature/${this.#context.deviceId}/name`;
  }
}

/** What the owner reads of an update. */
function whatOf(
  verdict: UpdateVerdict,
  update: AddressUpdate,
  token: KnownToken | null,
): Omit<NameEvent, "at"> {
  const about = families.filter((family) => update[family] !== "keep");
  return { verdict, families: about, client: update.client ?? "", token: token?.name ?? "" };
}
