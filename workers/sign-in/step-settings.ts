/**
 * Switching second steps on and off. A step counts from the moment its owner typed a code of it, never
 * before; recovery codes come with the first and go with the last. Every change is noted, told to the
 * owner, and ends the trust in every browser. Whoever calls this has asked who is there (`confirmed`).
 */

import { identifiersOf, personKey, sealedAt } from "../../db/queries/accounts.ts";
import { deleteRecovery } from "../../db/queries/recoveries.ts";
import {
  beginStep,
  begunStep,
  confirmStep,
  deleteStep,
  replaceRecoveryCodes,
  stepId,
} from "../../db/queries/second-steps.ts";
import {
  recoveryCodesLeft,
  type SecondStepKind,
  secondStepsOf,
} from "../../db/queries/sign-ins.ts";
import { limits } from "../../protocol/limits.ts";
import { note } from "../account/activity.ts";
import { contactsOf, notice, noticeChannel } from "../account/notices.ts";
import type { Db, Ports } from "../ports.ts";
import { Problem } from "../problem.ts";
import type { Client } from "./client.ts";
import { makeRecoveryCodes } from "./recovery-codes.ts";
import { sendsSms } from "./send.ts";
import { type CodeUse, sendCode, takeCode } from "./sent-code.ts";
import { takeStepLimits } from "./step-limits.ts";
import { openStep, phoneOf, type StepSecrets, stepPhone } from "./step-proofs.ts";
import { newTotpSecret, totpStep, totpUri } from "./totp.ts";
import { endTrust } from "./trust.ts";

/** How a notice and the activity log call a step. */
const names: Readonly<Record<SecondStepKind, string>> = {
  totp: "codes from an app",
  sms: "codes by text message",
};

/** A phone that could get codes, or does. */
export interface StepPhone {
  readonly id: string;
  readonly number: string;
}

export interface StepSettings {
  readonly totp: boolean;
  /** The phone that gets codes; null when that step is off. */
  readonly sms: StepPhone | null;
  /** Verified phones; none where no text messages can be sent. */
  readonly phones: readonly StepPhone[];
  readonly recoveryCodesLeft: number;
}

/** What an account has switched on, and what it could. */
export async function stepSettings(ports: Ports, accountId: string): Promise<StepSettings> {
  const db = dbOf(ports, accountId);
  const [steps, left, sms, rows] = await Promise.all([
    secondStepsOf(db, accountId),
    recoveryCodesLeft(db, accountId),
    stepPhone(ports, db, accountId),
    sendsSms(ports) ? identifiersOf(db, accountId) : [],
  ]);
  const phones = await Promise.all(
    rows.filter(({ kind }) => kind === "phone").map(({ id }) => phoneOf(ports, db, accountId, id)),
  );
  return {
    totp: steps.some(({ kind }) => kind === "totp"),
    sms: sms === null ? null : { id: sms.id, number: sms.text },
    phones: phones.filter((phone) => phone !== null).map(({ id, text }) => ({ id, number: text })),
    recoveryCodesLeft: left,
  };
}

/** A secret that an app is to take. */
export interface TotpSetup {
  /** Base32. */
  readonly secret: string;
  /** `otpauth://totp/…`, for a QR code. */
  readonly uri: string;
}

/**
 * The secret of an app that is being set up: the one begun a moment ago, else a new one.
 * @throws Problem `second-step-on` when codes from an app are on already
 */
export async function setUpTotp(ports: Ports, accountId: string): Promise<TotpSetup> {
  const db = dbOf(ports, accountId);
  const sealed = await begunStep(db, accountId, "totp", oldest(ports));
  const begun = sealed === null ? null : await openStep(ports, accountId, "totp", sealed);
  const secret = begun?.secret ?? newTotpSecret(ports.random.bytes);
  if (begun === null) await begin(ports, db, accountId, "totp", { secret });
  const [contact] = noticeChannel(await contactsOf(ports, accountId));
  return { secret, uri: totpUri(secret, contact?.text ?? accountId) };
}

/** A step that was begun before this is not confirmed any more. */
const oldest = (ports: Ports): number => ports.clock.now() - limits.challengeMs;

async function begin<K extends SecondStepKind>(
  ports: Ports,
  db: Db,
  accountId: string,
  kind: K,
  secret: StepSecrets[K],
): Promise<void> {
  const at = sealedAt.secondStep(stepId(accountId, kind));
  const secretSealed = await ports.sealer.seal(personKey(accountId), at, JSON.stringify(secret));
  if (!(await beginStep(db, { accountId, kind, secretSealed }, ports.clock.now()))) {
    throw new Problem("second-step-on");
  }
}

/**
 * Switches codes from an app on, with the first of them.
 * @returns recovery codes when this is the account's first second step, to be shown once
 * @throws Problem `second-step-wrong`; `set-up-expired` when nothing was begun lately; `too-many-tries`
 */
export async function switchOnTotp(
  ports: Ports,
  accountId: string,
  code: string,
  client: Client,
): Promise<string[] | null> {
  await takeStepLimits(ports, { accountId, tried: "confirm" }, client);
  const db = dbOf(ports, accountId);
  const sealed = await begunStep(db, accountId, "totp", oldest(ports));
  const begun = sealed === null ? null : await openStep(ports, accountId, "totp", sealed);
  if (sealed === null || begun === null) throw new Problem("set-up-expired");
  const lastStep = totpStep(begun.secret, code, ports.clock.now());
  if (lastStep === null) throw new Problem("second-step-wrong", "code");
  return await switchOn(
    ports,
    db,
    { accountId, kind: "totp", secretSealed: sealed, lastStep },
    client,
  );
}

/**
 * Begins to switch text messages on: sends a code to a verified phone of the account.
 * @throws Problem `not-found` for a phone it has not; `phone-unsupported`, `second-step-on`,
 *   `too-many-tries`, `sms-failed`
 */
export async function setUpSms(
  ports: Ports,
  accountId: string,
  phoneId: string,
  client: Client,
): Promise<void> {
  if (!sendsSms(ports)) throw new Problem("phone-unsupported", "phone");
  const db = dbOf(ports, accountId);
  const phone = await phoneOf(ports, db, accountId, phoneId);
  if (phone === null) throw new Problem("not-found");
  await begin(ports, db, accountId, "sms", { identifier: phone.id });
  await sendCode(ports, setUpUse(db, accountId, phone.id), phone, client);
}

/** A code proves the phone it was sent to, and no other. */
const setUpUse = (db: Db, accountId: string, phoneId: string): CodeUse => ({
  db,
  accountId,
  subject: `set up ${phoneId}`,
});

/** Switches text messages on, with the code that was sent. Returns and throws as `switchOnTotp`. */
export async function switchOnSms(
  ports: Ports,
  accountId: string,
  code: string,
  client: Client,
): Promise<string[] | null> {
  await takeStepLimits(ports, { accountId, tried: "confirm" }, client);
  const db = dbOf(ports, accountId);
  const sealed = await begunStep(db, accountId, "sms", oldest(ports));
  const begun = sealed === null ? null : await openStep(ports, accountId, "sms", sealed);
  if (sealed === null || begun === null) throw new Problem("set-up-expired");
  if (!(await takeCode(ports, setUpUse(db, accountId, begun.identifier), code))) {
    throw new Problem("second-step-wrong", "code");
  }
  return await switchOn(
    ports,
    db,
    { accountId, kind: "sms", secretSealed: sealed, lastStep: 0 },
    client,
  );
}

async function switchOn(
  ports: Ports,
  db: Db,
  step: Parameters<typeof confirmStep>[1],
  client: Client,
): Promise<string[] | null> {
  const { accountId, kind } = step;
  const isFirst = (await secondStepsOf(db, accountId)).length === 0;
  const times = { now: ports.clock.now(), oldest: oldest(ports) };
  if (!(await confirmStep(db, step, times))) throw new Problem("set-up-expired");
  await endTrust(ports, accountId);
  // Who changes the second step has it: whoever waits to get in without it waits no more.
  await deleteRecovery(db, accountId, ports.clock.now());
  await note(ports, accountId, "second-step-on", { client, about: names[kind] });
  notice(ports, accountId, "second-step-on", { client, about: names[kind] });
  return isFirst ? await makeRecoveryCodes(ports, db, accountId, client) : null;
}

/** Switches a second step off; with the last, the recovery codes go. False when it was off. */
export async function switchOff(
  ports: Ports,
  accountId: string,
  kind: SecondStepKind,
  client: Client,
): Promise<boolean> {
  const db = dbOf(ports, accountId);
  if (!(await deleteStep(db, accountId, kind))) return false;
  await endTrust(ports, accountId);
  // Who changes the second step has it: whoever waits to get in without it waits no more.
  await deleteRecovery(db, accountId, ports.clock.now());
  if ((await secondStepsOf(db, accountId)).length === 0) {
    await replaceRecoveryCodes(db, accountId, [], ports.clock.now());
  }
  await note(ports, accountId, "second-step-off", { client, about: names[kind] });
  notice(ports, accountId, "second-step-off", { client, about: names[kind] });
  return true;
}

/**
 * Makes the recovery codes anew, to be shown once.
 * @throws Problem `second-step-off` when there is no second step that they could stand in for
 */
export async function renewRecoveryCodes(
  ports: Ports,
  accountId: string,
  client: Client,
): Promise<string[]> {
  const db = dbOf(ports, accountId);
  if ((await secondStepsOf(db, accountId)).length === 0) throw new Problem("second-step-off");
  const codes = await makeRecoveryCodes(ports, db, accountId, client);
  notice(ports, accountId, "recovery-codes-made", { client });
  return codes;
}

function dbOf(ports: Ports, accountId: string): Db {
  const db = ports.regions.db(accountId);
  if (db === null) throw new Problem("not-found");
  return db;
}
