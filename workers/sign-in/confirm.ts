/**
 * Showing again who one is, before what cannot be undone or changes how one signs in: with the
 * password, with a second step, or with a passkey; an account that has none of these is sent a code.
 * It marks the session, and makes none.
 */

import { passwordOf } from "../../db/queries/accounts.ts";
import { confirmSession } from "../../db/queries/sessions.ts";
import { secondStepsOf } from "../../db/queries/sign-ins.ts";
import { note } from "../account/activity.ts";
import { contactsOf, noticeChannel } from "../account/notices.ts";
import type { Db, Ports } from "../ports.ts";
import { Problem } from "../problem.ts";
import type { Client } from "./client.ts";
import { secondStepOffers } from "./complete.ts";
import { isPasswordOf } from "./password.ts";
import { type CodeUse, sendCode, takeCode } from "./sent-code.ts";
import { type StepTry, takeStepLimits } from "./step-limits.ts";
import { isRightCode, sendStepCode } from "./step-proofs.ts";

/** `contact`: a code sent to the primary address, for an account with nothing else to show. */
export const confirmWays = [
  "password",
  "totp",
  "passkey",
  "sms",
  "recovery-code",
  "contact",
] as const;
export type ConfirmWay = (typeof confirmWays)[number];

/** Whose session it is. */
export interface ConfirmedSession {
  readonly accountId: string;
  readonly sessionId: string;
}

/** How the owner of an account can show again who they are, the usual way first. */
export async function confirmWaysOf(ports: Ports, accountId: string): Promise<ConfirmWay[]> {
  const db = dbOf(ports, accountId);
  const [phc, offers, steps] = await Promise.all([
    passwordOf(db, accountId),
    secondStepOffers(db, accountId, []),
    secondStepsOf(db, accountId),
  ]);
  const ways: ConfirmWay[] = phc === null ? [] : ["password"];
  // Recovery codes are left over from nothing: they stand in for a second step that is on.
  ways.push(...offers.filter((offer) => offer !== "recovery-code" || steps.length > 0));
  return ways.length === 0 ? ["contact"] : ways;
}

/** What is shown to confirm. */
export interface ShownAgain {
  readonly tried: StepTry;
  /** Checks it and consumes it; called once, after the limits. */
  readonly prove: () => Promise<boolean>;
}

/**
 * Marks the session as confirmed now, when what is shown is right.
 * @throws Problem `too-many-tries`; `bad-credentials` or `second-step-wrong` on `field`
 */
export async function confirmBy(
  ports: Ports,
  session: ConfirmedSession,
  { tried, prove }: ShownAgain,
  client: Client,
  field: "password" | "code" = "code",
): Promise<void> {
  const { accountId } = session;
  await takeStepLimits(ports, { accountId, tried }, client);
  if (!(await prove())) {
    await note(ports, accountId, "confirm-failed", { client });
    const code = field === "password" ? "bad-credentials" : "second-step-wrong";
    throw new Problem(code, field);
  }
  await confirmSession(dbOf(ports, accountId), session, ports.clock.now());
}

/** What somebody typed to show who they are. */
export interface Shown {
  readonly way: Exclude<ConfirmWay, "passkey">;
  /** The password or the code. */
  readonly secret: string;
}

/** Confirms with what is typed. @throws Problem as `confirmBy`; `forbidden` for a way it has not */
export async function confirm(
  ports: Ports,
  session: ConfirmedSession,
  { way, secret }: Shown,
  client: Client,
): Promise<void> {
  const { accountId } = session;
  if (!(await confirmWaysOf(ports, accountId)).includes(way)) throw new Problem("forbidden");
  const use = confirmUse(ports, session);
  const prove = () => {
    if (way === "password") return isPasswordOf(ports, accountId, secret);
    if (way === "contact") return takeCode(ports, use, secret);
    return isRightCode(ports, use, { kind: way, code: secret }, client);
  };
  const tried = way === "recovery-code" ? "unguessable" : "confirm";
  await confirmBy(
    ports,
    session,
    { tried, prove },
    client,
    way === "password" ? "password" : "code",
  );
}

/**
 * Sends the code of a way that needs one sent.
 * @throws Problem `forbidden` for a way the account has not; `too-many-tries`, `sms-failed`, `mail-failed`
 */
export async function sendConfirmCode(
  ports: Ports,
  session: ConfirmedSession,
  way: "sms" | "contact",
  client: Client,
): Promise<void> {
  const { accountId } = session;
  if (!(await confirmWaysOf(ports, accountId)).includes(way)) throw new Problem("forbidden");
  const use = confirmUse(ports, session);
  if (way === "sms") return await sendStepCode(ports, use, client);
  const [contact] = noticeChannel(await contactsOf(ports, accountId));
  if (contact === undefined) throw new Problem("not-found");
  await sendCode(ports, use, contact, client);
}

const confirmUse = (ports: Ports, { accountId, sessionId }: ConfirmedSession): CodeUse => ({
  db: dbOf(ports, accountId),
  accountId,
  subject: `confirm ${sessionId}`,
});

function dbOf(ports: Ports, accountId: string): Db {
  const db = ports.regions.db(accountId);
  if (db === null) throw new Problem("not-found");
  return db;
}
