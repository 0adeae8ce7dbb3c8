/**
 * The keys that sign ID tokens. Time is cut into periods of `limits.signingKeyMs`; each algorithm has
 * one key for each, made and published some days before it signs, and published some days after, so
 * that what it signed can be checked until it has expired (OpenID Connect Core §10.1.1). Private keys
 * lie sealed under a key of the service; only public halves are ever sent.
 */

import {
  type CryptoKey,
  calculateJwkThumbprint,
  compactVerify,
  exportJWK,
  generateKeyPair,
  importJWK,
  type JWK,
  type JWTPayload,
  SignJWT,
} from "jose";
import type { Db } from "../../db/db.ts";
import type { KeyName } from "../../db/primitives.ts";
import {
  insertSigningKey,
  type SigningKeyRow,
  signingKeys,
} from "../../db/queries/signing-keys.ts";
import { limits } from "../../protocol/limits.ts";
import type { Ports } from "../ports.ts";

export const signingAlgorithms = ["RS256", "EdDSA"] as const;
export type SigningAlgorithm = (typeof signingAlgorithms)[number];

const SEAL: KeyName = "system/openid";
const sealedFor = (slot: string) => `signing_key.private:${slot}`;

/** When a key is made, signs and goes; what the choice among keys needs to know of one. */
export interface KeyTimes {
  readonly alg: SigningAlgorithm;
  readonly createdAt: number;
  readonly startsAt: number;
  readonly expiresAt: number;
}

/** The periods whose keys there should be at `now`: this one, and towards its end the next. */
export function periodsDue(now: number): number[] {
  const current = Math.floor(now / limits.signingKeyMs);
  const next = Math.floor((now + limits.signingKeyAheadMs) / limits.signingKeyMs);
  return current === next ? [current] : [current, next];
}

/**
 * The key that signs at `now`: the latest whose period has begun and that clients had time to learn
 * of. When there is none (the very first, or one made late) the oldest. Either outlives what it signs.
 * @param keys the latest period first
 */
export function keyInUse<K extends KeyTimes>(
  keys: readonly K[],
  alg: SigningAlgorithm,
  now: number,
): K | null {
  const live = keys.filter((key) => key.alg === alg && key.expiresAt > now);
  const lasting = live.filter(({ expiresAt }) => expiresAt > now + limits.idTokenMs);
  const known = lasting.find(
    ({ startsAt, createdAt }) => startsAt <= now && createdAt + limits.signingKeyPublishedMs <= now,
  );
  return known ?? lasting.at(-1) ?? live[0] ?? null;
}

interface Loaded {
  readonly rows: readonly SigningKeyRow[];
  readonly until: number;
  /** Private keys that were opened, by slot. */
  readonly opened: Map<string, CryptoKey>;
}

/** Values, never promises: a failure is not remembered. */
const loaded = new WeakMap<Db, Loaded>();

/** The public halves of all keys that live, for anyone to check with (RFC 7517). */
export async function publicKeys(ports: Ports): Promise<JWK[]> {
  const { rows } = await load(ports);
  const now = ports.clock.now();
  return rows
    .filter(({ expiresAt }) => expiresAt > now)
    .map(({ publicJwk, kid, alg }) => ({
      ...(JSON.parse(publicJwk) as JWK),
      kid,
      alg,
      use: "sig",
    }));
}

/** Signs `claims` as a JWT of type `typ`. */
export async function signToken(
  ports: Ports,
  alg: SigningAlgorithm,
  claims: JWTPayload,
  typ = "JWT",
): Promise<string> {
  const keys = await load(ports);
  const row = keyInUse(keys.rows, alg, ports.clock.now());
  if (row === null) throw new Error(`there is no key for ${alg}`);
  const key = keys.opened.get(row.slot) ?? (await openKey(ports, row));
  keys.opened.set(row.slot, key);
  return await new SignJWT(claims).setProtectedHeader({ alg, kid: row.kid, typ }).sign(key);
}

/**
 * The claims of an ID token that we signed; null when we did not. It may have expired: this says who
 * it was about, not that they are here (an `id_token_hint`, OpenID Connect Core §3.1.2.1).
 */
export async function claimsWeSigned(ports: Ports, token: string): Promise<JWTPayload | null> {
  try {
    const { rows } = await load(ports);
    const now = ports.clock.now();
    const { payload } = await compactVerify(
      token,
      async ({ kid }) => {
        const row = rows.find((one) => one.kid === kid && one.expiresAt > now);
        if (row === undefined) throw new Error("a key of nobody's");
        return (await importJWK(JSON.parse(row.publicJwk) as JWK, row.alg)) as CryptoKey;
      },
      { algorithms: [...signingAlgorithms] },
    );
    const claims = JSON.parse(new TextDecoder().decode(payload)) as JWTPayload;
    return claims.iss === ports.config.origin ? claims : null;
  } catch {
    return null;
  }
}

/** Makes the keys that are due; the sweep calls it. @returns how many this runner made */
export async function makeDueKeys(ports: Ports): Promise<number> {
  const now = ports.clock.now();
  const rows = await signingKeys(ports.directory.db, now);
  const there = new Set(rows.map(({ slot }) => slot));
  let made = 0;
  for (const period of periodsDue(now)) {
    for (const alg of signingAlgorithms) {
      const slot = `${alg}.${period}`;
      if (!there.has(slot) && (await makeKey(ports, alg, period))) made++;
    }
  }
  if (made > 0) loaded.delete(ports.directory.db);
  return made;
}

async function load(ports: Ports): Promise<Loaded> {
  const { db } = ports.directory;
  const now = ports.clock.now();
  const kept = loaded.get(db);
  if (kept !== undefined && kept.until > now) return kept;
  let rows = await signingKeys(db, now);
  if (!signingAlgorithms.every((alg) => keyInUse(rows, alg, now) !== null)) {
    await makeDueKeys(ports);
    rows = await signingKeys(db, now);
  }
  const fresh = { rows, until: now + limits.signingKeyCacheMs, opened: kept?.opened ?? new Map() };
  loaded.set(db, fresh);
  return fresh;
}

async function makeKey(ports: Ports, alg: SigningAlgorithm, period: number): Promise<boolean> {
  const slot = `${alg}.${period}`;
  const pair = await generateKeyPair(alg, { extractable: true, modulusLength: 2048 });
  const publicJwk = await exportJWK(pair.publicKey);
  const startsAt = period * limits.signingKeyMs;
  const privateJwk = JSON.stringify(await exportJWK(pair.privateKey));
  return await insertSigningKey(ports.directory.db, {
    slot,
    alg,
    kid: await calculateJwkThumbprint(publicJwk),
    publicJwk: JSON.stringify(publicJwk),
    privateSealed: await ports.sealer.seal(SEAL, sealedFor(slot), privateJwk),
    createdAt: ports.clock.now(),
    startsAt,
    expiresAt: startsAt + limits.signingKeyMs + limits.signingKeyAfterMs,
  });
}

async function openKey(ports: Ports, { slot, alg, privateSealed }: SigningKeyRow) {
  const text = await ports.sealer.open(SEAL, sealedFor(slot), privateSealed);
  if (text === null) throw new Error("a signing key does not open");
  return (await importJWK(JSON.parse(text) as JWK, alg)) as CryptoKey;
}
