/**
 * Sign-up: a verified address and a password make an account (ACC-1).
 *
 * Whether an address has an account already is told to nobody but the reader of its mail: the answer,
 * the work done and the limits are the same either way.
 */

import { createAccount, personKey, sealedAt } from "../../db/queries/accounts.ts";
import { deleteChallenge } from "../../db/queries/challenges.ts";
import { newId, regionOf } from "../../protocol/ids.ts";
import { limits } from "../../protocol/limits.ts";
import { note } from "../account/activity.ts";
import type { Db, Ports } from "../ports.ts";
import { Problem } from "../problem.ts";
import { checkAge } from "./age.ts";
import { hashPassword, verifyPassword } from "./argon2.ts";
import { findChallenge, openChallenge } from "./challenge.ts";
import { type Client, limitedNetwork } from "./client.ts";
import { completeSignIn, type SignInOutcome } from "./complete.ts";
import { alreadyMail, verifyMail } from "./mails.ts";
import { type Contact, isStrongPassword, normalizeContact, normalizePassword } from "./rules.ts";

export interface SignUp {
  readonly address: string;
  readonly password: string;
  /** One of `ports.regions.ids`; the default when absent. */
  readonly region?: string | undefined;
  /** In whole years, where the operator set a minimum: compared and forgotten (KID-1). */
  readonly age?: number | undefined;
}

/**
 * Sends a mail that opens the account, or that says there is one already.
 * @throws Problem what `checkAge` throws, before anything else is done; `address-syntax`, `password-weak`, `region-unknown`, `too-many-tries`,
 *   `mail-failed` (and then nothing is left behind)
 */
export async function signUp(ports: Ports, input: SignUp, client: Client): Promise<void> {
  checkAge(ports.config, input.age);
  const { contact, password, region } = checkInput(ports, input);
  const { text: address } = contact;
  const hash = await ports.directory.contactHash(address);
  await takeMailLimits(ports, hash, client);
  const phc = hashPassword(password, ports.random.bytes);
  const taken = (await ports.directory.accountOfContact(hash)) !== null;
  // The same work for a known address; only its token is never sent.
  const pending = await beginSignUp(ports, { contact, phc, region });
  const mail = taken
    ? alreadyMail(ports.config.origin, address)
    : verifyMail(ports.config.origin, address, pending.token);
  try {
    await ports.mail.send(mail);
  } catch (error) {
    ports.log({ event: "mail-failed", code: relayCode(error) });
    await forget(ports, pending.db, pending.tokenHash, pending.accountId);
    throw new Problem("mail-failed");
  }
  if (taken) ports.background(forget(ports, pending.db, pending.tokenHash, pending.accountId));
}

/** The mail library's own word for what failed, e.g. `EAUTH`; never its text, which has addresses. */
function relayCode(error: unknown): string {
  const code = (error as { code?: unknown } | null)?.code;
  return typeof code === "string" && /^E[A-Z]{2,20}$/.test(code) ? code : "unknown";
}

function checkInput(ports: Ports, input: SignUp) {
  const contact = normalizeContact(input.address);
  if (contact?.kind !== "email") throw new Problem("address-syntax", "address");
  const password = normalizePassword(input.password);
  if (!isStrongPassword(password, contact.text)) throw new Problem("password-weak", "password");
  const region = input.region ?? ports.regions.default;
  if (!ports.regions.ids.includes(region)) throw new Problem("region-unknown", "region");
  return { contact, password, region };
}

async function takeMailLimits(ports: Ports, contact: string, client: Client): Promise<void> {
  const network = limitedNetwork(client.peer);
  const { mailPerNetwork, mailPerAddress, mailWindowMs } = limits;
  const free =
    (await ports.limits.take("mail-network", network, mailPerNetwork, mailWindowMs)) &&
    (await ports.limits.take("mail-address", contact, mailPerAddress, mailWindowMs));
  if (!free) throw new Problem("too-many-tries");
}

function beginSignUp(
  ports: Ports,
  { contact, phc, region }: { contact: Contact; phc: string; region: string },
) {
  const accountId = newId("acc", region, ports.random.bytes);
  const payload = { kind: contact.kind, address: contact.text, phc };
  return openChallenge(ports, accountId, "sign-up", payload);
}

/**
 * Takes back a sign-up that opens no account: its row and the key that sealed its address. Where the
 * row became an account a moment ago, the key is that account's and stays.
 */
async function forget(ports: Ports, db: Db, tokenHash: string, accountId: string): Promise<void> {
  if (await deleteChallenge(db, tokenHash)) await ports.sealer.destroy(personKey(accountId));
}

export interface Verification {
  /** From the link in the mail: shows that the mailbox is theirs. */
  readonly token: string;
  /** As at the sign-up: shows that it was theirs. */
  readonly password: string;
}

/**
 * Opens the account that a mailed token stands for, and signs its owner in. A token works once. The
 * password is asked for again because anybody can begin a sign-up with an address that is not theirs:
 * its owner would else open an account whose password a stranger knows.
 * @throws Problem `link-expired`; `password-differs`, after a few of which the sign-up is forgotten;
 *   `contact-taken` when the address got its account another way
 */
export async function verifySignUp(
  ports: Ports,
  { token, password }: Verification,
  client: Client,
): Promise<SignInOutcome> {
  const found = await findChallenge(ports, token, "sign-up");
  if (found === null || found.payload.phc === null) throw new Problem("link-expired");
  const { db, tokenHash, accountId } = found;
  const { kind, address, phc } = found.payload;
  const { challengeAttempts, challengeMs } = limits;
  if (!(await ports.limits.take("sign-up-password", tokenHash, challengeAttempts, challengeMs))) {
    await forget(ports, db, tokenHash, accountId);
    throw new Problem("link-expired");
  }
  if (!verifyPassword(phc, normalizePassword(password))) {
    throw new Problem("password-differs", "password");
  }
  // The directory decides between two sign-ups with one address; claiming twice for one is harmless,
  // so a verification cut off after this line can be done again with the same link.
  const contact = await ports.directory.contactHash(address);
  if (!(await ports.directory.claimContact(contact, accountId))) {
    await forget(ports, db, tokenHash, accountId);
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
  return await completeSignIn(ports, { accountId, methods: ["mail", "password"] }, client);
}
