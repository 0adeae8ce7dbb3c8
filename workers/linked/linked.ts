/**
 * Accounts elsewhere and the account here that they are linked to: letting in, linking, unlinking,
 * confirming. An account elsewhere belongs to one account here, named by its issuer and subject; an
 * address never links anything.
 */

import type { LinkedEntry } from "../../db/directory.ts";
import { personKey, sealedAt } from "../../db/queries/accounts.ts";
import {
  deleteLinked,
  dropLinked,
  holdsLinked,
  insertLinked,
  linkedOf,
  touchLinked,
} from "../../db/queries/linked.ts";
import { confirmSession } from "../../db/queries/sessions.ts";
import { isId, newId, regionOf } from "../../protocol/ids.ts";
import { limits } from "../../protocol/limits.ts";
import { note } from "../account/activity.ts";
import { notice } from "../account/notices.ts";
import type { Signed } from "../http.ts";
import type { Ports } from "../ports.ts";
import { Problem } from "../problem.ts";
import type { Client } from "../sign-in/client.ts";
import { completeSignIn, type SignInOutcome } from "../sign-in/complete.ts";
import { endSessionsBy, type Remover } from "../sign-in/sessions.ts";
import { endTrust } from "../sign-in/trust.ts";
import type { Identity } from "./identity.ts";

/** What is kept of an account elsewhere, sealed (ACC-2). */
export interface LinkedClaims {
  readonly provider: string;
  readonly issuer: string;
  readonly subject: string;
  readonly name: string | null;
  readonly email: string | null;
}

export interface LinkedView {
  readonly id: string;
  /** What people call the provider; its old name when the operator offers it no more. */
  readonly title: string;
  readonly provider: string;
  /** What the provider calls its owner; null when it did not say. */
  readonly name: string | null;
  readonly email: string | null;
  /** Milliseconds since the epoch. */
  readonly linkedAt: number;
  /** Start of the last day on which it let its owner in; null: never. */
  readonly usedDay: number | null;
}

/** What people call a provider. */
export function titleOf(ports: Pick<Ports, "config">, provider: string): string {
  return ports.config.identityProviders.find(({ id }) => id === provider)?.title ?? provider;
}

/** The claims of an identity that are kept, as text to seal. */
export function claimsText({ provider, issuer, subject, name, email }: Identity): string {
  return JSON.stringify({ provider, issuer, subject, name, email } satisfies LinkedClaims);
}

/** The account that an account elsewhere is linked to; null when there is none. */
export async function holderOf(ports: Ports, identity: Identity): Promise<LinkedEntry | null> {
  const hash = await ports.directory.linkedHash(identity.issuer, identity.subject);
  const entry = await ports.directory.linkedEntry(hash);
  const db = entry === null ? null : ports.regions.db(entry.accountId);
  if (entry === null || db === null) return null;
  return (await holdsLinked(db, entry)) ? entry : null;
}

/**
 * Lets in whoever an account elsewhere is linked to; null when it is linked to nobody.
 * @throws Problem `bad-credentials` when it was unlinked or erased a moment ago
 */
export async function signInLinked(
  ports: Ports,
  identity: Identity,
  trustToken: string | null,
  client: Client,
): Promise<SignInOutcome | null> {
  const holder = await holderOf(ports, identity);
  const db = holder === null ? null : ports.regions.db(holder.accountId);
  if (holder === null || db === null) return null;
  if (!(await touchLinked(db, holder, ports.clock.now()))) throw new Problem("bad-credentials");
  const { accountId } = holder;
  return await completeSignIn(ports, { accountId, methods: ["linked"], trustToken }, client);
}

/**
 * Links an account elsewhere to the account that asked for it. Its row comes before the directory's
 * entry, so that an entry without a row is always one that was left behind.
 * @throws Problem `identity-taken`, `too-many`, `not-signed-in`
 */
export async function link(
  ports: Ports,
  accountId: string,
  identity: Identity,
  client: Client,
): Promise<void> {
  const region = regionOf(accountId);
  const db = region === null ? null : ports.regions.db(region);
  if (region === null || db === null) throw new Problem("not-signed-in");
  const holder = await holderOf(ports, identity);
  if (holder?.accountId === accountId) return;
  if (holder !== null) throw new Problem("identity-taken");
  const id = newId("lnk", region, ports.random.bytes);
  const claimsSealed = await ports.sealer.seal(
    personKey(accountId),
    sealedAt.linked(id),
    claimsText(identity),
  );
  const now = ports.clock.now();
  const row = { id, accountId, claimsSealed };
  if (!(await insertLinked(db, row, { now, max: limits.linkedPerAccount }))) {
    throw new Problem("too-many");
  }
  const held = await claim(ports, identity, { accountId, identityId: id });
  if (held?.identityId !== id) {
    await dropLinked(db, id);
    if (held?.accountId === accountId) return; // linked twice at once
    throw new Problem("identity-taken");
  }
  const about = titleOf(ports, identity.provider);
  await note(ports, accountId, "linked", { client, about });
  notice(ports, accountId, "linked", { client, about });
}

/**
 * Claims the directory's entry, also over one that was left behind.
 * @returns who holds it now: `entry`, or an earlier claim of the same account, or somebody else
 */
export async function claim(
  ports: Ports,
  identity: Identity,
  entry: LinkedEntry,
): Promise<LinkedEntry | null> {
  const { directory } = ports;
  const hash = await directory.linkedHash(identity.issuer, identity.subject);
  if (await directory.claimLinked(hash, entry)) return entry;
  const other = await directory.linkedEntry(hash);
  const db = other === null ? null : ports.regions.db(other.accountId);
  if (other === null || db === null || (await holdsLinked(db, other))) return other;
  await directory.releaseLinked(hash, other.identityId);
  await directory.claimLinked(hash, entry);
  return await directory.linkedEntry(hash);
}

/** The accounts elsewhere of an account. */
export async function listLinked(ports: Ports, accountId: string): Promise<LinkedView[]> {
  const db = ports.regions.db(accountId);
  if (db === null) return [];
  const list = await Promise.all(
    (await linkedOf(db, accountId)).map(async ({ id, claimsSealed, linkedAt, usedDay }) => {
      const claims = await openClaims(ports, accountId, id, claimsSealed);
      if (claims === null) return [];
      const { provider, name, email } = claims;
      const title = titleOf(ports, provider);
      return [{ id, provider, title, name, email, linkedAt, usedDay }];
    }),
  );
  return list.flat();
}

/** The providers that an account is linked with and that the operator still offers. */
export async function linkedProviders(
  ports: Ports,
  accountId: string,
): Promise<{ readonly id: string; readonly title: string }[]> {
  const offered = ports.config.identityProviders;
  if (offered.length === 0) return [];
  const own = await listLinked(ports, accountId);
  return offered.filter(({ id }) => own.some(({ provider }) => provider === id));
}

async function openClaims(
  ports: Ports,
  accountId: string,
  id: string,
  sealed: string,
): Promise<LinkedClaims | null> {
  const opened = await ports.sealer.open(personKey(accountId), sealedAt.linked(id), sealed);
  return opened === null ? null : (JSON.parse(opened) as LinkedClaims);
}

/**
 * Unlinks an account elsewhere, and ends the other sessions that an account elsewhere let in, with the
 * sign-ins it began and the trust in browsers: whoever unlinks it may not trust it any more. No token
 * of its provider is kept, so none is left to revoke (FEA-8).
 * @throws Problem `not-found`, `last-way-in`; `unavailable`
 */
export async function unlink(
  ports: Ports,
  who: Remover,
  id: string,
  client: Client,
): Promise<void> {
  const { accountId } = who;
  const db = ports.regions.db(accountId);
  if (db === null || !isId("lnk", id)) throw new Problem("not-found");
  const row = (await linkedOf(db, accountId)).find((own) => own.id === id);
  if (row === undefined) throw new Problem("not-found");
  const claims = await openClaims(ports, accountId, id, row.claimsSealed);
  if (!(await deleteLinked(db, accountId, id))) throw new Problem("last-way-in");
  if (claims !== null) {
    const hash = await ports.directory.linkedHash(claims.issuer, claims.subject);
    await ports.directory.releaseLinked(hash, id);
  }
  await endTrust(ports, accountId);
  const about = claims === null ? {} : { about: titleOf(ports, claims.provider) };
  await note(ports, accountId, "unlinked", { client, ...about });
  notice(ports, accountId, "unlinked", { client, ...about });
  await endSessionsBy(ports, who, ["linked"]);
}

/**
 * Takes an account elsewhere, shown afresh, for its owner's word that it is them.
 * @throws Problem `identity-differs` when it is not linked to the account that asked
 */
export async function confirmWith(
  ports: Ports,
  { accountId, sessionId }: Signed,
  identity: Identity,
): Promise<void> {
  const holder = await holderOf(ports, identity);
  const db = ports.regions.db(accountId);
  if (db === null || holder?.accountId !== accountId) throw new Problem("identity-differs");
  await confirmSession(db, { accountId, sessionId }, ports.clock.now());
}
