/** Hands the outcome of a sign-in to whoever asked: to a browser as a cookie, to a program in the body. */

import { clearCookie, readCookie, setCookie } from "../cookies.ts";
import { keepSession } from "../guard.ts";
import { type Ctx, iso } from "../http.ts";
import type { SignInOutcome } from "./complete.ts";

/** Gives a browser the cookie that the outcome asks for. */
export function keepOutcome(c: Ctx, outcome: SignInOutcome): void {
  if (outcome.kind === "second-step") {
    setCookie(c, "__Host-step", outcome.pending.token);
    return;
  }
  if (readCookie(c, "__Host-step") !== null) clearCookie(c, "__Host-step");
  if (outcome.trustToken !== undefined) setCookie(c, "__Host-trust", outcome.trustToken);
  keepSession(c, outcome.session.token);
}

/** The answer of the JSON API. */
export function answerOutcome(c: Ctx, outcome: SignInOutcome) {
  keepOutcome(c, outcome);
  if (outcome.kind === "second-step") {
    const { token, offers, expiresAt } = outcome.pending;
    const second_step = { token, offers: [...offers], expires_at: iso(expiresAt) };
    return c.json({ second_step }, 202);
  }
  const { accountId, sessionId, token, expiresAt } = outcome.session;
  const expires_at = iso(expiresAt);
  return c.json({ account_id: accountId, session_id: sessionId, token, expires_at }, 201);
}
