/**
 * The keys that sign the DDNS zone, as who signs needs them: the edge for the zone's own names, each
 * device's object for its own. It knows no table, so that both can read them without a query builder.
 * Private keys lie sealed under a key of the service.
 */

import { algorithm, dnskeyOf, keyTag, type SigningKey } from "../protocol/dns/dnssec.ts";
import type { ZoneKeysShown } from "../protocol/dns/own.ts";
import { limits } from "../protocol/limits.ts";
import { fromBase64url } from "../protocol/tokens.ts";
import type { Clock, KeyName } from "./primitives.ts";
import type { Sealer } from "./seal.ts";

export const zoneKeySeal: KeyName = "system/zone";
export const zoneKeySealedAt = (slot: number) => `zone_key.private:${slot}`;
const CURVE = { name: "ECDSA", namedCurve: "P-256" } as const;

export interface ZoneKeyRow {
  /** The first is 1, the one after it 2: two who make it at once make one. */
  readonly slot: number;
  /** x and y, 64 octets, base64url. */
  readonly publicKey: string;
  /** RFC 7517, JSON, sealed. */
  readonly privateSealed: string;
  readonly createdAt: number;
  /** From when on it signs: until then resolvers get to know it. */
  readonly signsAt: number;
}

/** Every key of the zone, the oldest first. */
export type ReadZoneKeys = () => Promise<readonly ZoneKeyRow[]>;

/** The key that signs at `now`: the newest that resolvers had time to learn of, else the oldest. */
export function zoneKeyInUse<K extends Pick<ZoneKeyRow, "signsAt">>(
  keys: readonly K[],
  now: number,
): K | null {
  return keys.findLast(({ signsAt }) => signsAt <= now) ?? keys[0] ?? null;
}

/** What was read, and what everybody may know of it: made once, for every question asks for it. */
interface Loaded {
  readonly rows: readonly ZoneKeyRow[];
  readonly dnskeys: ReadonlyMap<ZoneKeyRow, Uint8Array>;
  readonly until: number;
}

const NONE: ZoneKeysShown = { all: [], inUse: null };

export class ZoneKeys {
  readonly #read: ReadZoneKeys;
  readonly #sealer: Sealer;
  readonly #clock: Clock;
  /** A value, never a promise: a failure is not remembered, and no request waits for another's. */
  #loaded: Loaded | null = null;
  #shown: ZoneKeysShown = NONE;
  #noneUntil = 0;
  readonly #opened = new Map<string, SigningKey>();

  constructor(read: ReadZoneKeys, sealer: Sealer, clock: Clock) {
    this.#read = read;
    this.#sealer = sealer;
    this.#clock = clock;
  }

  /**
   * What everybody may know of them: the same object as long as it says the same. That there is none is
   * remembered for a moment.
   */
  async shown(): Promise<ZoneKeysShown> {
    const now = this.#clock.now();
    if (this.#noneUntil > now) return NONE;
    const { rows, dnskeys } = await this.#load();
    const row = zoneKeyInUse(rows, now);
    if (row === null) {
      this.#noneUntil = now + limits.zoneKeyNoneMs;
      return NONE;
    }
    const inUse = dnskeys.get(row) ?? null;
    const { all } = this.#shown;
    const isSame =
      all.length === rows.length && rows.every((each, at) => all[at] === dnskeys.get(each));
    if (!isSame || this.#shown.inUse !== inUse) this.#shown = { all: [...dnskeys.values()], inUse };
    return this.#shown;
  }

  /** The key that signs now; null while the zone has none. */
  async signer(): Promise<SigningKey | null> {
    const row = zoneKeyInUse((await this.#load()).rows, this.#clock.now());
    return row === null ? null : await this.#open(row);
  }

  /** All of them: each signs the set of all (RFC 6781 §4.1.2). */
  async signers(): Promise<SigningKey[]> {
    return await Promise.all((await this.#load()).rows.map((row) => this.#open(row)));
  }

  /** The next one asks the table again. */
  forget(): void {
    this.#loaded = null;
    this.#noneUntil = 0;
  }

  async #load(): Promise<Loaded> {
    const now = this.#clock.now();
    const before = this.#loaded;
    if (before !== null && before.until > now) return before;
    try {
      const rows = await this.#read();
      const until = now + limits.zoneKeyCacheMs;
      const isSame = before !== null && JSON.stringify(rows) === JSON.stringify(before.rows);
      const loaded = isSame
        ? { ...before, until }
        : { rows, dnskeys: new Map(rows.map((row) => [row, dnskey(row)])), until };
      // The first key is seen at once: what was not signed before it stays unsigned until it is asked for.
      if (rows.length > 0) this.#loaded = loaded;
      return loaded;
    } catch (error) {
      // Keys change in days: while the table is away, the ones that were there go on.
      if (before === null) throw error;
      return before;
    }
  }

  async #open(row: ZoneKeyRow): Promise<SigningKey> {
    const opened = this.#opened.get(row.publicKey);
    if (opened !== undefined) return opened;
    const text = await this.#sealer.open(zoneKeySeal, zoneKeySealedAt(row.slot), row.privateSealed);
    if (text === null) throw new Error("a key of the zone does not open");
    const jwk = JSON.parse(text) as JsonWebKey;
    const privateKey = await crypto.subtle.importKey("jwk", jwk, CURVE, false, ["sign"]);
    const shown = dnskey(row);
    const key = { tag: keyTag(shown), dnskey: shown, privateKey };
    this.#opened.set(row.publicKey, key);
    return key;
  }
}

function dnskey({ publicKey }: ZoneKeyRow): Uint8Array<ArrayBuffer> {
  const octets = fromBase64url(publicKey);
  if (octets?.length !== 64) throw new Error(`a key of the zone is none of algorithm ${algorithm}`);
  return dnskeyOf(octets);
}
