/**
 * The second step of a sign-in: what was shown so far is in the stored sign-in, what is shown now goes
 * to `completeSignIn()` with it. A stored sign-in is used up by one winner.
 */

import { signInOfToken } from "../../db/queries/sign-ins.ts";
import { finishSignIn } from "../../db/queries/trusted-browsers.ts";
import { hashToken, parseToken } from "../../protocol/tokens.ts";
import { note } from "../account/activity.ts";
import type { Db, Ports } from "../ports.ts";
import { Problem } from "../problem.ts";
import type { Client } from "./client.ts";
import {
  completeSignIn,
  type SecondStepOffer,
  type SignInOutcome,
  secondStepOffers,
} from "./complete.ts";
import { methodsOf, missingStep, type SignInMethod } from "./requirements.ts";
import type { CodeUse } from "./sent-code.ts";
import { type StepTry, takeStepLimits } from "./step-limits.ts";
import { isRightCode, sendStepCode, type TypedCode } from "./step-proofs.ts";
import { newTrust } from "./trust.ts";

/** A sign-in under way. */
export interface SignInUnderWay {
  readonly db: Db;
  readonly tokenHash: string;
  readonly accountId: string;
  /** What was shown so far. */
  readonly methods: readonly SignInMethod[];
  /** Milliseconds since the epoch. */
  readonly expiresAt: number;
}

/** The sign-in of a token. @throws Problem `sign-in-expired` when there is none any more */
export async function signInUnderWay(ports: Ports, token: string | null): Promise<SignInUnderWay> {
  const region = token === null ? undefined : parseToken("stp", token)?.region;
  const db = region === undefined ? null : ports.regions.db(region);
  if (token === null || db === null) throw new Problem("sign-in-expired");
  const tokenHash = await hashToken(token);
  const found = await signInOfToken(db, tokenHash, ports.clock.now());
  if (found === null) throw new Problem("sign-in-expired");
  const { accountId, methods, expiresAt } = found;
  return { db, tokenHash, accountId, methods: methodsOf(methods), expiresAt };
}

/** What the browser asks for besides being let in. */
export interface StepOptions {
  /** True to spare this browser the second step from now on. */
  readonly trust?: boolean | undefined;
  /** What the `__Host-trust` cookie held before. */
  readonly trustToken?: string | null | undefined;
}

/** What is shown as a second step. */
export interface ShownStep {
  readonly tried: StepTry;
  /**
   * Checks it, consumes it where it works once, and says which method it was; null when it is wrong.
   * Called once, after the limits.
   */
  readonly prove: (signIn: SignInUnderWay) => Promise<SignInMethod | null>;
}

/**
 * Takes the second step of the sign-in that `token` stands for.
 * @throws Problem `sign-in-expired`, `second-step-wrong`, `too-many-tries`
 */
export async function takeStep(
  ports: Ports,
  token: string | null,
  { tried, prove }: ShownStep,
  client: Client,
  { trust = false, trustToken = null }: StepOptions = {},
): Promise<SignInOutcome> {
  const signIn = await signInUnderWay(ports, token);
  const { db, accountId } = signIn;
  await takeStepLimits(ports, { accountId, tried }, client);
  const method = await prove(signIn);
  const methods = method === null ? [] : [...signIn.methods, method];
  if (missingStep(methods, { twoSteps: true, trusted: false }) !== null) {
    await note(ports, accountId, "sign-in-failed", { client, about: "second step" });
    throw new Problem("second-step-wrong", "code");
  }
  const trusted = trust ? await newTrust(ports, accountId, client, trustToken) : null;
  if (!(await finishSignIn(db, signIn, trusted?.row ?? null, ports.clock.now()))) {
    throw new Problem("sign-in-expired");
  }
  if (trusted !== null) await note(ports, accountId, "browser-trusted", { client });
  const outcome = await completeSignIn(ports, { accountId, methods }, client);
  if (trusted === null || outcome.kind !== "signed-in") return outcome;
  return { ...outcome, trustToken: trusted.token };
}

/** Takes a second step that is typed. @throws as `takeStep` */
export function takeTypedStep(
  ports: Ports,
  token: string | null,
  typed: TypedCode,
  client: Client,
  options: StepOptions = {},
): Promise<SignInOutcome> {
  const prove = async (signIn: SignInUnderWay) =>
    (await isRightCode(ports, codeUse(signIn), typed, client)) ? typed.kind : null;
  const tried = typed.kind === "recovery-code" ? "unguessable" : "second-step";
  return takeStep(ports, token, { tried, prove }, client, options);
}

/** A sent code is good for the sign-in it was asked for, and no other. */
const codeUse = ({ db, accountId, tokenHash }: SignInUnderWay): CodeUse => ({
  db,
  accountId,
  subject: `sign-in ${tokenHash}`,
});

/**
 * Sends the code of a sign-in to the phone that is the account's second step.
 * @throws Problem `sign-in-expired`, `not-found`, `too-many-tries`, `sms-failed`
 */
export async function sendSignInCode(
  ports: Ports,
  token: string | null,
  client: Client,
): Promise<void> {
  await sendStepCode(ports, codeUse(await signInUnderWay(ports, token)), client);
}

/** What the sign-in of `token` can go on with. @throws Problem `sign-in-expired` */
export async function offersOf(ports: Ports, token: string | null): Promise<SecondStepOffer[]> {
  const { db, accountId, methods } = await signInUnderWay(ports, token);
  return await secondStepOffers(db, accountId, methods);
}
