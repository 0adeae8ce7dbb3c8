/**
 * Undo links: whoever takes over an account changes its address first, so the address before gets a
 * link that works for days and takes everything back. docs/decisions/recovery.md
 */

import { type IdentifierRow, personKey, sealedAt } from "../../db/queries/accounts.ts";
import { deleteStep } from "../../db/queries/second-steps.ts";
import { applyUndo, insertUndo, undoOfToken } from "../../db/queries/undos.ts";
import { regionOf } from "../../protocol/ids.ts";
import { limits } from "../../protocol/limits.ts";
import { hashToken, newToken, parseToken } from "../../protocol/tokens.ts";
import type { Db, Ports } from "../ports.ts";
import { Problem } from "../problem.ts";
import { endSessions } from "../sign-in/change-password.ts";
import type { Client } from "../sign-in/client.ts";
import { openReset } from "../sign-in/forgot.ts";
import type { Contact } from "../sign-in/rules.ts";
import { sendWords } from "../sign-in/send.ts";
import { endTrust } from "../sign-in/trust.ts";
import { forgetReset } from "../sign-in/waiting-reset.ts";
import { note } from "./activity.ts";
import { undoWords } from "./messages.ts";
import { notice } from "./notices.ts";
import { secondStepPhone } from "./step-phone.ts";

/** What an undo link knows: which address it brings back, and since when it was given up. */
interface UndoPayload {
  readonly identifierId: string;
  readonly kind: Contact["kind"];
  readonly address: string;
  readonly verifiedAt: number;
  readonly changedAt: number;
}

/**
 * Mails the link to an address that is about to be given up.
 * @throws Problem `mail-failed`; what it was for must not happen then
 */
export async function offerUndo(
  ports: Ports,
  accountId: string,
  { id, verifiedAt }: Pick<IdentifierRow, "id" | "verifiedAt">,
  contact: Contact,
  what: "changed" | "removed",
): Promise<void> {
  const region = regionOf(accountId) as string;
  const db = ports.regions.db(region);
  if (db === null) throw new Problem("not-found");
  const changedAt = ports.clock.now();
  const token = newToken("chl", region, ports.random.bytes);
  const tokenHash = await hashToken(token);
  const { kind, text: address } = contact;
  const payload: UndoPayload = { identifierId: id, kind, address, verifiedAt, changedAt };
  const payloadSealed = await ports.sealer.seal(
    personKey(accountId),
    sealedAt.undo(tokenHash),
    JSON.stringify(payload),
  );
  // The mail first: a link that nobody has is worth nothing, a change without its link is a risk.
  await sendWords(ports, contact, undoWords(ports.config.origin, { token, what }));
  const expiresAt = changedAt + limits.addressUndoMs;
  await insertUndo(db, { tokenHash, accountId, payloadSealed, expiresAt });
}

/** What the link brings back; null when it was used or its time has passed. */
export async function findUndo(ports: Ports, token: string): Promise<UndoPayload | null> {
  return (await find(ports, token))?.payload ?? null;
}

async function find(ports: Ports, token: string) {
  const region = parseToken("chl", token)?.region;
  const db = region === undefined ? null : ports.regions.db(region);
  if (db === null) return null;
  const tokenHash = await hashToken(token);
  const row = await undoOfToken(db, tokenHash, ports.clock.now());
  if (row === null) return null;
  const { accountId, payloadSealed, expiresAt } = row;
  const at = sealedAt.undo(tokenHash);
  const opened = await ports.sealer.open(personKey(accountId), at, payloadSealed);
  if (opened === null) return null;
  return { db, tokenHash, accountId, expiresAt, payload: JSON.parse(opened) as UndoPayload };
}

/**
 * Takes a change of address back: the old one is the primary again, addresses that were added since,
 * or shortly before, are gone, and so are passkeys, accounts elsewhere, tokens and apps of that time;
 * every session and trust in a browser ends, and the password is no more. Second steps stay. Works once.
 * @returns the secret that lets the reader of the old address choose a new password
 * @throws Problem `link-expired`; `contact-taken` when the address is another account's by now;
 *   `unavailable` when a session's visits could not be ended, and the link may be opened again
 */
export async function undoChange(ports: Ports, token: string, client: Client): Promise<string> {
  const found = await find(ports, token);
  if (found === null) throw new Problem("link-expired");
  const { db, tokenHash, accountId, expiresAt, payload } = found;
  const contact = await ports.directory.contactHash(payload.address);
  if (!(await ports.directory.claimContact(contact, accountId))) {
    throw new Problem("contact-taken");
  }
  await endSessions(ports, accountId);
  const stepPhone = await secondStepPhone(ports, db, accountId);
  const restored = await restoredRow(ports, accountId, payload);
  const since = payload.changedAt - limits.addressUndoMs;
  const now = ports.clock.now();
  const key = { tokenHash, accountId, expiresAt };
  const dropped = await applyUndo(db, key, restored, { since, now });
  if (dropped === null) throw new Problem("link-expired");
  await endTrust(ports, accountId);
  await endSessions(ports, accountId);
  await releaseDropped(ports, db, accountId, { dropped, stepPhone });
  await note(ports, accountId, "address-changed", { client, about: "undone" });
  notice(ports, accountId, "address-changed", { client, about: "undone", everywhere: true });
  return await openReset(ports, { accountId, contact });
}

async function restoredRow(ports: Ports, accountId: string, payload: UndoPayload) {
  const { identifierId: id, kind, address, verifiedAt } = payload;
  const at = sealedAt.address(id);
  const addressSealed = await ports.sealer.seal(personKey(accountId), at, address);
  return { id, kind, addressSealed, verifiedAt };
}

interface DroppedRows {
  readonly dropped: readonly Pick<IdentifierRow, "id" | "addressSealed">[];
  readonly stepPhone: string | null;
}

/** Frees the addresses that are gone, and the second step whose codes went to one of them. */
async function releaseDropped(
  ports: Ports,
  db: Db,
  accountId: string,
  { dropped, stepPhone }: DroppedRows,
): Promise<void> {
  for (const { id, addressSealed } of dropped) {
    const at = sealedAt.address(id);
    const address = await ports.sealer.open(personKey(accountId), at, addressSealed);
    if (address === null) continue;
    const hash = await ports.directory.contactHash(address);
    await ports.directory.releaseContact(hash, accountId);
    await forgetReset(ports, hash);
    if (id === stepPhone) await deleteStep(db, accountId, "sms");
  }
}
