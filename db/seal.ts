/**
 * Sealing: AES-256-GCM under a key that lives in a store without history.
 *
 * A deleted row stays readable in a database's write-ahead log and in the platform's history, so
 * whatever must be provably gone is sealed and its key destroyed. A sealed text is bound to the
 * place it was written for (`at`), so it cannot be moved to another row or column.
 */

import { limits } from "../protocol/limits.ts";
import { base64url, fromBase64url } from "../protocol/tokens.ts";
import type { Clock, KeyName, KeyStore, Random } from "./primitives.ts";

const VERSION = "s1.";
const IV_BYTES = 12;

/** Seals and opens texts; keeps imported keys in memory for `limits.personKeyCacheMs`. */
export class Sealer {
  readonly #keys: KeyStore;
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #cache = new Map<KeyName, { key: CryptoKey; until: number }>();

  constructor(keys: KeyStore, clock: Clock, random: Random) {
    this.#keys = keys;
    this.#clock = clock;
    this.#random = random;
  }

  /**
   * Seals `text` under `name` (made when absent) for the place `at`, e.g. `identifier.address:idn_…`.
   * @param fresh asks the store even when the key is in memory: for a name that gets a new key after
   *   its old one was destroyed
   */
  async seal(
    name: KeyName,
    at: string,
    text: string,
    { fresh = false }: { readonly fresh?: boolean } = {},
  ): Promise<string> {
    if (fresh) this.#cache.delete(name);
    return VERSION + base64url(await this.sealBytes(name, at, new TextEncoder().encode(text)));
  }

  /** Seals bytes, which come out 28 longer, for a store of objects. */
  async sealBytes(
    name: KeyName,
    at: string,
    plain: BufferSource,
  ): Promise<Uint8Array<ArrayBuffer>> {
    const key = await this.#key(name, true);
    if (key === null) throw new Error("a key that was just made is missing");
    const iv = this.#random.bytes(IV_BYTES);
    const sealed = await crypto.subtle.encrypt(
      { name: "AES-GCM", iv, additionalData: new TextEncoder().encode(at) },
      key,
      plain,
    );
    const bytes = new Uint8Array(IV_BYTES + sealed.byteLength);
    bytes.set(iv);
    bytes.set(new Uint8Array(sealed), IV_BYTES);
    return bytes;
  }

  /**
   * Opens what `seal` made; null when the key is destroyed or the text belongs elsewhere.
   * @param fresh asks the store even when the key is in memory: a destroyed key is noticed at once
   */
  async open(
    name: KeyName,
    at: string,
    sealed: string,
    options: { readonly fresh?: boolean } = {},
  ): Promise<string | null> {
    const bytes = sealed.startsWith(VERSION) ? fromBase64url(sealed.slice(VERSION.length)) : null;
    const plain = bytes === null ? null : await this.openBytes(name, at, bytes, options);
    return plain === null ? null : new TextDecoder().decode(plain);
  }

  /** Opens what `sealBytes` made; null when the key is destroyed or the bytes belong elsewhere. */
  async openBytes(
    name: KeyName,
    at: string,
    sealed: Uint8Array<ArrayBuffer>,
    { fresh = false }: { readonly fresh?: boolean } = {},
  ): Promise<Uint8Array<ArrayBuffer> | null> {
    if (fresh) this.#cache.delete(name);
    const key = await this.#key(name, false);
    if (key === null) return null;
    try {
      const plain = await crypto.subtle.decrypt(
        {
          name: "AES-GCM",
          iv: sealed.slice(0, IV_BYTES),
          additionalData: new TextEncoder().encode(at),
        },
        key,
        sealed.slice(IV_BYTES),
      );
      return new Uint8Array(plain);
    } catch {
      return null;
    }
  }

  /** Destroys the key: all that it sealed is unreadable from now on, in every copy. */
  async destroy(name: KeyName): Promise<void> {
    this.#cache.delete(name);
    await this.#keys.destroy(name);
  }

  async #key(name: KeyName, create: boolean): Promise<CryptoKey | null> {
    const now = this.#clock.now();
    const cached = this.#cache.get(name);
    if (cached !== undefined && cached.until > now) return cached.key;
    const raw = create ? await this.#keys.getOrCreate(name) : await this.#keys.get(name);
    if (raw === null) {
      this.#cache.delete(name);
      return null;
    }
    const key = await crypto.subtle.importKey("raw", raw, "AES-GCM", false, ["encrypt", "decrypt"]);
    if (this.#cache.size >= 1000) this.#cache.clear();
    this.#cache.set(name, { key, until: now + limits.personKeyCacheMs });
    return key;
  }
}
