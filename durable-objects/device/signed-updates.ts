/**
 * The key with which its owner's programs sign DNS updates (RFC 2136, RFC 8945). Unlike a token it has
 * to be there to be compared, so it is sealed under the key of the name and goes with it (FEA-4).
 */

import { DAY, limits } from "../../protocol/limits.ts";
import type { DeviceContext } from "./context.ts";
import type { Name } from "./name.ts";
import type { UpdateResult } from "./name-rpc.ts";
import type { SignedUpdate, SigningKeyState, SigningRpc } from "./signing-rpc.ts";

const AT = "name_signing.key";

interface Row extends Record<string, string | number> {
  key_sealed: string;
  /** When the newest message that was taken was signed; seconds since the epoch. */
  signed_at: number;
}

/** What this needs of the device around it. */
interface House {
  readonly isOn: () => boolean;
  /** Tells whoever watches. */
  readonly changed: () => Promise<unknown>;
}

export class SignedUpdates implements SigningRpc {
  readonly #context: DeviceContext;
  readonly #name: Name;
  readonly #house: House;

  constructor(context: DeviceContext, name: Name, house: House) {
    this.#context = context;
    this.#name = name;
    this.#house = house;
  }

  async makeSigningKey(): Promise<string | null> {
    const key = btoa(String.fromCharCode(...this.#context.random.bytes(limits.signingKeyBytes)));
    const sealed = await this.#name.seal(AT, key);
    if (sealed === null) return null;
    this.#context.sql.run(
      `INSERT INTO name_signing (row, key_sealed, signed_at) VALUES (1, ?, 0)
       ON CONFLICT (row) DO UPDATE SET key_sealed = excluded.key_sealed, signed_at = 0`,
      sealed,
    );
    return key;
  }

  async signingKey(): Promise<string | null> {
    const sealed = this.#row()?.key_sealed;
    return sealed === undefined ? null : await this.#name.open(AT, sealed);
  }

  async signingKeyState(): Promise<SigningKeyState | null> {
    const row = this.#row();
    if (row === null) return null;
    const at = row.signed_at * 1000;
    return { usedDay: at === 0 ? null : at - (at % DAY) };
  }

  async endSigningKey(): Promise<boolean> {
    if (this.#row() === null) return false;
    this.#context.sql.run("DELETE FROM name_signing");
    return true;
  }

  /**
   * Applies what a message of a good signature asks for. `replayed` for one that was signed before the
   * newest that was taken (RFC 8945 §5.2.3).
   */
  async updateSigned({ signedAt, ipv4, ipv6 }: SignedUpdate): Promise<UpdateResult | "replayed"> {
    const row = this.#row();
    if (row === null) return { verdict: "nohost", ipv4: null, ipv6: null };
    if (signedAt < row.signed_at) return "replayed";
    this.#context.sql.run("UPDATE name_signing SET signed_at = ?", signedAt);
    const result = await this.#name.update({
      secret: null,
      isCounted: true,
      client: "nsupdate",
      ipv4,
      ipv6,
    });
    if (result.verdict === "good") await this.#house.changed();
    return result;
  }

  #row(): Row | null {
    if (!this.#house.isOn()) return null;
    return this.#context.sql.all<Row>("SELECT key_sealed, signed_at FROM name_signing")[0] ?? null;
  }
}
