/**
 * Codes that are sent to a phone or a mailbox and typed back on the page that asked: each is bound to
 * what it was asked for (a sign-in under way, a session, a setting), lives as long as any challenge,
 * bears a few tries, and works once. A newer one takes the place of an older.
 */

import { personKey, sealedAt } from "../../db/queries/accounts.ts";
import {
  deleteChallenge,
  pendingChallenge,
  replaceChallenge,
} from "../../db/queries/challenges.ts";
import { limits } from "../../protocol/limits.ts";
import { hashToken } from "../../protocol/tokens.ts";
import type { Db, Ports } from "../ports.ts";
import { Problem } from "../problem.ts";
import type { ChallengePayloads } from "./challenge.ts";
import type { Client } from "./client.ts";
import { newCode, tryCode } from "./codes.ts";
import type { Contact } from "./rules.ts";
import { sendWords, takeMessageLimits } from "./send.ts";

/** What a code is for: whose account, and what it was asked for. */
export interface CodeUse {
  readonly db: Db;
  readonly accountId: string;
  /** Nothing else has this name, e.g. the hash of a sign-in's token. */
  readonly subject: string;
}

const keyOf = ({ accountId, subject }: CodeUse): Promise<string> =>
  hashToken(`sent code\n${accountId}\n${subject}`);

/**
 * Sends a new code. Each address and network is sent a few an hour.
 * @throws Problem `too-many-tries`, `sms-failed`, `mail-failed`; then no code waits
 */
export async function sendCode(
  ports: Ports,
  use: CodeUse,
  contact: Contact,
  client: Client,
): Promise<void> {
  const hash = await ports.directory.contactHash(contact.text);
  await takeMessageLimits(ports, { kind: contact.kind, hash }, client);
  const code = newCode(ports.random);
  const tokenHash = await keyOf(use);
  const payload: ChallengePayloads["sms-code"] = { code, signIn: use.subject };
  const payloadSealed = await ports.sealer.seal(
    personKey(use.accountId),
    sealedAt.challenge(tokenHash),
    JSON.stringify(payload),
  );
  const expiresAt = ports.clock.now() + limits.challengeMs;
  const { accountId } = use;
  await replaceChallenge(use.db, {
    tokenHash,
    accountId,
    kind: "sms-code",
    payloadSealed,
    expiresAt,
  });
  try {
    await sendWords(ports, contact, codeWords(code));
  } catch (error) {
    await deleteChallenge(use.db, tokenHash);
    throw error;
  }
}

/** The code first, which phones offer from the notification; pure text without a link (NOT-5). */
export function codeWords(code: string) {
  const minutes = limits.challengeMs / 60_000;
  const text = `${code} is your Latchkey code. It works once, within ${minutes} minutes. Give it to nobody who calls or writes to you.`;
  return { subject: "Your Latchkey code", mail: [text], sms: text };
}

/**
 * True when `typed` is the code that was sent for this use, which it uses up.
 * @throws Problem `too-many-tries` after a few wrong ones; then the code is gone too
 */
export async function takeCode(ports: Ports, use: CodeUse, typed: string): Promise<boolean> {
  const tokenHash = await keyOf(use);
  const found = await pendingChallenge(use.db, tokenHash, "sms-code", ports.clock.now());
  if (found === null) return false;
  const at = sealedAt.challenge(tokenHash);
  const opened = await ports.sealer.open(personKey(use.accountId), at, found.payloadSealed);
  if (opened === null) return false;
  const { code } = JSON.parse(opened) as ChallengePayloads["sms-code"];
  const tried = await tryCode(ports, tokenHash, { code, typed });
  if (tried === "wrong") return false;
  const used = await deleteChallenge(use.db, tokenHash);
  if (tried === "spent") throw new Problem("too-many-tries");
  return used;
}
