/**
 * Passkey ceremonies: a random challenge goes out, an authenticator signs it, and it is used up by
 * the first answer that names it, right or wrong. Nothing of it is kept but its hash, for minutes.
 */

import { personKey, sealedAt, startOfDay } from "../../db/queries/accounts.ts";
import {
  type CeremonyKind,
  insertCeremony,
  notePasskeyUse,
  type PasskeyRow,
  passkeyOf,
  passkeysOf,
  takeCeremony,
} from "../../db/queries/passkeys.ts";
import { isId } from "../../protocol/ids.ts";
import { limits } from "../../protocol/limits.ts";
import { base64url, hashToken } from "../../protocol/tokens.ts";
import type { Db, Ports } from "../ports.ts";
import { Problem } from "../problem.ts";
import type { SignInMethod } from "./requirements.ts";
import {
  type AssertionResponse,
  type Credential,
  relyingPartyId,
  signedChallenge,
  userHandleText,
  verifyAssertion,
} from "./webauthn.ts";

const CHALLENGE_BYTES = 32; // WebAuthn §13.4.3 asks for 16 or more

/** What a ceremony is for, and whose passkey is asked for; null when nobody is known. */
export interface Asking {
  readonly kind: CeremonyKind;
  readonly accountId: string | null;
}

/** The database that keeps a ceremony: the account's region, or the default while nobody is known. */
function homeOf(ports: Ports, accountId: string | null): Db {
  const db = ports.regions.db(accountId ?? ports.regions.default);
  if (db === null) throw new Problem("passkey-refused");
  return db;
}

/** Keeps a fresh challenge. @returns it in base64url */
export async function openCeremony(ports: Ports, { kind, accountId }: Asking): Promise<string> {
  const challenge = base64url(ports.random.bytes(CHALLENGE_BYTES));
  const expiresAt = ports.clock.now() + limits.passkeyCeremonyMs;
  const challengeHash = await hashToken(challenge);
  await insertCeremony(homeOf(ports, accountId), { challengeHash, kind, accountId, expiresAt });
  return challenge;
}

/**
 * Uses up the ceremony that a response answers; one caller wins.
 * @returns its challenge; null when there was none of this kind and account, or its time has passed
 */
export async function closeCeremony(
  ports: Ports,
  { kind, accountId }: Asking,
  clientDataJSON: string,
): Promise<string | null> {
  const challenge = signedChallenge(clientDataJSON);
  if (challenge === null) return null;
  const key = { challengeHash: await hashToken(challenge), kind, accountId };
  const taken = await takeCeremony(homeOf(ports, accountId), key, ports.clock.now());
  return taken ? challenge : null;
}

/** `PublicKeyCredentialRequestOptionsJSON` (WebAuthn §5.5). */
export interface RequestOptions {
  readonly challenge: string;
  readonly rpId: string;
  readonly timeout: number;
  readonly userVerification: "preferred" | "required";
  readonly allowCredentials: readonly {
    readonly type: "public-key";
    readonly id: string;
    readonly transports: readonly string[];
  }[];
}

/** Asks for a passkey: any, or one of the account's that is known. */
export async function requestOptions(
  ports: Ports,
  asking: Asking,
  userVerification: RequestOptions["userVerification"] = "preferred",
): Promise<RequestOptions> {
  const challenge = await openCeremony(ports, asking);
  const own = asking.accountId === null ? [] : await credentialsOf(ports, asking.accountId);
  return {
    challenge,
    rpId: relyingPartyId(ports.config.origin),
    timeout: limits.passkeyCeremonyMs,
    userVerification,
    allowCredentials: own.map(({ id, transports }) => ({ type: "public-key", id, transports })),
  };
}

/** The credentials of an account's passkeys. */
export async function credentialsOf(ports: Ports, accountId: string): Promise<Credential[]> {
  const db = ports.regions.db(accountId);
  const rows = db === null ? [] : await passkeysOf(db, accountId);
  const opened = await Promise.all(rows.map((row) => openCredential(ports, accountId, row)));
  return opened.filter((credential) => credential !== null);
}

async function openCredential(
  ports: Ports,
  accountId: string,
  { id, credentialSealed }: PasskeyRow,
): Promise<Credential | null> {
  const at = sealedAt.passkey(id);
  // The key anew from its store: a person who was erased a moment ago opens nothing.
  const text = await ports.sealer.open(personKey(accountId), at, credentialSealed, { fresh: true });
  return text === null ? null : (JSON.parse(text) as Credential);
}

/** A passkey that showed itself. */
export interface ShownPasskey {
  readonly accountId: string;
  readonly passkeyId: string;
  readonly method: Extract<SignInMethod, "passkey" | "passkey-verified">;
}

/** Why a passkey showed nothing; `accountId` when it was one of this account's all the same. */
export interface RefusedPasskey {
  readonly accountId: string | null;
  readonly method: null;
}

/** A key that nobody has, which answers of unknown passkeys are checked against. */
const DECOY_KEY =
  "pQECAyYgASFYIATFQdWxIYRoixMXV5jha2005jgV4Ub3RIuyrFJL0scmIlggJfgvpJtQJcJrEY-uVc67_MNf0PUUWKFAh1OarkUZdsk";
const refused = (accountId: string | null): RefusedPasskey => ({ accountId, method: null });

/**
 * Checks an answer to `requestOptions` and notes the use. An unknown passkey costs the work of a known
 * one, and the answer says of neither what was wrong.
 */
export async function readAssertion(
  ports: Ports,
  asking: Asking,
  response: AssertionResponse,
): Promise<ShownPasskey | RefusedPasskey> {
  const { origin } = ports.config;
  const challenge = await closeCeremony(ports, asking, response.response.clientDataJSON);
  if (challenge === null) return refused(null);
  const handle = userHandleText(response.response.userHandle);
  // Asked for somebody's passkey, an authenticator may leave the handle out, but not name another.
  if (asking.accountId !== null && handle !== null && handle !== asking.accountId) {
    return refused(null);
  }
  const accountId = asking.accountId ?? handle;
  const found = await findPasskey(ports, accountId, response.id);
  const shown = await verifyAssertion(
    response,
    found ?? { credential: { id: response.id, publicKey: DECOY_KEY, transports: [] }, counter: 0 },
    { challenge, origin },
  );
  if (found === null) return refused(null);
  if (shown === null) return refused(found.accountId);
  const { counter, backedUp, userVerified } = shown;
  const usedDay = startOfDay(ports.clock.now());
  const use = { counter, backedUp: backedUp ? 1 : 0, usedDay };
  if (!(await notePasskeyUse(found.db, found.passkeyId, use))) return refused(found.accountId);
  const method = userVerified ? "passkey-verified" : "passkey";
  return { accountId: found.accountId, passkeyId: found.passkeyId, method };
}

async function findPasskey(ports: Ports, accountId: string | null, credentialId: string) {
  if (!isId("acc", accountId)) return null;
  const db = ports.regions.db(accountId);
  if (db === null) return null;
  const row = await passkeyOf(db, accountId, await hashToken(credentialId));
  const credential = row === null ? null : await openCredential(ports, accountId, row);
  if (row === null || credential === null) return null;
  return { db, accountId, passkeyId: row.id, credential, counter: row.counter };
}
