/**
 * What every device and visitor needs of the directory: which device has a label, and keyed hashes. It
 * knows no table, so that an edge can answer devices before it has opened a database.
 */

import { limits } from "../protocol/limits.ts";
import { checkLabel } from "../protocol/names.ts";
import { base64url } from "../protocol/tokens.ts";
import type { Clock, KeyStore } from "./primitives.ts";

const HASH_KEY = "system/directory";

/** What a hash is for: hashes of two uses can never be compared. */
export type HashKind =
  | "contact"
  | "reset"
  | "linked"
  | "label"
  | "holder"
  | "limit"
  | "erasure"
  | "user-code"
  | "recovery-code"
  | "subject"
  | "grant"
  | "refresh";

/** Reads the device of a label's hash from the directory's table; null when it has none. */
export type ReadLabel = (hash: string) => Promise<string | null>;

interface CachedLabel {
  readonly deviceId: string | null;
  readonly until: number;
}

export class Names {
  readonly #read: ReadLabel;
  readonly #keys: KeyStore;
  readonly #clock: Clock;
  #hmac: CryptoKey | null = null;
  /** Apart, so that no flood of made-up labels drives out what is there. */
  readonly #devices = new Map<string, CachedLabel>();
  readonly #absent = new Map<string, CachedLabel>();

  constructor(read: ReadLabel, keys: KeyStore, clock: Clock) {
    this.#read = read;
    this.#keys = keys;
    this.#clock = clock;
  }

  /**
   * The device that has `label`, or null. Cached in the isolate for `limits.labelCacheMs`, so a hot
   * name costs no query; the device's object has the last word on whether it still exists. What can
   * be no label costs no query either, and no room in the cache.
   */
  async deviceOfLabel(text: string): Promise<string | null> {
    const now = this.#clock.now();
    const cached = this.#cached(text);
    if (cached !== undefined && cached.until > now) return cached.deviceId;
    if (checkLabel(text) === "label-syntax") return null;
    const deviceId = await this.#read(await this.hash("label", text));
    this.forget(text);
    const cache = deviceId === null ? this.#absent : this.#devices;
    if (cache.size >= limits.labelCacheEntries) cache.clear();
    cache.set(text, { deviceId, until: now + limits.labelCacheMs });
    return deviceId;
  }

  /** False for a label that somebody may have made up: it costs a query, and had no device of late. */
  knows(text: string): boolean {
    const cached = this.#cached(text);
    if (cached === undefined) return checkLabel(text) === "label-syntax";
    return cached.deviceId !== null || cached.until > this.#clock.now();
  }

  #cached(text: string): CachedLabel | undefined {
    return this.#devices.get(text) ?? this.#absent.get(text);
  }

  /** The next one asks the directory again: for one label, or for all. */
  forget(text?: string): void {
    for (const cache of [this.#devices, this.#absent]) {
      if (text === undefined) cache.clear();
      else cache.delete(text);
    }
  }

  /** HMAC-SHA-256 of `text` under the directory's key, as base64url. */
  async hash(kind: HashKind, text: string): Promise<string> {
    if (this.#hmac === null) {
      const raw = await this.#keys.getOrCreate(HASH_KEY);
      this.#hmac = await crypto.subtle.importKey(
        "raw",
        raw,
        { name: "HMAC", hash: "SHA-256" },
        false,
        ["sign"],
      );
    }
    const bytes = new TextEncoder().encode(`${kind}\n${text}`);
    return base64url(new Uint8Array(await crypto.subtle.sign("HMAC", this.#hmac, bytes)));
  }
}
