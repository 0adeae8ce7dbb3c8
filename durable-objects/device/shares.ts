/**
 * Shares: one file or folder of the device that somebody may open until a time. What is shared is
 * sealed under Link's key, which goes when Link is switched off; of a link and its password hashes are
 * held only. A password is hashed fast, not with argon2: the hash is sealed under a key that lies apart
 * from it, tries are counted, and nobody may try without the link's 256 bits (docs/door.md).
 */

import type { Sealer } from "../../db/seal.ts";
import { newId, regionOf } from "../../protocol/ids.ts";
import { limits } from "../../protocol/limits.ts";
import { equalInConstantTime, hashToken, newToken, parseToken } from "../../protocol/tokens.ts";
import type { Visitor } from "./access.ts";
import type { DeviceContext } from "./context.ts";
import { covers, type Placed } from "./paths.ts";
import type { Audience, Closure, MadeShare, NewShare, ShareDescription } from "./rpc.ts";

/** A share as it is judged by. */
export interface Share extends Placed {
  readonly id: string;
  readonly audience: Audience;
  readonly expiresAt: number;
}

interface ShareRow extends Record<string, string | number | null> {
  id: string;
  audience: Audience;
  what_sealed: string;
  created_at: number;
  expires_at: number;
}

/** What is sealed of a share. */
interface What {
  readonly path: string;
  readonly name: string;
  readonly password: string | null;
}

export class Shares {
  readonly #context: DeviceContext;
  readonly #sealer: Sealer;
  /** Opened, in memory; null: to be read. Counts changes, so that a slow reading keeps nothing old. */
  #known: readonly Share[] | null = null;
  #changes = 0;

  constructor(context: DeviceContext, sealer: Sealer) {
    this.#context = context;
    this.#sealer = sealer;
  }

  forgetMemory(): void {
    this.#known = null;
    this.#changes++;
  }

  /** Resolves once what is shared is in memory, where judging needs it. */
  async ready(): Promise<void> {
    while (this.#known === null) {
      const changes = this.#changes;
      const opened = await Promise.all(this.#rows().map((row) => this.#opened(row)));
      if (changes !== this.#changes) continue;
      this.#known = opened.flatMap((one) =>
        one === null
          ? []
          : [
              {
                id: one.row.id,
                audience: one.row.audience,
                expiresAt: one.row.expires_at,
                prefix: one.what.path,
              },
            ],
      );
    }
  }

  /** The shares that let `visitor` in to `path` as it is spelled. */
  over(path: string, visitor: Visitor, closed: Closure | null): readonly Share[] {
    const all = this.#known ?? [];
    if (all.length === 0) return all;
    const now = this.#context.clock.now();
    return all.filter(
      (share) =>
        share.expiresAt > now &&
        covers(share.prefix, path) &&
        this.#admits(share.id, share.audience, visitor, closed),
    );
  }

  /** True when some share lets a person in. */
  admitSome(visitor: Visitor, closed: Closure | null): boolean {
    return this.#rows().some(({ id, audience }) => this.#admits(id, audience, visitor, closed));
  }

  /** True while a share is there that lets `visitor` in. */
  holds(id: string, visitor: Visitor, closed: Closure | null): boolean {
    const row = this.#rows().find((one) => one.id === id);
    return row !== undefined && this.#admits(id, row.audience, visitor, closed);
  }

  /** What the owner shares, the latest first. */
  async list(): Promise<ShareDescription[]> {
    const all = await Promise.all(this.#rows().map((row) => this.#opened(row)));
    return all.flatMap((one) => (one === null ? [] : [this.#described(one.row, one.what)]));
  }

  /** @param stillOn asked once more when it is written down */
  async make(share: NewShare, stillOn: () => boolean): Promise<MadeShare> {
    const { sql, random, clock, deviceId } = this.#context;
    if (this.#rows().length >= limits.sharesPerDevice) return { kind: "full" };
    const region = regionOf(deviceId) ?? "home";
    const bytes = (count: number) => random.bytes(count);
    const id = newId("shr", region, bytes);
    const secret = share.audience === "link" ? newToken("shr", region, bytes) : null;
    const what: What = {
      path: share.path,
      name: share.name,
      password: share.password === null ? null : await hashToken(`${id}\n${share.password}`),
    };
    const sealed = await this.#sealer.seal(this.#key, placeOf(id), JSON.stringify(what), {
      fresh: true,
    });
    const secretHash = secret === null ? null : await hashToken(secret);
    if (!stillOn()) return { kind: "off" };
    const row = {
      id,
      audience: share.audience,
      what_sealed: sealed,
      created_at: clock.now(),
      expires_at: share.expiresAt,
    };
    sql.transaction(() => {
      sql.run(
        `INSERT INTO share (id, audience, secret_hash, what_sealed, created_at, expires_at)
         VALUES (?, ?, ?, ?, ?, ?)`,
        ...[id, row.audience, secretHash, sealed, row.created_at, row.expires_at],
      );
      for (const person of share.audience === "people" ? share.people : []) {
        const query = "INSERT INTO share_guest (share_id, account_id, expires_at) VALUES (?, ?, ?)";
        sql.run(query, id, person, row.expires_at);
      }
    });
    this.forgetMemory();
    return { kind: "made", share: this.#described(row, what), secret };
  }

  /** Ends a share. @returns the people it was for; null when there is none of that id */
  stop(id: string): readonly string[] | null {
    const { sql } = this.#context;
    if (!this.#rows().some((row) => row.id === id)) return null;
    const people = this.#people(id);
    sql.transaction(() => {
      sql.run("DELETE FROM share WHERE id = ?", id);
      sql.run("DELETE FROM share_guest WHERE share_id = ?", id);
      sql.run("DELETE FROM door_opened WHERE share_id = ?", id);
    });
    this.forgetMemory();
    return people;
  }

  /** The share that a link leads to, if the password is right; what is wrong nobody learns. */
  async ofLink(secret: string, password: string): Promise<Share | null> {
    if (parseToken("shr", secret) === null) return null;
    const { sql, clock } = this.#context;
    const hash = await hashToken(secret);
    const query = "SELECT * FROM share WHERE secret_hash = ? AND expires_at > ?";
    const [row] = sql.all<ShareRow>(query, hash, clock.now());
    const one = row === undefined ? null : await this.#opened(row);
    const given = await hashToken(`${one?.row.id ?? ""}\n${password}`);
    if (one === null) return null;
    const { what } = one;
    if (what.password !== null && !equalInConstantTime(what.password, given)) return null;
    const { id, audience, expires_at: expiresAt } = one.row;
    // It may have been stopped while it was read.
    return this.#rows().some((still) => still.id === id)
      ? { id, audience, expiresAt, prefix: what.path }
      : null;
  }

  /** Takes a person off every share. */
  forget(accountId: string): void {
    this.#context.sql.run("DELETE FROM share_guest WHERE account_id = ?", accountId);
  }

  /** True while some share lets this person in by their identifier. */
  knows(accountId: string): boolean {
    const query = "SELECT 1 AS one FROM share_guest WHERE account_id = ? AND expires_at > ?";
    return this.#context.sql.all(query, accountId, this.#context.clock.now()).length > 0;
  }

  clear(): void {
    const { sql } = this.#context;
    for (const table of ["share", "share_guest"]) sql.run(`DELETE FROM ${table}`);
    this.forgetMemory();
  }

  nextExpiry(): number | null {
    const query = "SELECT min(expires_at) AS at FROM share";
    return this.#context.sql.all<{ at: number | null }>(query)[0]?.at ?? null;
  }

  /** Deletes what has expired; true when there was something. */
  sweep(): boolean {
    const { sql, clock } = this.#context;
    const now = clock.now();
    sql.run("DELETE FROM share_guest WHERE expires_at <= ?", now);
    const gone = sql.all("DELETE FROM share WHERE expires_at <= ? RETURNING id", now);
    if (gone.length > 0) this.forgetMemory();
    return gone.length > 0;
  }

  get #key() {
    return `feature/${this.#context.deviceId}/link` as const;
  }

  #rows(): ShareRow[] {
    const query = `SELECT id, audience, what_sealed, created_at, expires_at FROM share
       WHERE expires_at > ? ORDER BY created_at DESC, id`;
    return this.#context.sql.all<ShareRow>(query, this.#context.clock.now());
  }

  async #opened(row: ShareRow): Promise<{ row: ShareRow; what: What } | null> {
    const text = await this.#sealer.open(this.#key, placeOf(row.id), row.what_sealed);
    return text === null ? null : { row, what: JSON.parse(text) as What };
  }

  #admits(id: string, audience: Audience, visitor: Visitor, closed: Closure | null): boolean {
    if (closed?.extent === "all") return false;
    switch (audience) {
      case "link":
        return closed === null && visitor.opened.has(id);
      case "contacts":
        return visitor.contact;
      case "people":
        return visitor.account !== null && this.#people(id).includes(visitor.account);
    }
  }

  #people(id: string): string[] {
    const query = "SELECT account_id FROM share_guest WHERE share_id = ? ORDER BY account_id";
    return this.#context.sql.all<{ account_id: string }>(query, id).map((row) => row.account_id);
  }

  #described(row: ShareRow, { path, name, password }: What): ShareDescription {
    const { id, audience, created_at: createdAt, expires_at: expiresAt } = row;
    const people = this.#people(id);
    return {
      id,
      path,
      name,
      audience,
      people,
      hasPassword: password !== null,
      createdAt,
      expiresAt,
    };
  }
}

/** The place that a share is sealed for. */
function placeOf(id: string): string {
  return `share.what:${id}`;
}
