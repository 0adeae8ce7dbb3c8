/**
 * The signatures of what a device's name answers (RFC 4034): made when a set changes, kept, and made
 * anew some days before they end. A signature of an address gives the address away to who tries them
 * all, so they are sealed with it, under the name's key.
 */

import type { Sealer } from "../../db/seal.ts";
import type { ZoneKeys } from "../../db/zone-keys.ts";
import { canonicalData, type SigningKey, signSet } from "../../protocol/dns/dnssec.ts";
import { nameOf } from "../../protocol/dns/names.ts";
import { types } from "../../protocol/dns/rdata.ts";
import type { PublishedSet, RecordSet } from "../../protocol/dns/sets.ts";
import { limits } from "../../protocol/limits.ts";
import { base64url } from "../../protocol/tokens.ts";
import type { DeviceContext } from "./context.ts";

/** Where a device's names stand, and who signs there. */
export interface SignedZone {
  /** `ddns.example`, lower case, without the dot at the end. */
  readonly apex: string;
  readonly keys: ZoneKeys;
}

interface Made {
  readonly label: string;
  /** What it covers: label, owner, type, TTL and data. */
  readonly of: string;
  readonly tag: number;
  /** Milliseconds since the epoch. */
  readonly expiresAt: number;
  /** RDATA of the RRSIG, base64url. */
  readonly wire: string;
}

interface Row extends Record<string, string | number> {
  signatures_sealed: string;
  expires_at: number;
}

export interface SignaturesOptions {
  readonly context: DeviceContext;
  readonly sealer: Sealer;
  readonly isOn: () => boolean;
  /** Whether a label is one of the device's. */
  readonly isOwn: (label: string) => boolean;
  /** Runs after what changes the name or ends its key, and before what comes after. */
  readonly inTurn: <T>(work: () => Promise<T>) => Promise<T>;
  /** Notes, in the transaction of a change, that what is published changes. */
  readonly mark: () => void;
  /** Called after some were made and kept. */
  readonly signed: () => void;
}

export class Signatures {
  readonly #context: DeviceContext;
  readonly #options: SignaturesOptions;
  /** By what they cover; null: to be read. */
  #kept: ReadonlyMap<string, Made> | null = null;
  /** Grows whenever they are thrown away, so that who is slow brings none back. */
  #epoch = 0;
  /** When making them anew was last tried, in this memory. */
  #triedAt = 0;

  constructor(options: SignaturesOptions) {
    this.#context = options.context;
    this.#options = options;
  }

  /**
   * `sets` of the name `<label>.<zone>` with their signatures: without any while the zone has no key,
   * with those that still count while its key is out of reach.
   */
  async sign(label: string, sets: readonly RecordSet[]): Promise<PublishedSet[]> {
    const { signing: zone } = this.#context;
    if (zone === undefined) return sets.map((set) => ({ ...set, signatures: [] }));
    let key: SigningKey | null;
    try {
      key = await zone.keys.signer();
    } catch {
      return await this.#withKept(label, sets);
    }
    if (key === null) return sets.map((set) => ({ ...set, signatures: [] }));
    const epoch = this.#epoch;
    const kept = await this.#read();
    const now = this.#context.clock.now();
    const isFresh = ({ expiresAt }: Made) => expiresAt - limits.zoneRenewMs > now;
    // What the device answers by its other labels is none of this call's.
    const { isOwn } = this.#options;
    const isOther = (one: Made) => one.label !== label && isOwn(one.label);
    const made = new Map([...kept].filter(([, one]) => isOther(one) && isFresh(one)));
    const published: PublishedSet[] = [];
    for (const set of sets) {
      const of = covered(label, set);
      const known = kept.get(of);
      const isGood = known !== undefined && known.tag === key.tag && isFresh(known);
      const one = isGood ? known : { of, label, ...(await signed(key, label, zone, set, now)) };
      made.set(of, one);
      published.push({ ...set, signatures: [one.wire] });
    }
    if (epoch === this.#epoch && !sameMade(kept, made)) {
      this.#kept = made;
      await this.#store(made);
    }
    return published;
  }

  /** The signatures that there are, while none can be made. */
  async #withKept(label: string, sets: readonly RecordSet[]): Promise<PublishedSet[]> {
    const kept = await this.#read();
    const now = this.#context.clock.now();
    return sets.map((set) => {
      const known = kept.get(covered(label, set));
      return { ...set, signatures: known && known.expiresAt > now ? [known.wire] : [] };
    });
  }

  /** When the first of them is to be made anew, or is gone; null without any. */
  nextExpiry(): number | null {
    const at = this.#until();
    if (at === null) return null;
    const renewAt = at - limits.zoneRenewMs;
    return renewAt > this.#triedAt ? renewAt : at;
  }

  /**
   * After they were to be made anew: who is still due then covers what nobody asks for any more.
   * @throws whatever keeps the zone's key out of reach, so that it is tried again
   */
  async renewed(): Promise<void> {
    await this.#context.signing?.keys.signer();
    this.#triedAt = this.#context.clock.now();
  }

  /** Deletes those that count no more. */
  sweep(): void {
    const at = this.#until();
    if (at !== null && at <= this.#context.clock.now()) this.clear();
  }

  /** Forgets them; what is in its turn right now finds the name off and writes nothing. */
  clear(): void {
    this.#context.sql.run("DELETE FROM name_signature");
    this.forgetMemory();
  }

  forgetMemory(): void {
    this.#epoch++;
    this.#kept = null;
  }

  async #read(): Promise<ReadonlyMap<string, Made>> {
    if (this.#kept !== null) return this.#kept;
    const epoch = this.#epoch;
    const row = this.#row();
    const { sealer } = this.#options;
    const text =
      row === null || row.expires_at <= this.#context.clock.now()
        ? null
        : await sealer.open(this.#key(), "name.signatures", row.signatures_sealed);
    const made = text === null ? [] : (JSON.parse(text) as Made[]);
    const kept = new Map(made.map((one) => [one.of, one]));
    if (epoch === this.#epoch) this.#kept ??= kept;
    return kept;
  }

  /** Keeps them; while the key store is away they are in memory only, and made again after a sleep. */
  async #store(made: ReadonlyMap<string, Made>): Promise<void> {
    const { sealer, inTurn, isOn, mark, signed } = this.#options;
    const all = [...made.values()];
    const until = Math.min(...all.map(({ expiresAt }) => expiresAt));
    await inTurn(async () => {
      if (!isOn() || this.#kept !== made) return;
      if (all.length === 0) return this.#context.sql.run("DELETE FROM name_signature");
      const sealed = await sealer.seal(this.#key(), "name.signatures", JSON.stringify(all));
      if (!isOn() || this.#kept !== made) return;
      this.#context.sql.transaction(() => {
        this.#context.sql.run(
          `INSERT INTO name_signature (row, signatures_sealed, expires_at) VALUES (1, ?, ?)
           ON CONFLICT (row) DO UPDATE SET signatures_sealed = excluded.signatures_sealed,
             expires_at = excluded.expires_at`,
          sealed,
          until,
        );
        mark();
      });
      signed();
    }).catch(() => undefined);
  }

  #until(): number | null {
    const query = "SELECT expires_at FROM name_signature";
    return this.#context.sql.all<{ expires_at: number }>(query)[0]?.expires_at ?? null;
  }

  #row(): Row | null {
    if (!this.#options.isOn()) return null;
    return this.#context.sql.all<Row>("SELECT * FROM name_signature")[0] ?? null;
  }

  #key(): `feature/${string}/name` {
    return `feature/${this.#context.deviceId}/name`;
  }
}

function covered(label: string, { owner, type, ttl, data }: RecordSet): string {
  return JSON.stringify([label, owner, type, ttl, data]);
}

async function signed(
  key: SigningKey,
  label: string,
  zone: SignedZone,
  set: RecordSet,
  now: number,
): Promise<Pick<Made, "tag" | "expiresAt" | "wire">> {
  const host = `${label}.${zone.apex}`;
  const expiresAt = now + limits.zoneSignatureMs;
  const rrsig = await signSet(
    key,
    nameOf(zone.apex),
    {
      name: nameOf(set.owner === "" ? host : `${set.owner}.${host}`),
      type: types[set.type],
      ttl: set.ttl,
      rdata: set.data.map(canonicalData),
    },
    {
      inception: Math.floor((now - limits.zoneInceptionMs) / 1000),
      expiration: Math.floor(expiresAt / 1000),
    },
  );
  return { tag: key.tag, expiresAt, wire: base64url(rrsig) };
}

/** True when not one was made and not one is left over. */
function sameMade(one: ReadonlyMap<string, Made>, other: ReadonlyMap<string, Made>): boolean {
  return one.size === other.size && [...other].every(([of, made]) => one.get(of) === made);
}
