/**
 * The tokens of the bulk lane: each lets one segment of one response come beside the frames, once. They
 * are in memory only, as hashes, and go with the exchange they belong to.
 */

import type { Random } from "../../../db/primitives.ts";
import { bulkOffsetHeader } from "../../../protocol/agent.ts";
import { bulkTokenBytes } from "../../../protocol/link/frames.ts";
import { base64url, hashToken } from "../../../protocol/tokens.ts";

/** Who gets a token, and is gone some day. */
export interface TokenHolder {
  grant(token: Uint8Array): void;
}

export class BulkTokens<Holder extends TokenHolder> {
  readonly #random: Random;
  readonly #holders = new Map<string, Holder>();
  /** Of each holder the newest only. */
  readonly #hashes = new Map<Holder, string>();

  constructor(random: Random) {
    this.#random = random;
  }

  /** Tokens that nobody has used. */
  get size(): number {
    return this.#holders.size;
  }

  /** Makes a token for `holder`, whose earlier one is void. */
  async give(holder: Holder): Promise<void> {
    this.forget(holder);
    this.#hashes.set(holder, "");
    const token = this.#random.bytes(bulkTokenBytes);
    const hash = await hashToken(base64url(token));
    if (this.#hashes.get(holder) !== "") return; // forgotten, or asked again, meanwhile
    this.#hashes.set(holder, hash);
    this.#holders.set(hash, holder);
    holder.grant(token);
  }

  /** Uses a token up. @returns whose it was; null when it is nobody's */
  async take(token: string | null): Promise<Holder | null> {
    if (token === null) return null;
    const holder = this.#holders.get(await hashToken(token)) ?? null;
    if (holder !== null) this.forget(holder);
    return holder;
  }

  forget(holder: Holder): void {
    const hash = this.#hashes.get(holder);
    if (hash !== undefined) this.#holders.delete(hash);
    this.#hashes.delete(holder);
  }
}

/** RFC 6750 §2.1: the token of the bulk lane that a request brings; null when it has none. */
export function bearerOf(request: Request): string | null {
  const value = request.headers.get("authorization") ?? "";
  return /^Bearer ([\w-]{43})$/i.exec(value)?.[1] ?? null;
}

/** The segment that a request brings, and how much of the body went before it; null when it has none. */
export function segmentOf(
  request: Request,
): { readonly body: ReadableStream<Uint8Array>; readonly offset: number } | null {
  const offset = request.headers.get(bulkOffsetHeader) ?? "";
  const body = request.body as ReadableStream<Uint8Array> | null;
  return body === null || !/^\d{1,15}$/.test(offset) ? null : { body, offset: Number(offset) };
}
