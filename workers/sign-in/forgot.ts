/**
 * A forgotten password: a link by mail, or a code by text message, lets its reader choose a new one.
 *
 * Whether an address has an account is told to nobody: the answer, the work before it and the limits
 * are the same, and what is sent goes out after the answer, to the address as it was verified.
 */

import { contactsOf } from "../account/notices.ts";
import type { Ports } from "../ports.ts";
import { Problem } from "../problem.ts";
import { requireGoodPassword, requireStrongPassword } from "./breached.ts";
import type { Challenge, ChallengePayloads } from "./challenge.ts";
import { ownAddresses, passwordStamp, replacePassword } from "./change-password.ts";
import type { Client } from "./client.ts";
import { newCode, tryCode } from "./codes.ts";
import { completeSignIn, type SignInOutcome } from "./complete.ts";
import { resetWords } from "./mails.ts";
import { normalizePassword } from "./rules.ts";
import { reachableContact, sendWords, takeMessageLimits } from "./send.ts";
import type { SignUpSent } from "./sign-up.ts";
import { claimReset, findReset, forgetReset, keepReset } from "./waiting-reset.ts";

/** Stands for the account of an address that has none: a region's name, so that as much is looked up. */
const nobody = (ports: Ports): string => ports.regions.default;

/**
 * Sends a link or a code to an address, if it has an account.
 * @throws Problem `address-syntax`, `phone-unsupported`, `too-many-tries`
 */
export async function askReset(ports: Ports, address: string, client: Client): Promise<SignUpSent> {
  const { kind, text } = reachableContact(ports, address);
  const contact = await ports.directory.contactHash(text);
  await takeMessageLimits(ports, { kind, hash: contact }, client);
  const accountId = await ports.directory.accountOfContact(contact);
  const db = ports.regions.db(accountId ?? ports.regions.default);
  if (db === null) throw new Problem("unavailable");
  const stamp = await passwordStamp(db, accountId ?? nobody(ports));
  const code = newCode(ports.random);
  const about = { kind, accountId, contact, stamp };
  const payload = kind === "email" ? about : { ...about, code: accountId === null ? "" : code };
  const token = await keepReset(ports, payload);
  ports.background(sendReset(ports, payload, { token, code }));
  return kind === "email" ? { kind: "mail" } : { kind: "sms", token };
}

/** Writes to the address as it was verified: one in other letters may be somebody else's mailbox. */
async function sendReset(
  ports: Ports,
  { accountId, contact, kind }: ChallengePayloads["password"],
  secrets: { readonly token: string; readonly code: string },
): Promise<void> {
  let held = false;
  for (const to of await contactsOf(ports, accountId ?? nobody(ports))) {
    if (to.kind !== kind || (await ports.directory.contactHash(to.text)) !== contact) continue;
    held = true;
    // The refusal is in the log; there is nobody left to answer.
    await sendWords(ports, to, resetWords(ports.config.origin, secrets)).catch(() => {});
  }
  // Erased while this was asked for, so the erasure may have come too early to see it.
  if (accountId !== null && !held) await forgetReset(ports, contact);
}

export interface Reset {
  /** From the link in the mail; for a phone, what `askReset` gave. */
  readonly token: string;
  /** By phone: from the text message. */
  readonly code?: string | undefined;
  readonly password: string;
}

/**
 * Sets a new password and signs in with what was shown: the mailbox or the phone. A second step is
 * still asked for. Every session and every trust in a browser ends.
 * @throws Problem `link-expired`; `code-wrong`, `password-weak`, `password-breached`, `too-many-tries`;
 *   `unavailable`
 */
export async function resetPassword(
  ports: Ports,
  { token, code = "", password }: Reset,
  client: Client,
): Promise<SignInOutcome> {
  const found = await findReset(ports, token);
  if (found === null) throw new Problem("link-expired");
  // Before the code is tried, so that a weak password costs no try.
  await requireGoodPassword(ports, normalizePassword(password), [], client);
  const accountId = await accountToReset(ports, found, code);
  requireStrongPassword(normalizePassword(password), await ownAddresses(ports, accountId));
  const claim = () => claimReset(found);
  await replacePassword(ports, accountId, password, { client, claim });
  await forgetReset(ports, found.payload.contact);
  const method = found.payload.kind === "email" ? "mail" : "phone";
  return await completeSignIn(ports, { accountId, methods: [method] }, client);
}

/** Whose password it is; only while the address and the password are what they were. */
async function accountToReset(
  ports: Ports,
  found: Challenge<"password">,
  typed: string,
): Promise<string> {
  const { accountId, contact, stamp, code } = found.payload;
  if (code !== undefined) {
    const verdict = await tryCode(ports, found.tokenHash, { code, typed });
    if (verdict === "wrong") throw new Problem("code-wrong", "code");
    if (verdict === "spent") return await expire(ports, found);
  }
  const db = accountId === null ? null : ports.regions.db(accountId);
  if (accountId === null || db === null) return await expire(ports, found);
  const holder = await ports.directory.accountOfContact(contact);
  if (holder !== accountId || (await passwordStamp(db, accountId)) !== stamp) {
    return await expire(ports, found);
  }
  return accountId;
}

/** Forgets a link that opens nothing any more, with the key it was sealed under. */
async function expire(ports: Ports, found: Challenge<"password">): Promise<never> {
  if (await claimReset(found)) await forgetReset(ports, found.payload.contact);
  throw new Problem("link-expired");
}

/**
 * Lets the reader of an address choose a new password: for who has just shown another secret that was
 * mailed there.
 * @returns the secret that `resetPassword` takes
 */
export async function openReset(
  ports: Ports,
  { accountId, contact }: { readonly accountId: string; readonly contact: string },
): Promise<string> {
  const db = ports.regions.db(accountId);
  if (db === null) throw new Problem("not-found");
  const stamp = await passwordStamp(db, accountId);
  return await keepReset(ports, { kind: "email", accountId, contact, stamp });
}
