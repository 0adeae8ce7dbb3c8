/** The passkeys of an account: adding one, listing, renaming, removing; never the last way in. */

import { personKey, sealedAt } from "../../db/queries/accounts.ts";
import {
  deletePasskey,
  insertPasskey,
  passkeysCount,
  passkeysOf,
  renamePasskey,
} from "../../db/queries/passkeys.ts";
import { isId, newId, regionOf } from "../../protocol/ids.ts";
import { limits } from "../../protocol/limits.ts";
import { base64url, hashToken } from "../../protocol/tokens.ts";
import { profile } from "../account/account.ts";
import { note } from "../account/activity.ts";
import { notice } from "../account/notices.ts";
import type { Db, Ports } from "../ports.ts";
import { Problem } from "../problem.ts";
import { closeCeremony, credentialsOf, openCeremony } from "./ceremonies.ts";
import { browserName, type Client } from "./client.ts";
import { endSessionsBy, type Remover } from "./sessions.ts";
import { endTrust } from "./trust.ts";
import {
  algorithms,
  type RegistrationResponse,
  relyingPartyId,
  verifyRegistration,
} from "./webauthn.ts";

/** `PublicKeyCredentialCreationOptionsJSON` (WebAuthn §5.4). */
export interface CreationOptions {
  readonly challenge: string;
  readonly rp: { readonly id: string; readonly name: string };
  readonly user: { readonly id: string; readonly name: string; readonly displayName: string };
  readonly pubKeyCredParams: readonly { readonly type: "public-key"; readonly alg: number }[];
  readonly timeout: number;
  readonly attestation: "none";
  readonly authenticatorSelection: {
    readonly residentKey: "required";
    readonly requireResidentKey: true;
    readonly userVerification: "preferred";
  };
  readonly excludeCredentials: readonly {
    readonly type: "public-key";
    readonly id: string;
    readonly transports: readonly string[];
  }[];
}

function homeOf(ports: Ports, accountId: string): Db {
  const db = ports.regions.db(accountId);
  if (db === null) throw new Problem("not-found");
  return db;
}

/**
 * Begins to add a passkey. The user handle is the account's identifier: random, and it names the
 * region whose database has the passkey.
 * @throws Problem `too-many`
 */
export async function creationOptions(ports: Ports, accountId: string): Promise<CreationOptions> {
  const db = homeOf(ports, accountId);
  if ((await passkeysCount(db, accountId)) >= limits.passkeysPerAccount) {
    throw new Problem("too-many");
  }
  const [{ address }, own, challenge] = await Promise.all([
    profile(ports, accountId),
    credentialsOf(ports, accountId),
    openCeremony(ports, { kind: "add", accountId }),
  ]);
  return {
    challenge,
    rp: { id: relyingPartyId(ports.config.origin), name: "Latchkey" },
    user: {
      id: base64url(new TextEncoder().encode(accountId)),
      name: address,
      displayName: address,
    },
    pubKeyCredParams: algorithms.map((alg) => ({ type: "public-key", alg })),
    timeout: limits.passkeyCeremonyMs,
    attestation: "none",
    authenticatorSelection: {
      residentKey: "required",
      requireResidentKey: true,
      userVerification: "preferred",
    },
    excludeCredentials: own.map(({ id, transports }) => ({ type: "public-key", id, transports })),
  };
}

export interface PasskeyView {
  readonly id: string;
  readonly name: string;
  /** True when its owner has it on more than one device, e.g. through a password manager. */
  readonly backedUp: boolean;
  /** Milliseconds since the epoch. */
  readonly createdAt: number;
  /** Start of the day (UTC) of its last use; null when it was never used. */
  readonly usedDay: number | null;
}

/**
 * Adds the passkey that an authenticator made.
 * @throws Problem `passkey-refused` when the answer is not to what was asked; `too-many`
 */
export async function addPasskey(
  ports: Ports,
  accountId: string,
  { response, name }: { readonly response: RegistrationResponse; readonly name?: string },
  client: Client,
): Promise<PasskeyView> {
  const db = homeOf(ports, accountId);
  const { origin } = ports.config;
  const asked = { kind: "add", accountId } as const;
  const challenge = await closeCeremony(ports, asked, response.response.clientDataJSON);
  const made =
    challenge === null ? null : await verifyRegistration(response, { challenge, origin });
  if (made === null) throw new Problem("passkey-refused");
  const id = newId("psk", regionOf(accountId) ?? ports.regions.default, ports.random.bytes);
  const chosen = passkeyName(name ?? "") ?? `Passkey on ${browserName(client.userAgent)}`;
  const seal = (at: string, text: string) => ports.sealer.seal(personKey(accountId), at, text);
  const createdAt = ports.clock.now();
  const row = {
    id,
    accountId,
    credentialHash: await hashToken(made.credential.id),
    credentialSealed: await seal(sealedAt.passkey(id), JSON.stringify(made.credential)),
    nameSealed: await seal(sealedAt.passkeyName(id), chosen),
    counter: made.counter,
    backedUp: made.backedUp ? 1 : 0,
    createdAt,
  };
  if (!(await insertPasskey(db, row, limits.passkeysPerAccount))) {
    const full = (await passkeysCount(db, accountId)) >= limits.passkeysPerAccount;
    throw new Problem(full ? "too-many" : "passkey-refused");
  }
  await note(ports, accountId, "passkey-added", { client, about: chosen });
  notice(ports, accountId, "passkey-added", { client, about: chosen });
  return { id, name: chosen, backedUp: made.backedUp, createdAt, usedDay: null };
}

/** A name as it is kept; null when nothing is left of it, or it is too long. */
function passkeyName(typed: string): string | null {
  const name = typed.normalize("NFC").replace(/\s+/gu, " ").trim();
  const length = [...name].length;
  return length === 0 || length > limits.passkeyNameLength ? null : name;
}

/** The passkeys of an account, the oldest first. */
export async function listPasskeys(ports: Ports, accountId: string): Promise<PasskeyView[]> {
  const rows = await passkeysOf(homeOf(ports, accountId), accountId);
  return await Promise.all(
    rows.map(async ({ id, nameSealed, backedUp, createdAt, usedDay }) => ({
      id,
      name: await openName(ports, accountId, id, nameSealed),
      backedUp: backedUp === 1,
      createdAt,
      usedDay,
    })),
  );
}

async function openName(
  ports: Ports,
  accountId: string,
  id: string,
  nameSealed: string,
): Promise<string> {
  const at = sealedAt.passkeyName(id);
  return (await ports.sealer.open(personKey(accountId), at, nameSealed)) ?? "Passkey";
}

/** @throws Problem `not-found`; `bad-request` of the field `name` */
export async function namePasskey(
  ports: Ports,
  accountId: string,
  passkeyId: string,
  typed: string,
): Promise<void> {
  const db = homeOf(ports, accountId);
  if (!isId("psk", passkeyId)) throw new Problem("not-found");
  const name = passkeyName(typed);
  if (name === null) throw new Problem("bad-request", "name");
  const at = sealedAt.passkeyName(passkeyId);
  const sealed = await ports.sealer.seal(personKey(accountId), at, name);
  if (!(await renamePasskey(db, accountId, passkeyId, sealed))) throw new Problem("not-found");
}

/**
 * Removes a passkey: from now on it opens nothing, and neither does what it began: a sign-in under way,
 * trust in a browser, the other sessions that a passkey opened.
 * @throws Problem `not-found`; `last-way-in`; `unavailable` when a visit could not be ended: the passkey
 *   is gone and these sessions are dead even so
 */
export async function removePasskey(
  ports: Ports,
  who: Remover,
  passkeyId: string,
  client: Client,
): Promise<void> {
  const { accountId } = who;
  const db = homeOf(ports, accountId);
  const gone = isId("psk", passkeyId) ? await deletePasskey(db, accountId, passkeyId) : null;
  if (gone === null) {
    const own = await passkeysOf(db, accountId);
    throw new Problem(own.some(({ id }) => id === passkeyId) ? "last-way-in" : "not-found");
  }
  await endTrust(ports, accountId);
  const about = await openName(ports, accountId, passkeyId, gone.nameSealed);
  await note(ports, accountId, "passkey-removed", { client, about });
  notice(ports, accountId, "passkey-removed", { client, about });
  await endSessionsBy(ports, who, ["passkey", "passkey-verified"]);
}
