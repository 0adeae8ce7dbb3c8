/**
 * Opening an account with an account elsewhere. What that account is worth here:
 *
 * - An address that its provider calls checked (and may: `IdentityProvider.emails`) needs no mail.
 * - Any other address gets a mail. Its link opens the account only for somebody who shows the same
 *   account elsewhere once more, so that nobody ends up in an account that a stranger can enter too
 *   (Sudhodanan and Paverd, "Pre-hijacked accounts", USENIX Security 2022).
 * - An address that has an account already is told so by mail, and nothing is linked to it.
 */

import { createAccount, personKey, sealedAt } from "../../db/queries/accounts.ts";
import { deleteChallenge } from "../../db/queries/challenges.ts";
import { newId, regionOf } from "../../protocol/ids.ts";
import { limits } from "../../protocol/limits.ts";
import { note } from "../account/activity.ts";
import type { Ports } from "../ports.ts";
import { Problem } from "../problem.ts";
import { checkAge } from "../sign-in/age.ts";
import {
  type Challenge,
  type ChallengePayloads,
  findChallenge,
  openChallenge,
} from "../sign-in/challenge.ts";
import type { Client } from "../sign-in/client.ts";
import { completeSignIn, type SignInOutcome } from "../sign-in/complete.ts";
import { alreadyMail } from "../sign-in/mails.ts";
import { normalizeAddress } from "../sign-in/rules.ts";
import { sendMail, takeMessageLimits } from "../sign-in/send.ts";
import type { Identity } from "./identity.ts";
import { claim, claimsText, holderOf, titleOf } from "./linked.ts";
import { verifyLinkedMail } from "./mails.ts";

export interface LinkedSignUp {
  /** Where notices shall go. */
  readonly address: string;
  /** One of `ports.regions.ids`; the default when absent. */
  readonly region?: string | undefined;
  /** In whole years, where the operator set a minimum: compared and forgotten (KID-1). */
  readonly age?: number | undefined;
}

/**
 * Opens an account, or sends a mail that goes on.
 * @returns where the sign-in stands; null: a mail is on its way, the same for known addresses
 * @throws Problem what `checkAge` throws, before anything else is done; `address-syntax`,
 *   `region-unknown`, `too-many-tries`, `identity-taken`, `mail-failed`
 */
export async function signUpLinked(
  ports: Ports,
  identity: Identity,
  input: LinkedSignUp,
  client: Client,
): Promise<SignInOutcome | null> {
  checkAge(ports.config, input.age);
  const address = normalizeAddress(input.address);
  if (address === null) throw new Problem("address-syntax", "address");
  const region = input.region ?? ports.regions.default;
  if (!ports.regions.ids.includes(region)) throw new Problem("region-unknown", "region");
  const contact = await ports.directory.contactHash(address);
  await takeMessageLimits(ports, { kind: "email", hash: contact }, client);
  if ((await holderOf(ports, identity)) !== null) throw new Problem("identity-taken");

  const known = await ports.directory.accountOfContact(contact);
  const accountId = newId("acc", region, ports.random.bytes);
  const claims: Record<string, string> = { claims: claimsText(identity) };
  const payload: ChallengePayloads["sign-up"] = {
    kind: "email",
    address,
    phc: null,
    linked: { provider: identity.provider, claims },
  };
  const pending = await openChallenge(ports, accountId, "sign-up", payload);
  const checked = identity.emailChecked && sameAddress(address, identity.email);
  if (known === null && checked) {
    return await open(ports, { ...pending, payload }, identity, ["linked"], client);
  }
  const { origin } = ports.config;
  const provider = { id: identity.provider, title: titleOf(ports, identity.provider) };
  const mail =
    known === null
      ? verifyLinkedMail(origin, address, provider, pending.token)
      : alreadyMail(origin, address);
  try {
    await sendMail(ports, mail);
  } catch (error) {
    await abandon(ports, { ...pending, payload });
    throw error;
  }
  if (known !== null) ports.background(abandon(ports, { ...pending, payload }));
  return null;
}

/** Mailboxes fold case, as the directory does. */
function sameAddress(one: string, other: string | null): boolean {
  return one.toLowerCase() === other?.toLowerCase();
}

/** What a mailed link stands for; null when it is none of these, was used, or is too old. */
export async function findLinkedSignUp(
  ports: Ports,
  provider: string,
  token: string,
): Promise<Challenge<"sign-up"> | null> {
  const found = await findChallenge(ports, token, "sign-up");
  return found?.payload.linked?.provider === provider ? found : null;
}

/**
 * Opens the account that a mailed link stands for, for whoever shows the same account elsewhere again.
 * @throws Problem `link-expired`; `identity-differs`, after a few of which the sign-up is forgotten;
 *   `contact-taken`, `identity-taken` when either got its account another way
 */
export async function verifyLinkedSignUp(
  ports: Ports,
  token: string,
  identity: Identity,
  client: Client,
): Promise<SignInOutcome> {
  const found = await findLinkedSignUp(ports, identity.provider, token);
  if (found === null) throw new Problem("link-expired");
  const { challengeAttempts, challengeMs } = limits;
  const { tokenHash } = found;
  if (!(await ports.limits.take("sign-up-password", tokenHash, challengeAttempts, challengeMs))) {
    await abandon(ports, found);
    throw new Problem("link-expired");
  }
  const begun = JSON.parse(found.payload.linked?.claims.claims ?? "{}") as Partial<Identity>;
  if (begun.issuer !== identity.issuer || begun.subject !== identity.subject) {
    throw new Problem("identity-differs");
  }
  return await open(ports, found, identity, ["mail", "linked"], client);
}

type Waiting = Pick<Challenge<"sign-up">, "db" | "tokenHash" | "accountId" | "payload">;

/** Claims what must be unique, makes the account, and lets its owner in. */
async function open(
  ports: Ports,
  waiting: Waiting,
  identity: Identity,
  methods: readonly ("mail" | "linked")[],
  client: Client,
): Promise<SignInOutcome> {
  const { db, tokenHash, accountId, payload } = waiting;
  const region = regionOf(accountId) as string;
  const identifierId = newId("idn", region, ports.random.bytes);
  const contact = await ports.directory.contactHash(payload.address);
  if (!(await ports.directory.claimContact(contact, accountId))) {
    await abandon(ports, waiting);
    throw new Problem("contact-taken");
  }
  const ours = { accountId, identityId: newId("lnk", region, ports.random.bytes) };
  const held = await claim(ports, identity, ours);
  if (held?.accountId !== accountId) {
    await abandon(ports, waiting);
    throw new Problem("identity-taken");
  }
  // The same link opened twice at once claims once, whoever of the two then makes the account.
  const linkedId = held.identityId;
  const key = personKey(accountId);
  const first = {
    identifier: {
      id: identifierId,
      kind: payload.kind,
      addressSealed: await ports.sealer.seal(key, sealedAt.address(identifierId), payload.address),
    },
    phcSealed: null,
    linked: {
      id: linkedId,
      claimsSealed: await ports.sealer.seal(key, sealedAt.linked(linkedId), claimsText(identity)),
    },
  };
  if (!(await createAccount(db, tokenHash, first, ports.clock.now()))) {
    throw new Problem("link-expired");
  }
  const about = titleOf(ports, identity.provider);
  await note(ports, accountId, "signed-up", { client, about });
  await note(ports, accountId, "linked", { client, about });
  return await completeSignIn(ports, { accountId, methods }, client);
}

/** Takes back a sign-up that opens no account: its row, its key, and what it claimed. */
async function abandon(ports: Ports, { db, tokenHash, accountId }: Waiting): Promise<void> {
  if (!(await deleteChallenge(db, tokenHash))) return;
  await ports.sealer.destroy(personKey(accountId));
  await ports.directory.releaseContacts(accountId);
  await ports.directory.releaseLinkedOf(accountId);
}
