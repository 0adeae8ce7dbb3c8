/**
 * Visits: the one-time codes that lead a signed-in visitor over to the door, the visit that follows,
 * and which links a browser opened. Of codes and visits hashes are held, and nothing of what was asked.
 */

import { regionOf } from "../../protocol/ids.ts";
import { limits } from "../../protocol/limits.ts";
import { equalInConstantTime, hashToken, newToken, parseToken } from "../../protocol/tokens.ts";
import { nobody, type Visitor } from "./access.ts";
import type { DeviceContext } from "./context.ts";

const tables = ["door_code", "door_session", "door_opened"] as const;

/** Who asks for a code. */
export interface Asked {
  readonly accountId: string;
  /** SHA-256 (base64url) of the nonce in the visitor's browser at the door's host. */
  readonly nonceHash: string;
  /** The session that shows who they are: its end is the end of the visit. */
  readonly sessionId: string;
  readonly isContact: boolean;
}

interface CodeRow extends Record<string, string | number> {
  nonce_hash: string;
  account_id: string;
  session_id: string;
  contact: number;
  expires_at: number;
}

/** True for somebody to whom some path is open. */
export type MayEnter = (accountId: string, isContact: boolean) => boolean;

/** A code as it came back. */
interface Taken {
  readonly code: string;
  readonly nonce: string | null;
  /** The visit that this browser had before. */
  readonly before: string | null;
  readonly mayEnter: MayEnter;
}

export class Visits {
  readonly #context: DeviceContext;

  constructor(context: DeviceContext) {
    this.#context = context;
  }

  /** @param mayEnter asked once more when the code is written down; null where the right has gone */
  async issueCode(
    { accountId, nonceHash, sessionId, isContact }: Asked,
    mayEnter: MayEnter,
  ): Promise<string | null> {
    const { sql, clock } = this.#context;
    const code = this.#newToken();
    const codeHash = await hashToken(code);
    if (!mayEnter(accountId, isContact)) return null;
    sql.run(
      `INSERT INTO door_code (code_hash, nonce_hash, account_id, session_id, contact, expires_at)
       VALUES (?, ?, ?, ?, ?, ?)`,
      codeHash,
      nonceHash,
      accountId,
      sessionId,
      isContact ? 1 : 0,
      clock.now() + limits.doorCodeMs,
    );
    return code;
  }

  /** Takes a code once, whatever is wrong with it; the visit that it becomes. */
  async take({
    code,
    nonce,
    before,
    mayEnter,
  }: Taken): Promise<
    | { readonly kind: "entered"; readonly visit: string }
    | { readonly kind: "bad-code" | "forbidden" }
  > {
    const { sql, clock } = this.#context;
    if (parseToken("dor", code) === null) return { kind: "bad-code" };
    const [codeHash, nonceHash] = [await hashToken(code), await hashToken(nonce ?? "")];
    const beforeHash = await hashToken(before ?? "");
    const visit = this.#newToken();
    const tokenHash = await hashToken(visit);
    // From here on no await: a right or a session that ends finds the code or the visit, never neither.
    const [row] = sql.all<CodeRow>(
      `DELETE FROM door_code WHERE code_hash = ?
       RETURNING nonce_hash, account_id, session_id, contact, expires_at`,
      codeHash,
    );
    if (row === undefined || nonce === null || row.expires_at <= clock.now()) {
      return { kind: "bad-code" };
    }
    if (!equalInConstantTime(row.nonce_hash, nonceHash)) return { kind: "bad-code" };
    if (!mayEnter(row.account_id, row.contact === 1)) return { kind: "forbidden" };
    const expiresAt = clock.now() + limits.doorSessionMs;
    sql.transaction(() => {
      sql.run(
        `INSERT INTO door_session (token_hash, account_id, session_id, contact, expires_at)
         VALUES (?, ?, ?, ?, ?)`,
        ...[tokenHash, row.account_id, row.session_id, row.contact, expiresAt],
      );
      // What this browser opened before it stays open: the new cookie takes the place of the old one.
      const opened =
        "UPDATE door_opened SET token_hash = ? WHERE token_hash = ? AND expires_at > ?";
      sql.run(opened, tokenHash, beforeHash, clock.now());
      sql.run("DELETE FROM door_session WHERE token_hash = ?", beforeHash);
    });
    return { kind: "entered", visit };
  }

  /** Ends one visit. */
  async end(visit: string): Promise<void> {
    if (parseToken("dor", visit) === null) return;
    this.#endVisitsOf("token_hash", await hashToken(visit));
  }

  /** Ends every visit of a person, and their codes. */
  forget(accountId: string): void {
    this.#context.sql.run("DELETE FROM door_code WHERE account_id = ?", accountId);
    this.#endVisitsOf("account_id", accountId);
  }

  /** Ends the visits and codes of a session; the people whose visit that was. */
  endVisits(sessionId: string): ReadonlySet<string> {
    this.#context.sql.run("DELETE FROM door_code WHERE session_id = ?", sessionId);
    return this.#endVisitsOf("session_id", sessionId);
  }

  /** Ends every visit whose person may no longer enter; what else the browser opened stays open. */
  keepOnly(mayEnter: MayEnter): void {
    const { sql } = this.#context;
    const visitors = sql.all<{ account_id: string; contact: number }>(
      `SELECT account_id, contact FROM door_session WHERE account_id IS NOT NULL
       UNION SELECT account_id, contact FROM door_code`,
    );
    for (const { account_id: account, contact } of visitors) {
      if (mayEnter(account, contact === 1)) continue;
      const who = [account, contact];
      sql.run("DELETE FROM door_code WHERE account_id = ? AND contact = ?", ...who);
      sql.run(
        `UPDATE door_session SET account_id = NULL, session_id = NULL, contact = 0
         WHERE account_id = ? AND contact = ?`,
        ...who,
      );
    }
    sql.run("DELETE FROM door_opened WHERE share_id NOT IN (SELECT id FROM share)");
    sql.run(
      `DELETE FROM door_session WHERE account_id IS NULL
       AND token_hash NOT IN (SELECT token_hash FROM door_opened)`,
    );
  }

  /** Somebody is no contact any more. */
  endContact(accountId: string): void {
    for (const table of ["door_code", "door_session"]) {
      this.#context.sql.run(`UPDATE ${table} SET contact = 0 WHERE account_id = ?`, accountId);
    }
  }

  /**
   * Notes that a browser opened a share: with the visit it has, or a new one.
   * @returns the visit, for its cookie; null when the share has ended meanwhile
   */
  async open(
    visit: string | null,
    shareId: string,
    stands: () => boolean,
  ): Promise<{ readonly visit: string } | null> {
    const { sql, clock } = this.#context;
    const token = visit !== null && parseToken("dor", visit) !== null ? visit : null;
    const known = token === null ? null : await hashToken(token);
    const fresh = this.#newToken();
    const freshHash = await hashToken(fresh);
    if (!stands()) return null;
    const now = clock.now();
    const query = "SELECT expires_at FROM door_session WHERE token_hash = ? AND expires_at > ?";
    const [has] = known === null ? [] : sql.all<{ expires_at: number }>(query, known, now);
    const hash = has === undefined || known === null ? freshHash : known;
    const expiresAt = has?.expires_at ?? now + limits.doorSessionMs;
    if (has === undefined) {
      sql.run(
        "INSERT INTO door_session (token_hash, contact, expires_at) VALUES (?, 0, ?)",
        ...[hash, expiresAt],
      );
    }
    sql.run(
      `INSERT INTO door_opened (token_hash, share_id, expires_at) VALUES (?, ?, ?)
       ON CONFLICT DO NOTHING`,
      ...[hash, shareId, expiresAt],
    );
    return { visit: has === undefined || token === null ? fresh : token };
  }

  /** Whose visit a cookie is; null when it is nobody's, or a browser's that only opened links. */
  async accountOf(visit: string): Promise<string | null> {
    return (await this.visitorOf(visit)).account;
  }

  clear(): void {
    for (const table of tables) this.#context.sql.run(`DELETE FROM ${table}`);
  }

  nextExpiry(): number | null {
    const [row] = this.#context.sql.all<{ at: number | null }>(
      `SELECT min(at) AS at FROM (SELECT min(expires_at) AS at FROM door_code
         UNION SELECT min(expires_at) FROM door_session)`, // what was opened ends with its visit
    );
    return row?.at ?? null;
  }

  sweep(): void {
    const now = this.#context.clock.now();
    for (const table of tables) {
      this.#context.sql.run(`DELETE FROM ${table} WHERE expires_at <= ?`, now);
    }
  }

  /** Who comes with this visit; nobody with one that is none, or over. */
  async visitorOf(token: string): Promise<Visitor> {
    if (parseToken("dor", token) === null) return nobody;
    const { sql, clock } = this.#context;
    const hash = await hashToken(token);
    const [row] = sql.all<{ account_id: string | null; contact: number }>(
      "SELECT account_id, contact FROM door_session WHERE token_hash = ? AND expires_at > ?",
      ...[hash, clock.now()],
    );
    if (row === undefined) return nobody;
    const opened = sql.all<{ share_id: string }>(
      "SELECT share_id FROM door_opened WHERE token_hash = ?",
      hash,
    );
    return {
      account: row.account_id,
      contact: row.contact === 1,
      opened: new Set(opened.map((one) => one.share_id)),
    };
  }

  /** Ends visits by one of their columns; the people whose visits they were. */
  #endVisitsOf(column: "account_id" | "session_id" | "token_hash", value: string): Set<string> {
    const { sql } = this.#context;
    const ended = sql.all<{ token_hash: string; account_id: string | null }>(
      `DELETE FROM door_session WHERE ${column} = ? RETURNING token_hash, account_id`,
      value,
    );
    for (const { token_hash: hash } of ended) {
      sql.run("DELETE FROM door_opened WHERE token_hash = ?", hash);
    }
    return new Set(ended.flatMap(({ account_id: account }) => account ?? []));
  }

  #newToken(): string {
    const { random, deviceId } = this.#context;
    return newToken("dor", regionOf(deviceId) ?? "home", (count) => random.bytes(count));
  }
}
