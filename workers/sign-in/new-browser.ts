/**
 * Tells a person that somebody signed in with a browser or from a network that the account has not
 * seen in the time it remembers: its live sessions and its activity log, which is older than any trust
 * in a browser.
 */

import { personKey, sealedAt, signInsNoted } from "../../db/queries/accounts.ts";
import { sessionsOf } from "../../db/queries/sessions.ts";
import { limits } from "../../protocol/limits.ts";
import { notice } from "../account/notices.ts";
import type { Db, Ports } from "../ports.ts";
import { browserName, type Client, maskedNetwork } from "./client.ts";

export interface SignInNow {
  readonly accountId: string;
  /** The session it made. */
  readonly sessionId: string;
  /** The entry of the activity log it made. */
  readonly noted: string | null;
}

/** Sends the notice where it is due. A sign-up is noted in the log before it signs in, so it is known. */
export async function noticeOfNewBrowser(
  ports: Ports,
  db: Db,
  signIn: SignInNow,
  client: Client,
): Promise<void> {
  const name = browserName(client.userAgent);
  const network = maskedNetwork(client.peer);
  for (const { at, sealed } of await seenBefore(ports, db, signIn)) {
    const opened = await ports.sealer.open(personKey(signIn.accountId), at, sealed);
    const seen = JSON.parse(opened ?? "{}") as { client?: string; network?: string | null };
    if (seen.client === name && (seen.network ?? null) === network) return;
  }
  notice(ports, signIn.accountId, "new-sign-in", { client });
}

/** Where the account was used before: what is sealed, and at which place. */
async function seenBefore(ports: Ports, db: Db, { accountId, sessionId, noted }: SignInNow) {
  const now = ports.clock.now();
  const [sessions, entries] = await Promise.all([
    sessionsOf(db, accountId, now),
    signInsNoted(db, accountId, { now, limit: limits.knownSignIns }),
  ]);
  return [
    ...sessions
      .filter(({ id }) => id !== sessionId)
      .map(({ id, clientSealed }) => ({ at: sealedAt.client(id), sealed: clientSealed })),
    ...entries
      .filter(({ id }) => id !== noted)
      .map(({ id, detailSealed }) => ({ at: sealedAt.activity(id), sealed: detailSealed })),
  ];
}
