/**
 * The address book of an account: e-mail addresses and phone numbers, each verified with a code before
 * it counts. Whether an address belongs to somebody else is told to its reader, never to who asks.
 */

import {
  type IdentifierRow,
  identifiersOf,
  personKey,
  sealedAt,
} from "../../db/queries/accounts.ts";
import { deleteChallenge } from "../../db/queries/challenges.ts";
import { addIdentifier, deleteIdentifier, setPrimary } from "../../db/queries/identifiers.ts";
import { hasUndo } from "../../db/queries/undos.ts";
import { newId, regionOf } from "../../protocol/ids.ts";
import { limits } from "../../protocol/limits.ts";
import type { Db, Ports } from "../ports.ts";
import { Problem } from "../problem.ts";
import { findChallenge, openChallenge } from "../sign-in/challenge.ts";
import type { Client } from "../sign-in/client.ts";
import { newCode, tryCode } from "../sign-in/codes.ts";
import type { Contact } from "../sign-in/rules.ts";
import { reachableContact, sendWords, takeMessageLimits } from "../sign-in/send.ts";
import { forgetReset } from "../sign-in/waiting-reset.ts";
import { note } from "./activity.ts";
import { contactTakenWords, contactWords } from "./messages.ts";
import { notice, noticeChannel, noticeTo } from "./notices.ts";
import { secondStepPhone } from "./step-phone.ts";
import { offerUndo } from "./undo.ts";

export interface Address extends Contact {
  readonly id: string;
  /** Notices go here. */
  readonly primary: boolean;
  /** The codes of the second step go here. */
  readonly secondStep: boolean;
  /** Milliseconds since the epoch. */
  readonly verifiedAt: number;
}

/** The verified addresses of an account, the primary first. */
export async function listAddresses(ports: Ports, accountId: string): Promise<Address[]> {
  const db = dbOf(ports, accountId);
  const [rows, stepPhone] = await Promise.all([
    identifiersOf(db, accountId),
    secondStepPhone(ports, db, accountId),
  ]);
  const opened = rows.map(async (row) => {
    const text = await openAddress(ports, accountId, row);
    const { id, kind, verifiedAt } = row;
    const primary = row.isPrimary === 1;
    return text === null
      ? null
      : { id, kind, text, primary, verifiedAt, secondStep: id === stepPhone };
  });
  return (await Promise.all(opened)).filter((address) => address !== null);
}

/** An address as it is told of in the activity log and in notices: `a…@example.org`, `+49…78`. */
export function masked({ kind, text }: Contact): string {
  if (kind === "phone") return `${text.slice(0, 3)}…${text.slice(-2)}`;
  return `${text.slice(0, 1)}…${text.slice(text.lastIndexOf("@"))}`;
}

/** The secret that the code belongs to, and where the code is. */
export interface AddressSent {
  readonly kind: Contact["kind"];
  readonly token: string;
}

/**
 * Sends a code to an address that is to be added; the same work and answer where it belongs to another
 * account, whose reader is told instead.
 * @throws Problem `address-syntax`, `phone-unsupported`, `address-yours`, `too-many`,
 *   `too-many-tries`, `mail-failed`, `sms-failed` (then nothing waits)
 */
export async function askAddress(
  ports: Ports,
  accountId: string,
  typed: string,
  client: Client,
): Promise<AddressSent> {
  const contact = reachableContact(ports, typed);
  const { kind, text: address } = contact;
  const hash = await ports.directory.contactHash(address);
  const own = await listAddresses(ports, accountId);
  if (has(own, address)) throw new Problem("address-yours", "address");
  if (own.length >= limits.addressesPerAccount) throw new Problem("too-many", "address");
  await takeContactLimit(ports, accountId);
  await takeMessageLimits(ports, { kind, hash }, client);
  const holder = await ports.directory.accountOfContact(hash);
  // Claimed by this account without being in its book: an adding that was cut off, to be done again.
  const taken = holder !== null && holder !== accountId;
  const code = newCode(ports.random);
  const payload = { kind, address, code: taken ? "" : code };
  const { db, token, tokenHash } = await openChallenge(ports, accountId, "contact", payload);
  const words = taken ? contactTakenWords(ports.config.origin) : contactWords(code);
  try {
    await sendWords(ports, contact, words);
  } catch (error) {
    await deleteChallenge(db, tokenHash);
    throw error;
  }
  return { kind, token };
}

/** Mailboxes fold case, as the directory does. */
const has = (own: readonly Address[], address: string): boolean =>
  own.some(({ text }) => text.toLowerCase() === address.toLowerCase());

async function takeContactLimit(ports: Ports, accountId: string): Promise<void> {
  const { addressTriesPerAccount: max, mailWindowMs } = limits;
  if (!(await ports.limits.take("contact", accountId, max, mailWindowMs))) {
    throw new Problem("too-many-tries");
  }
}

/**
 * Adds the address that a code was sent to. It is told where notices went before: one that is added to
 * an account with phones only would else be the first to hear of itself, and the last.
 * @throws Problem `code-wrong`; `code-expired` after a few wrong ones, in time, and when the address
 *   went to somebody else meanwhile or is in the book by now; `too-many`
 */
export async function verifyAddress(
  ports: Ports,
  accountId: string,
  { token, code: typed }: { readonly token: string; readonly code: string },
  client: Client,
): Promise<Contact> {
  const found = await findChallenge(ports, token, "contact");
  if (found === null || found.accountId !== accountId) throw new Problem("code-expired");
  const { db, tokenHash } = found;
  const { kind, address, code } = found.payload;
  const verdict = await tryCode(ports, tokenHash, { code, typed });
  if (verdict === "wrong") throw new Problem("code-wrong", "code");
  const hash = await ports.directory.contactHash(address);
  const before = await listAddresses(ports, accountId);
  const free = verdict === "right" && !has(before, address);
  if (!free || !(await ports.directory.claimContact(hash, accountId))) {
    await deleteChallenge(db, tokenHash);
    throw new Problem("code-expired");
  }
  const id = newId("idn", regionOf(accountId) as string, ports.random.bytes);
  const addressSealed = await ports.sealer.seal(
    personKey(accountId),
    sealedAt.address(id),
    address,
  );
  const row = { id, accountId, kind, addressSealed };
  const [now, max] = [ports.clock.now(), limits.addressesPerAccount];
  const outcome = await addIdentifier(db, tokenHash, row, { now, max });
  if (outcome === "gone") throw new Problem("code-expired");
  if (outcome === "full") {
    await ports.directory.releaseContact(hash, accountId);
    throw new Problem("too-many");
  }
  const contact: Contact = { kind, text: address };
  await note(ports, accountId, "address-added", { client, about: masked(contact) });
  for (const to of noticeChannel(before)) {
    noticeTo(ports, to, "address-added", { client, about: masked(contact) });
  }
  return contact;
}

/**
 * Lets notices go to another address. The mail address they went to, also where the primary was a phone
 * (NOT-4), gets a link that takes it back; if that mail cannot be sent, nothing is changed.
 * @throws Problem `not-found`, `mail-failed`
 */
export async function makePrimary(
  ports: Ports,
  accountId: string,
  id: string,
  client: Client,
): Promise<void> {
  const db = dbOf(ports, accountId);
  const rows = await identifiersOf(db, accountId);
  const [before] = rows;
  const chosen = rows.find((row) => row.id === id);
  if (chosen === undefined || before === undefined) throw new Problem("not-found");
  if (chosen === before) return;
  const [old, next] = await Promise.all(
    [before, chosen].map((row) => openContact(ports, accountId, row)),
  );
  if (old === undefined || next === undefined) throw new Problem("not-found");
  const about = masked(next);
  const mailbox = mailboxOf(rows);
  if (mailbox !== undefined && mailbox !== chosen) {
    const told = await openContact(ports, accountId, mailbox);
    await offerUndo(ports, accountId, mailbox, told, "changed");
  }
  if (old.kind === "phone") noticeTo(ports, old, "address-changed", { client, about });
  if (!(await setPrimary(db, accountId, id))) throw new Problem("not-found");
  await note(ports, accountId, "address-changed", { client, about });
  notice(ports, accountId, "address-changed", { client, about });
}

/**
 * Removes an address: never the last, nor the one that notices or the codes of the second step go to.
 * While a change of the primary can be taken back, a removed mail address gets an undo link as well, and
 * so does the mailbox that notices went to beside a primary phone; at other times it is told.
 * @throws Problem `not-found`, `address-last`, `address-primary`, `address-in-use`, `mail-failed`
 */
export async function removeAddress(
  ports: Ports,
  accountId: string,
  id: string,
  client: Client,
): Promise<void> {
  const db = dbOf(ports, accountId);
  const rows = await identifiersOf(db, accountId);
  const row = rows.find((one) => one.id === id);
  if (row === undefined) throw new Problem("not-found");
  if (rows.length === 1) throw new Problem("address-last");
  if (row.isPrimary === 1) throw new Problem("address-primary");
  if ((await secondStepPhone(ports, db, accountId)) === id) throw new Problem("address-in-use");
  const contact = await openContact(ports, accountId, row);
  const about = masked(contact);
  const hears = row === mailboxOf(rows); // beside a phone that is the primary
  const canUndo =
    row.kind === "email" && (hears || (await hasUndo(db, accountId, ports.clock.now())));
  if (canUndo) await offerUndo(ports, accountId, row, contact, "removed");
  else noticeTo(ports, contact, "address-removed", { client, about });
  // The directory first: cut off in between, the address opens nothing and can be removed again.
  const hash = await ports.directory.contactHash(contact.text);
  await ports.directory.releaseContact(hash, accountId);
  await forgetReset(ports, hash);
  if (!(await deleteIdentifier(db, accountId, id))) {
    await ports.directory.claimContact(hash, accountId);
    throw new Problem("not-found");
  }
  await note(ports, accountId, "address-removed", { client, about });
  notice(ports, accountId, "address-removed", { client, about });
}

/** The mailbox that notices go to, of rows with the primary first (NOT-4). */
const mailboxOf = (rows: readonly IdentifierRow[]): IdentifierRow | undefined =>
  rows.find(({ kind }) => kind === "email");

async function openContact(ports: Ports, accountId: string, row: IdentifierRow): Promise<Contact> {
  const text = await openAddress(ports, accountId, row);
  if (text === null) throw new Problem("not-found");
  return { kind: row.kind, text };
}

const openAddress = (ports: Ports, accountId: string, row: IdentifierRow) =>
  ports.sealer.open(personKey(accountId), sealedAt.address(row.id), row.addressSealed);

function dbOf(ports: Ports, accountId: string): Db {
  const db = ports.regions.db(accountId);
  if (db === null) throw new Problem("not-found");
  return db;
}
