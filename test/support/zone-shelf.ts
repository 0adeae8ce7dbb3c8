/** The zone's keys in a test's hand. */

import { Sealer } from "../../db/seal.ts";
import { type ZoneKeyRow, ZoneKeys, zoneKeySeal, zoneKeySealedAt } from "../../db/zone-keys.ts";
import { dnskeyOf, keyTag } from "../../protocol/dns/dnssec.ts";
import { base64url } from "../../protocol/tokens.ts";
import { HeldKeys } from "./device.ts";

const CURVE = { name: "ECDSA", namedCurve: "P-256" } as const;
const random = { bytes: (count: number) => crypto.getRandomValues(new Uint8Array(count)) };

export class Shelf {
  readonly rows: ZoneKeyRow[] = [];
  readonly clock = { time: 1_800_000_000_000, now: () => this.clock.time };
  readonly keys = new HeldKeys();
  readonly #sealer = new Sealer(this.keys, this.clock, random);

  /** @returns its tag */
  async add(signsAt: number): Promise<number> {
    const pair = await crypto.subtle.generateKey(CURVE, true, ["sign", "verify"]);
    const point = new Uint8Array(await crypto.subtle.exportKey("raw", pair.publicKey)).slice(1);
    const jwk = JSON.stringify(await crypto.subtle.exportKey("jwk", pair.privateKey));
    const slot = this.rows.length + 1;
    this.rows.push({
      ...{ slot, publicKey: base64url(point), createdAt: 0, signsAt },
      privateSealed: await this.#sealer.seal(zoneKeySeal, zoneKeySealedAt(slot), jwk),
    });
    return keyTag(dnskeyOf(point));
  }

  read(): ZoneKeys {
    return new ZoneKeys(async () => [...this.rows], this.#sealer, this.clock);
  }
}
