/**
 * Changing a password, setting the first one, taking it away. Whatever was granted before ends with it:
 * other sessions and their visits, trusted browsers, sign-ins under way (CKY-3), and links that wait to
 * choose a new one, which know it by its stamp.
 */

import { passwordOf, personKey, sealedAt } from "../../db/queries/accounts.ts";
import { deletePassword, putPassword } from "../../db/queries/passwords.ts";
import { deleteRecovery } from "../../db/queries/recoveries.ts";
import { sessionsOf } from "../../db/queries/sessions.ts";
import { limits } from "../../protocol/limits.ts";
import { hashToken } from "../../protocol/tokens.ts";
import { checkPassword } from "../account/account.ts";
import { note } from "../account/activity.ts";
import { contactsOf, notice } from "../account/notices.ts";
import { programNames } from "../account/programs.ts";
import type { Signed } from "../http.ts";
import type { Db, Ports } from "../ports.ts";
import { Problem } from "../problem.ts";
import { hashPassword } from "./argon2.ts";
import { requireGoodPassword } from "./breached.ts";
import type { Client } from "./client.ts";
import { normalizePassword } from "./rules.ts";
import { revokeSession } from "./sessions.ts";
import { endTrust } from "./trust.ts";

export interface NewPassword {
  readonly password: string;
  /** Needed where its owner did not show a moment ago who they are. */
  readonly oldPassword?: string | undefined;
}

/**
 * Changes the password of who is signed in, or sets the first. Every other session ends.
 * @throws Problem `confirm-first` when neither is shown; `bad-credentials` at `old_password`,
 *   `password-weak`, `password-breached`, `too-many-tries`, `unavailable` (nothing is changed then)
 */
export async function changePassword(
  ports: Ports,
  who: Signed,
  { password, oldPassword }: NewPassword,
  client: Client,
): Promise<void> {
  const { accountId, sessionId } = who;
  const db = dbOf(ports, accountId);
  const confirmed = ports.clock.now() - who.confirmedAt < limits.confirmedMs;
  if (!confirmed) {
    if (oldPassword === undefined || oldPassword === "") throw new Problem("confirm-first");
    if (!(await checkPassword(ports, accountId, oldPassword))) {
      throw new Problem("bad-credentials", "old_password");
    }
  }
  const own = await ownAddresses(ports, accountId);
  await requireGoodPassword(ports, normalizePassword(password), own, client);
  await replacePassword(ports, accountId, password, { client, keep: sessionId });
  // Who is signed in has shown all that the account asks for: nobody waits for a lost step.
  await deleteRecovery(db, accountId, ports.clock.now());
}

/** The addresses of an account, none of which may be its password. */
export const ownAddresses = async (ports: Ports, accountId: string): Promise<string[]> =>
  (await contactsOf(ports, accountId)).map(({ text }) => text);

interface Replacing {
  readonly client: Client;
  /** The session that stays; every one ends without it. */
  readonly keep?: string;
  /** Uses up what allows it, at the last moment before anything changes; false when it was gone. */
  readonly claim?: () => Promise<boolean>;
}

/**
 * Puts a password that was found good in the place of the old one.
 * @throws Problem `unavailable` when a session's visits could not be ended, and nothing is changed;
 *   `link-expired` when the claim was lost, or the account is gone
 */
export async function replacePassword(
  ports: Ports,
  accountId: string,
  password: string,
  { client, keep, claim }: Replacing,
): Promise<void> {
  const db = dbOf(ports, accountId);
  await endSessions(ports, accountId, keep);
  if (claim !== undefined && !(await claim())) throw new Problem("link-expired");
  const phc = hashPassword(normalizePassword(password), ports.random.bytes);
  const at = sealedAt.phc(accountId);
  const phcSealed = await ports.sealer.seal(personKey(accountId), at, phc);
  if (!(await putPassword(db, { accountId, phcSealed }, ports.clock.now()))) {
    throw new Problem("link-expired");
  }
  await afterChange(ports, accountId, { client, keep });
}

/**
 * Takes the password away.
 * @throws Problem `last-way-in` when there is no passkey and no account elsewhere to sign in with;
 *   `not-found` when there is no password; `unavailable`
 */
export async function removePassword(ports: Ports, who: Signed, client: Client): Promise<void> {
  const { accountId, sessionId } = who;
  const db = dbOf(ports, accountId);
  if ((await passwordOf(db, accountId)) === null) throw new Problem("not-found");
  await endSessions(ports, accountId, sessionId);
  if (!(await deletePassword(db, accountId))) throw new Problem("last-way-in");
  await afterChange(ports, accountId, { client, keep: sessionId }, "removed");
}

async function afterChange(
  ports: Ports,
  accountId: string,
  { client, keep }: { readonly client: Client; readonly keep?: string | undefined },
  about?: string,
): Promise<void> {
  await endTrust(ports, accountId);
  // Once more: one that was made meanwhile may have shown the old password.
  ports.background(endSessions(ports, accountId, keep));
  await note(ports, accountId, "password-changed", { client, ...(about && { about }) });
  const still = await programNames(ports, accountId);
  notice(ports, accountId, "password-changed", { client, everywhere: true, still });
}

/**
 * Ends every session of an account but one.
 * @throws Problem `unavailable` when a visit could not be ended; all sessions are dead even so
 */
export async function endSessions(ports: Ports, accountId: string, keep?: string): Promise<void> {
  const rows = await sessionsOf(dbOf(ports, accountId), accountId, ports.clock.now());
  const ended = await Promise.allSettled(
    rows.filter(({ id }) => id !== keep).map(({ id }) => revokeSession(ports, accountId, id)),
  );
  if (ended.some(({ status }) => status === "rejected")) throw new Problem("unavailable");
}

/** Says which password it was without saying anything of it: changes with every change. */
export async function passwordStamp(db: Db, accountId: string): Promise<string> {
  return await hashToken((await passwordOf(db, accountId)) ?? "none");
}

function dbOf(ports: Ports, accountId: string): Db {
  const db = ports.regions.db(accountId);
  if (db === null) throw new Problem("not-found");
  return db;
}
