/**
 * A lost second step: who can take the first one waits for days, while every channel of the account
 * tells its owner and lets them stop it; then the first step and a mailed link together switch the
 * second step off. docs/decisions/recovery.md says why a wait, and how long.
 */

import { deleteChallenge } from "../../db/queries/challenges.ts";
import {
  deleteRecovery,
  finishRecovery,
  insertRecovery,
  type RecoveryRow,
  recoveryOf,
  stopRecovery,
} from "../../db/queries/recoveries.ts";
import { regionOf } from "../../protocol/ids.ts";
import { limits } from "../../protocol/limits.ts";
import { hashToken, newToken, parseToken } from "../../protocol/tokens.ts";
import { note } from "../account/activity.ts";
import { recoveryOpenWords, recoveryWords } from "../account/messages.ts";
import { contactsOf, notice, noticeChannel } from "../account/notices.ts";
import { programNames } from "../account/programs.ts";
import type { Ports } from "../ports.ts";
import { Problem } from "../problem.ts";
import { findChallenge, openChallenge } from "./challenge.ts";
import { endSessions } from "./change-password.ts";
import type { Client } from "./client.ts";
import { newCode, tryCode } from "./codes.ts";
import { completeSignIn, type SignInOutcome } from "./complete.ts";
import type { Contact } from "./rules.ts";
import { type SignInUnderWay, signInUnderWay } from "./second-step.ts";
import { sendWords } from "./send.ts";
import { endTrust } from "./trust.ts";

/** The wait of the account whose sign-in is under way; null when none runs. */
export async function lostStepOf(ports: Ports, stepToken: string | null) {
  const { db, accountId } = await signInUnderWay(ports, stepToken);
  return await recoveryOf(db, accountId, ports.clock.now());
}

/** Where a recovery stands. */
export type LostStep =
  | ({ readonly kind: "waiting" } & RecoveryRow)
  /** The wait is over, and what finishes it was sent; the secret that a code belongs to, for phones. */
  | ({ readonly kind: "sent"; readonly token: string | null } & RecoveryRow);

/**
 * Begins to wait, or says how long it still takes, or sends what finishes it. Asking twice is asking
 * once.
 * @throws Problem `sign-in-expired`, `too-many-tries`; `mail-failed`, `sms-failed` when nobody could be
 *   told, and then no wait begins
 */
export async function askWithoutStep(
  ports: Ports,
  stepToken: string | null,
  client: Client,
): Promise<LostStep> {
  const signIn = await signInUnderWay(ports, stepToken);
  const now = ports.clock.now();
  const running = await recoveryOf(signIn.db, signIn.accountId, now);
  if (running === null) return await begin(ports, signIn, client);
  if (running.opensAt > now) return { kind: "waiting", ...running };
  return { kind: "sent", token: await sendFinish(ports, signIn, running), ...running };
}

async function begin(
  ports: Ports,
  { db, accountId }: SignInUnderWay,
  client: Client,
): Promise<LostStep> {
  await take(ports, "recovery", accountId, limits.recoveriesPerAccount, limits.recoveriesWindowMs);
  const now = ports.clock.now();
  const token = newToken("chl", regionOf(accountId) as string, ports.random.bytes);
  const opensAt = now + limits.recoveryWaitMs;
  const times = { opensAt, expiresAt: opensAt + limits.recoveryOpenMs };
  const row = { accountId, stopHash: await hashToken(token), ...times };
  if (await insertRecovery(db, row, now)) {
    const opens = `${new Date(opensAt).toISOString().slice(0, 16).replace("T", " at ")} UTC`;
    const words = recoveryWords(ports.config.origin, { token, opens });
    const told = await tellAll(ports, await contactsOf(ports, accountId), words);
    if (told !== null) {
      await deleteRecovery(db, accountId, now);
      throw told;
    }
    await note(ports, accountId, "recovery-asked", { client });
  }
  const running = await recoveryOf(db, accountId, now);
  if (running === null) throw new Problem("sign-in-expired");
  return { kind: "waiting", ...running };
}

/** Writes to every channel; what went wrong when none took it, else null. */
async function tellAll(
  ports: Ports,
  to: readonly Contact[],
  words: Parameters<typeof sendWords>[2],
): Promise<unknown> {
  const sent = await Promise.allSettled(to.map((contact) => sendWords(ports, contact, words)));
  if (sent.some(({ status }) => status === "fulfilled")) return null;
  const failed = sent.find((one) => one.status === "rejected");
  return failed?.reason ?? new Problem("unavailable");
}

/** Sends what finishes a wait: a link to every mail address, or a code where there is only a phone. */
async function sendFinish(
  ports: Ports,
  { accountId }: SignInUnderWay,
  { opensAt }: RecoveryRow,
): Promise<string | null> {
  const { recoveryLinksPerAccount: max, mailWindowMs } = limits;
  await take(ports, "recovery-link", accountId, max, mailWindowMs);
  const own = await contactsOf(ports, accountId);
  const mails = own.filter(({ kind }) => kind === "email");
  const code = newCode(ports.random);
  const payload = mails.length > 0 ? { opensAt } : { opensAt, code };
  const { db, token, tokenHash } = await openChallenge(ports, accountId, "recovery", payload);
  const words = recoveryOpenWords(ports.config.origin, { token, code });
  const failed = await tellAll(ports, mails.length > 0 ? mails : noticeChannel(own), words);
  if (failed !== null) {
    await deleteChallenge(db, tokenHash);
    throw failed;
  }
  return mails.length > 0 ? null : token;
}

async function take(
  ports: Ports,
  kind: string,
  accountId: string,
  max: number,
  windowMs: number,
): Promise<void> {
  if (!(await ports.limits.take(kind, accountId, max, windowMs))) {
    throw new Problem("too-many-tries");
  }
}

export interface Finish {
  /** Of the sign-in that took the first step. */
  readonly stepToken: string | null;
  /** From the mailed link; for a phone, what `askWithoutStep` gave. */
  readonly token: string;
  /** By phone: from the text message. */
  readonly code?: string | undefined;
}

/**
 * Switches the second step off and signs in. Every session and every trust in a browser ends.
 * @throws Problem `sign-in-expired` without the first step; `link-expired` when the link is not of this
 *   account or of this wait, was used, or the wait was stopped; `code-wrong`; `unavailable`
 */
export async function finishWithoutStep(
  ports: Ports,
  { stepToken, token, code: typed = "" }: Finish,
  client: Client,
): Promise<SignInOutcome> {
  const { db, accountId, methods } = await signInUnderWay(ports, stepToken);
  const found = await findChallenge(ports, token, "recovery");
  if (found === null || found.accountId !== accountId) throw new Problem("link-expired");
  const { opensAt, code } = found.payload;
  if (code !== undefined) {
    const verdict = await tryCode(ports, found.tokenHash, { code, typed });
    if (verdict === "wrong") throw new Problem("code-wrong", "code");
    if (verdict === "spent") {
      await deleteChallenge(db, found.tokenHash);
      throw new Problem("link-expired");
    }
  }
  await endSessions(ports, accountId);
  if (!(await finishRecovery(db, accountId, opensAt, ports.clock.now()))) {
    throw new Problem("link-expired");
  }
  await endTrust(ports, accountId);
  await note(ports, accountId, "recovered", { client });
  const still = await programNames(ports, accountId);
  notice(ports, accountId, "recovered", { client, everywhere: true, still });
  return await completeSignIn(ports, { accountId, methods }, client);
}

/**
 * Stops a wait by the link that every channel got.
 * @throws Problem `link-expired` when it was stopped, finished or its time has passed
 */
export async function stopByLink(ports: Ports, token: string, client: Client): Promise<void> {
  const region = parseToken("chl", token)?.region;
  const db = region === undefined ? null : ports.regions.db(region);
  const hash = await hashToken(token);
  const accountId = db === null ? null : await stopRecovery(db, hash, ports.clock.now());
  if (accountId === null) throw new Problem("link-expired");
  await stopped(ports, accountId, client);
}

/** Stops the wait of who is signed in; false when none runs. */
export async function stopOwn(ports: Ports, accountId: string, client: Client): Promise<boolean> {
  const db = ports.regions.db(accountId);
  if (db === null || !(await deleteRecovery(db, accountId, ports.clock.now()))) return false;
  await stopped(ports, accountId, client);
  return true;
}

/** The wait of who is signed in; null when none runs. */
export async function ownRecovery(ports: Ports, accountId: string): Promise<RecoveryRow | null> {
  const db = ports.regions.db(accountId);
  return db === null ? null : await recoveryOf(db, accountId, ports.clock.now());
}

async function stopped(ports: Ports, accountId: string, client: Client): Promise<void> {
  await note(ports, accountId, "recovery-stopped", { client });
  notice(ports, accountId, "recovery-stopped", { client, everywhere: true });
}
