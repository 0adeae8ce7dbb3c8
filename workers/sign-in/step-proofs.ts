/**
 * Checks what is shown as a second step: the code of an app, a code sent to a phone, a recovery code.
 * Each is used up by the check that finds it right. A passkey is checked beside the passkeys.
 */

import { identifiersOf, personKey, sealedAt } from "../../db/queries/accounts.ts";
import { useTimeStep } from "../../db/queries/second-steps.ts";
import {
  type SecondStepKind,
  type SecondStepRow,
  secondStepsOf,
} from "../../db/queries/sign-ins.ts";
import type { Db, Ports } from "../ports.ts";
import { Problem } from "../problem.ts";
import type { Client } from "./client.ts";
import { takeRecoveryCode } from "./recovery-codes.ts";
import type { Contact } from "./rules.ts";
import { type CodeUse, sendCode, takeCode } from "./sent-code.ts";
import { totpStep } from "./totp.ts";

/** The second steps that are typed. */
export const codeKinds = ["totp", "sms", "recovery-code"] as const;
export type CodeKind = (typeof codeKinds)[number];

export interface TypedCode {
  readonly kind: CodeKind;
  readonly code: string;
}

/**
 * True when `code` is right for a step that the account has switched on; it is used up.
 * @param use what a sent code was asked for
 * @throws Problem `too-many-tries`
 */
export async function isRightCode(
  ports: Ports,
  use: CodeUse,
  { kind, code }: TypedCode,
  client: Client,
): Promise<boolean> {
  const { db, accountId } = use;
  const steps = await secondStepsOf(db, accountId);
  switch (kind) {
    case "totp":
      return await isRightTotp(ports, db, accountId, stepOf(steps, "totp"), code);
    case "sms":
      return stepOf(steps, "sms") !== null && (await takeCode(ports, use, code));
    case "recovery-code":
      return steps.length > 0 && (await takeRecoveryCode(ports, db, accountId, code, client));
  }
}

const stepOf = (steps: readonly SecondStepRow[], kind: SecondStepKind): SecondStepRow | null =>
  steps.find((step) => step.kind === kind) ?? null;

/** What a second step keeps sealed. */
export interface StepSecrets {
  totp: { readonly secret: string };
  /** The identifier whose phone gets the code. */
  sms: { readonly identifier: string };
}

export async function openStep<K extends SecondStepKind>(
  ports: Ports,
  accountId: string,
  kind: K,
  secretSealed: string,
): Promise<StepSecrets[K] | null> {
  const at = sealedAt.secondStep(`${accountId}/${kind}`);
  const opened = await ports.sealer.open(personKey(accountId), at, secretSealed);
  return opened === null ? null : (JSON.parse(opened) as StepSecrets[K]);
}

async function isRightTotp(
  ports: Ports,
  db: Db,
  accountId: string,
  step: SecondStepRow | null,
  code: string,
): Promise<boolean> {
  if (step === null) return false;
  const kept = await openStep(ports, accountId, "totp", step.secretSealed);
  const time = kept === null ? null : totpStep(kept.secret, code, ports.clock.now());
  return time !== null && (await useTimeStep(db, step, time));
}

/**
 * Sends a code to the phone that is the account's second step.
 * @throws Problem `not-found` when it has none; `too-many-tries`, `sms-failed`
 */
export async function sendStepCode(ports: Ports, use: CodeUse, client: Client): Promise<void> {
  const phone = await stepPhone(ports, use.db, use.accountId);
  if (phone === null) throw new Problem("not-found");
  await sendCode(ports, use, phone, client);
}

/** The phone that gets codes as an account's second step; null when there is none. */
export async function stepPhone(
  ports: Ports,
  db: Db,
  accountId: string,
): Promise<(Contact & { readonly id: string }) | null> {
  const step = stepOf(await secondStepsOf(db, accountId), "sms");
  if (step === null) return null;
  const kept = await openStep(ports, accountId, "sms", step.secretSealed);
  return kept === null ? null : await phoneOf(ports, db, accountId, kept.identifier);
}

/** A verified phone number of an account, by its identifier; null when it has no such number. */
export async function phoneOf(
  ports: Ports,
  db: Db,
  accountId: string,
  identifierId: string,
): Promise<(Contact & { readonly id: string }) | null> {
  const rows = await identifiersOf(db, accountId);
  const row = rows.find(({ id, kind }) => id === identifierId && kind === "phone");
  if (row === undefined) return null;
  const at = sealedAt.address(row.id);
  const text = await ports.sealer.open(personKey(accountId), at, row.addressSealed);
  return text === null ? null : { id: row.id, kind: "phone", text };
}
