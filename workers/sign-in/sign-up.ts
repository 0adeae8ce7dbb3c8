/**
 * Sign-up: a verified e-mail address or phone number and a password make an account (ACC-1).
 *
 * Whether an address has an account already is told to nobody but the reader of its messages: the
 * answer, the work done and the limits are the same either way.
 */

import { createAccount, personKey, sealedAt } from "../../db/queries/accounts.ts";
import { deleteChallenge } from "../../db/queries/challenges.ts";
import { newId, regionOf } from "../../protocol/ids.ts";
import { limits } from "../../protocol/limits.ts";
import { note } from "../account/activity.ts";
import type { Ports } from "../ports.ts";
import { Problem } from "../problem.ts";
import { checkAge } from "./age.ts";
import { hashPassword, verifyPassword } from "./argon2.ts";
import { requireGoodPassword } from "./breached.ts";
import { type Challenge, findChallenge, openChallenge } from "./challenge.ts";
import type { Client } from "./client.ts";
import { newCode, tryCode } from "./codes.ts";
import { completeSignIn, type SignInOutcome } from "./complete.ts";
import { alreadyMail, alreadySms, signUpSms, verifyMail } from "./mails.ts";
import type { SignInMethod } from "./requirements.ts";
import { type Contact, normalizePassword } from "./rules.ts";
import { reachableContact, sendMail, sendSms, takeMessageLimits } from "./send.ts";

export interface SignUp {
  /** An e-mail address or a phone number. */
  readonly address: string;
  readonly password: string;
  /** One of `ports.regions.ids`; the default when absent. */
  readonly region?: string | undefined;
  /** In whole years, where the operator set a minimum: compared and forgotten (KID-1). */
  readonly age?: number | undefined;
}

/** What is on its way. */
export type SignUpSent =
  | { readonly kind: "mail" }
  /** The secret that the code in the text message belongs to; the browser keeps it. */
  | { readonly kind: "sms"; readonly token: string };

/**
 * Sends a mail or a text message that opens the account, or that says there is one already.
 * @throws Problem what `checkAge` throws, before anything else is done; `address-syntax`,
 *   `phone-unsupported`, `password-weak`, `password-breached`,
 *   `region-unknown`, `too-many-tries`, `mail-failed`, `sms-failed` (then nothing is left behind)
 */
export async function signUp(ports: Ports, input: SignUp, client: Client): Promise<SignUpSent> {
  checkAge(ports.config, input.age);
  const { contact, password, region } = checkInput(ports, input);
  await requireGoodPassword(ports, password, [contact.text], client);
  const hash = await ports.directory.contactHash(contact.text);
  await takeMessageLimits(ports, { kind: contact.kind, hash }, client);
  const phc = hashPassword(password, ports.random.bytes);
  const taken = (await ports.directory.accountOfContact(hash)) !== null;
  const waiting: Waiting = { contact, phc, region, taken };
  return contact.kind === "email" ? await byMail(ports, waiting) : await bySms(ports, waiting);
}

function checkInput(ports: Ports, input: SignUp) {
  const contact = reachableContact(ports, input.address);
  const password = normalizePassword(input.password);
  const region = input.region ?? ports.regions.default;
  if (!ports.regions.ids.includes(region)) throw new Problem("region-unknown", "region");
  return { contact, password, region };
}

interface Waiting {
  readonly contact: Contact;
  readonly phc: string;
  readonly region: string;
  /** True when the address has an account. */
  readonly taken: boolean;
}

/** The same work for a known address; only its token is never sent. */
async function byMail(ports: Ports, waiting: Waiting): Promise<SignUpSent> {
  const { contact, taken } = waiting;
  const pending = await beginSignUp(ports, waiting);
  const mail = taken
    ? alreadyMail(ports.config.origin, contact.text)
    : verifyMail(ports.config.origin, contact.text, pending.token);
  await orForget(ports, pending, sendMail(ports, mail));
  if (taken) ports.background(forget(ports, pending));
  return { kind: "mail" };
}

/**
 * The browser gets a secret either way. For a known number no code goes with it, and it ends like any
 * other after a few wrong ones.
 */
async function bySms(ports: Ports, waiting: Waiting): Promise<SignUpSent> {
  const { contact, taken } = waiting;
  const code = newCode(ports.random);
  const pending = await beginSignUp(ports, waiting, taken ? "" : code);
  const text = taken ? alreadySms() : signUpSms(code);
  await orForget(ports, pending, sendSms(ports, contact.text, text));
  return { kind: "sms", token: pending.token };
}

function beginSignUp(ports: Ports, { contact, phc, region }: Waiting, code?: string) {
  const accountId = newId("acc", region, ports.random.bytes);
  const payload = { kind: contact.kind, address: contact.text, phc };
  const more = code === undefined ? {} : { code };
  return openChallenge(ports, accountId, "sign-up", { ...payload, ...more });
}

async function orForget(ports: Ports, pending: Pending, sent: Promise<void>): Promise<void> {
  try {
    await sent;
  } catch (error) {
    await forget(ports, pending);
    throw error;
  }
}

type Pending = Pick<Challenge<"sign-up">, "db" | "tokenHash" | "accountId">;

/**
 * Takes back a sign-up that opens no account: its row and the key that sealed its address. Where the
 * row became an account a moment ago, the key is that account's and stays.
 */
async function forget(ports: Ports, { db, tokenHash, accountId }: Pending): Promise<void> {
  if (await deleteChallenge(db, tokenHash)) await ports.sealer.destroy(personKey(accountId));
}

export interface Verification {
  /** From the link in the mail: shows that the mailbox is theirs; for a phone, what `signUp` gave. */
  readonly token: string;
  /** By mail: as at the sign-up, shows that it was theirs. */
  readonly password?: string | undefined;
  /** By phone: from the text message. */
  readonly code?: string | undefined;
}

/**
 * Opens the account that a token stands for, and signs its owner in. A token works once. After a mail
 * the password is asked for again, because anybody can begin a sign-up with an address that is not
 * theirs: its owner would else open an account whose password a stranger knows. With a phone the
 * token stays in the browser that chose the password, and the code alone opens nothing.
 * @throws Problem `link-expired`; `password-differs` or `code-wrong`, after a few of which the
 *   sign-up is forgotten; `contact-taken` when the address got its account another way
 */
export async function verifySignUp(
  ports: Ports,
  verification: Verification,
  client: Client,
): Promise<SignInOutcome> {
  const found = await findChallenge(ports, verification.token, "sign-up");
  if (found === null || found.payload.phc === null) throw new Problem("link-expired");
  const { db, tokenHash, accountId } = found;
  const { kind, address, phc } = found.payload;
  const shown = await checkVerification(ports, found, phc, verification);
  // The directory decides between two sign-ups with one address; claiming twice for one is harmless,
  // so a verification cut off after this line can be done again with the same link.
  const contact = await ports.directory.contactHash(address);
  if (!(await ports.directory.claimContact(contact, accountId))) {
    await forget(ports, found);
    throw new Problem("contact-taken");
  }
  const key = personKey(accountId);
  const identifierId = newId("idn", regionOf(accountId) as string, ports.random.bytes);
  const first = {
    identifier: {
      id: identifierId,
      kind,
      addressSealed: await ports.sealer.seal(key, sealedAt.address(identifierId), address),
    },
    phcSealed: await ports.sealer.seal(key, sealedAt.phc(accountId), phc),
  };
  if (!(await createAccount(db, tokenHash, first, ports.clock.now()))) {
    throw new Problem("link-expired");
  }
  await note(ports, accountId, "signed-up", { client });
  return await completeSignIn(ports, { accountId, methods: [shown, "password"] }, client);
}

/** What was shown beside the password; counts the try. */
async function checkVerification(
  ports: Ports,
  found: Challenge<"sign-up">,
  phc: string,
  { password = "", code: typed = "" }: Verification,
): Promise<SignInMethod> {
  const { code } = found.payload;
  if (code !== undefined) {
    const verdict = await tryCode(ports, found.tokenHash, { code, typed });
    if (verdict === "right") return "phone";
    if (verdict === "wrong") throw new Problem("code-wrong", "code");
  } else {
    const { challengeAttempts: max, challengeMs } = limits;
    if (await ports.limits.take("sign-up-password", found.tokenHash, max, challengeMs)) {
      if (verifyPassword(phc, normalizePassword(password))) return "mail";
      throw new Problem("password-differs", "password");
    }
  }
  await forget(ports, found);
  throw new Problem("link-expired");
}
