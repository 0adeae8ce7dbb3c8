/**
 * A forgotten password: a link by mail, or a code by text message, lets its reader choose a new one.
 *
 * Whether an address has an account is told to nobody: the answer, the work before it and the limits
 * are the same, and what is sent goes out after the answer, to the address as it was verified. The
 * secret is kept under a key of its own in the default region, so that it does not tell the region of
 * the account either.
 */

import { personKey } from "../../db/queries/accounts.ts";
import { deleteChallenge } from "../../db/queries/challenges.ts";
import { newId } from "../../protocol/ids.ts";
import { contactsOf } from "../account/notices.ts";
import type { Ports } from "../ports.ts";
import { Problem } from "../problem.ts";
import { requireGoodPassword } from "./breached.ts";
import {
  type Challenge,
  type ChallengePayloads,
  findChallenge,
  openChallenge,
} from "./challenge.ts";
import { passwordStamp, replacePassword, requireOwnPassword } from "./change-password.ts";
import type { Client } from "./client.ts";
import { newCode, tryCode } from "./codes.ts";
import { completeSignIn, type SignInOutcome } from "./complete.ts";
import { resetWords } from "./mails.ts";
import { normalizePassword } from "./rules.ts";
import { reachableContact, sendWords, takeMessageLimits } from "./send.ts";
import type { SignUpSent } from "./sign-up.ts";

const NOBODY = "nobody";

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
  const stamp = await passwordStamp(db, accountId ?? NOBODY);
  const code = newCode(ports.random);
  const about = { kind, accountId, contact, stamp };
  const payload = kind === "email" ? about : { ...about, code: accountId === null ? "" : code };
  const waiting = newId("acc", ports.regions.default, ports.random.bytes);
  const { token } = await openChallenge(ports, waiting, "password", payload);
  ports.background(sendReset(ports, payload, { token, code, accountId: accountId ?? waiting }));
  return kind === "email" ? { kind: "mail" } : { kind: "sms", token };
}

interface Sending {
  readonly token: string;
  readonly code: string;
  /** Whose addresses are looked at; those of an account that is none are none. */
  readonly accountId: string;
}

/** Writes to the address as it was verified: one in other letters may be somebody else's mailbox. */
async function sendReset(
  ports: Ports,
  { contact, kind }: ChallengePayloads["password"],
  { accountId, ...secrets }: Sending,
): Promise<void> {
  for (const to of await contactsOf(ports, accountId)) {
    if (to.kind !== kind || (await ports.directory.contactHash(to.text)) !== contact) continue;
    // The refusal is in the log; there is nobody left to answer.
    await sendWords(ports, to, resetWords(ports.config.origin, secrets)).catch(() => {});
  }
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
 * @throws Problem `link-expired`; `code-wrong`, `password-weak`, `password-breached`; `unavailable`
 */
export async function resetPassword(
  ports: Ports,
  { token, code = "", password }: Reset,
  client: Client,
): Promise<SignInOutcome> {
  const found = await findChallenge(ports, token, "password");
  if (found === null) throw new Problem("link-expired");
  // Before the code is tried, so that a weak password costs no try.
  await requireGoodPassword(ports, normalizePassword(password), []);
  const accountId = await accountToReset(ports, found, code);
  await requireOwnPassword(ports, accountId, password);
  const claim = () => deleteChallenge(found.db, found.tokenHash);
  await replacePassword(ports, accountId, password, { client, claim });
  await ports.sealer.destroy(personKey(found.accountId));
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
  if (await deleteChallenge(found.db, found.tokenHash)) {
    await ports.sealer.destroy(personKey(found.accountId));
  }
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
  const waiting = newId("acc", ports.regions.default, ports.random.bytes);
  const payload = { kind: "email", accountId, contact, stamp } as const;
  return (await openChallenge(ports, waiting, "password", payload)).token;
}
