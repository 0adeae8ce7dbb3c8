/**
 * The life of the keys that sign the DDNS zone (docs/name.md). The first comes into being with the
 * first question that wants signatures; another replaces it when an operator says so: it is shown
 * first, signs once resolvers know it, and the old one goes when nothing that it signed counts any more
 * (RFC 6781 §4.1.2, for one key that does all).
 */

import {
  deleteZoneKeysBefore,
  insertZoneKey,
  zoneKeys as readZoneKeys,
} from "../../db/queries/zone-keys.ts";
import { type ZoneKeyRow, zoneKeyInUse, zoneKeySeal, zoneKeySealedAt } from "../../db/zone-keys.ts";
import { dnskeyOf, dsOf, keyTag } from "../../protocol/dns/dnssec.ts";
import { nameOf } from "../../protocol/dns/names.ts";
import { limits } from "../../protocol/limits.ts";
import { base64url, fromBase64url } from "../../protocol/tokens.ts";
import type { Ports } from "../ports.ts";
import { Problem } from "../problem.ts";

const CURVE = { name: "ECDSA", namedCurve: "P-256" } as const;

export interface ZoneKeyView {
  readonly tag: number;
  /** Presentation form of the DS data: tag, algorithm, digest type, digest. */
  readonly ds: string;
  readonly createdAt: number;
  readonly signsAt: number;
  readonly inUse: boolean;
}

export interface ZoneView {
  readonly apex: string;
  /** The oldest first. */
  readonly keys: readonly ZoneKeyView[];
  /** From when on the old key may go; null while there is one key only. */
  readonly mayEndAt: number | null;
}

/** Makes the zone's first key, unless it has one. */
export async function makeFirstKey(ports: Ports): Promise<void> {
  if ((await readZoneKeys(ports.directory.db)).length > 0) return ports.zoneKeys.forget();
  await makeKey(ports, 1, ports.clock.now());
}

export async function zoneView(ports: Ports): Promise<ZoneView> {
  const rows = await readZoneKeys(ports.directory.db);
  const inUse = zoneKeyInUse(rows, ports.clock.now());
  const apex = ports.config.ddnsZone;
  const keys = rows.map(async (row) => {
    const dnskey = dnskeyOf(fromBase64url(row.publicKey) ?? new Uint8Array());
    return {
      tag: keyTag(dnskey),
      ds: dsText(await dsOf(nameOf(apex), dnskey)),
      createdAt: row.createdAt,
      signsAt: row.signsAt,
      inUse: row === inUse,
    };
  });
  return { apex, keys: await Promise.all(keys), mayEndAt: mayEndAt(rows) };
}

/**
 * Begins to replace the key.
 * @throws Problem `zone-key-waits` while another replacement is under way
 */
export async function beginRollover(ports: Ports): Promise<ZoneView> {
  await makeFirstKey(ports);
  const rows = await readZoneKeys(ports.directory.db);
  const [newest] = rows.slice(-1);
  if (rows.length > 1 || newest === undefined) throw new Problem("zone-key-waits");
  await makeKey(ports, newest.slot + 1, ports.clock.now() + limits.zoneKeyPublishedMs);
  return await zoneView(ports);
}

/**
 * Ends it: the old key is gone. Whoever asks knows that the parent shows the new one's DS.
 * @throws Problem `zone-key-waits` when there is no old key, or while what it signed still counts
 */
export async function endRollover(ports: Ports): Promise<ZoneView> {
  const rows = await readZoneKeys(ports.directory.db);
  const at = mayEndAt(rows);
  const newest = rows.at(-1);
  if (at === null || newest === undefined || at > ports.clock.now())
    throw new Problem("zone-key-waits");
  await deleteZoneKeysBefore(ports.directory.db, newest.slot);
  ports.zoneKeys.forget();
  return await zoneView(ports);
}

/** When the last signature of the old key, and whoever remembers it, has gone. */
function mayEndAt(rows: readonly ZoneKeyRow[]): number | null {
  const newest = rows.at(-1);
  if (newest === undefined || rows.length < 2) return null;
  return newest.signsAt + limits.zoneKeyCacheMs + limits.zoneSignatureMs;
}

async function makeKey(ports: Ports, slot: number, signsAt: number): Promise<void> {
  const { publicKey, privateKey } = (await crypto.subtle.generateKey(CURVE, true, [
    "sign",
    "verify",
  ])) as CryptoKeyPair;
  const point = new Uint8Array((await crypto.subtle.exportKey("raw", publicKey)) as ArrayBuffer);
  const jwk = JSON.stringify(await crypto.subtle.exportKey("jwk", privateKey));
  await insertZoneKey(ports.directory.db, {
    slot,
    publicKey: base64url(point.slice(1)), // without the octet that says "uncompressed"
    privateSealed: await ports.sealer.seal(zoneKeySeal, zoneKeySealedAt(slot), jwk),
    createdAt: ports.clock.now(),
    signsAt,
  });
  ports.zoneKeys.forget();
}

function dsText(ds: Uint8Array): string {
  const view = new DataView(ds.buffer, ds.byteOffset, ds.byteLength);
  const digest = [...ds.subarray(4)].map((octet) => octet.toString(16).padStart(2, "0")).join("");
  return `${view.getUint16(0)} ${ds[2]} ${ds[3]} ${digest.toUpperCase()}`;
}
