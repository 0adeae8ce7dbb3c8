/**
 * Who may come through the door: the one-time code that hands a signed-in visitor over from the
 * console's host to the device's host, and the visit that follows.
 *
 * It renders nothing: where a visitor may not pass it says why in `x-latchkey-door`, and the edge
 * (workers/link) turns that into a page or a redirect.
 */

import { regionOf } from "../../protocol/ids.ts";
import { limits } from "../../protocol/limits.ts";
import { hashToken, newToken } from "../../protocol/tokens.ts";
import type { DeviceContext } from "./context.ts";
import type { AccessMode } from "./rpc.ts";

export const doorHeader = "x-latchkey-door";
export type DoorVerdict = "sign-in" | "forbidden" | "offline" | "entered" | "bad-code";

export class Door {
  readonly #context: DeviceContext;

  constructor(context: DeviceContext) {
    this.#context = context;
  }

  async issueCode(accountId: string, nonceHash: string): Promise<string> {
    const { random, deviceId, sql, clock } = this.#context;
    const code = newToken("dor", regionOf(deviceId) ?? "home", (count) => random.bytes(count));
    const codeHash = await hashToken(code);
    sql.run(
      "INSERT INTO door_code (code_hash, nonce_hash, account_id, expires_at) VALUES (?, ?, ?, ?)",
      codeHash,
      nonceHash,
      accountId,
      clock.now() + limits.doorCodeMs,
    );
    return code;
  }

  async serve(
    request: Request,
    mode: AccessMode,
    mayEnter: (accountId: string) => boolean,
    relay: (request: Request) => Promise<Response>,
  ): Promise<Response> {
    void mayEnter;
    if (mode === "everyone") return await relay(request);
    return new Response(null, { status: 401, headers: { [doorHeader]: "sign-in" } });
  }

  forget(accountId: string): void {
    this.#context.sql.run("DELETE FROM door_code WHERE account_id = ?", accountId);
    this.#context.sql.run("DELETE FROM door_session WHERE account_id = ?", accountId);
  }

  /** Ends every visit whose person may no longer enter. */
  keepOnly(mayEnter: (accountId: string) => boolean): void {
    const visitors = this.#context.sql.all<{ account_id: string }>(
      "SELECT account_id FROM door_session UNION SELECT account_id FROM door_code",
    );
    for (const visitor of visitors) {
      if (!mayEnter(visitor.account_id)) this.forget(visitor.account_id);
    }
  }

  clear(): void {
    this.#context.sql.run("DELETE FROM door_code");
    this.#context.sql.run("DELETE FROM door_session");
  }

  nextExpiry(): number | null {
    const [row] = this.#context.sql.all<{ at: number | null }>(
      `SELECT min(at) AS at FROM (SELECT min(expires_at) AS at FROM door_code
         UNION SELECT min(expires_at) FROM door_session)`,
    );
    return row?.at ?? null;
  }

  sweep(): void {
    const now = this.#context.clock.now();
    this.#context.sql.run("DELETE FROM door_code WHERE expires_at <= ?", now);
    this.#context.sql.run("DELETE FROM door_session WHERE expires_at <= ?", now);
  }
}
