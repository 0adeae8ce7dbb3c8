/** Questions to the edge over HTTPS (RFC 8484): for what only the edge can say. */

import { limits } from "../protocol/limits.ts";

const MEDIA_TYPE = "application/dns-message";
const HEADER_BYTES = 12;

/** What the edge is asked about a name, so that its answer can be kept. */
export interface Wanted {
  /** Under which its answer is kept. */
  readonly key: string;
  /** As in `Asked` (wire.ts). */
  readonly name: string;
  readonly type: number;
  readonly dnssecOk: boolean;
  /** The label of the zone that it is about; null for the zone's own. */
  readonly label: string | null;
}

/** Whoever can say what memory does not. */
export interface Source {
  /**
   * The answer; null when there is none. Never rejects.
   * @param wanted absent for a message of somebody else, which is handed on as it is
   */
  ask(message: Uint8Array, wanted?: Wanted): Promise<Buffer | null>;
}

export class Edge implements Source {
  readonly #url: URL;
  #inFlight = 0;

  /** @param origin e.g. `https://latchkey.example` */
  constructor(origin: string) {
    this.#url = new URL("/dns-query", origin);
  }

  /** The answer; null when there is none that belongs to this message, or too much is asked already. */
  async ask(message: Uint8Array): Promise<Buffer | null> {
    if (this.#inFlight >= limits.dnsFrontInFlight) return null;
    this.#inFlight++;
    try {
      return await this.#ask(message);
    } catch {
      return null;
    } finally {
      this.#inFlight--;
    }
  }

  async #ask(message: Uint8Array): Promise<Buffer | null> {
    const response = await fetch(this.#url, {
      method: "POST",
      headers: { "content-type": MEDIA_TYPE, accept: MEDIA_TYPE },
      body: Uint8Array.from(message),
      redirect: "error",
      signal: AbortSignal.timeout(limits.dnsFrontEdgeMs),
    });
    const answer = Buffer.from(await response.arrayBuffer());
    const belongs =
      response.status === 200 &&
      answer.length >= HEADER_BYTES &&
      answer.length <= 0xffff &&
      answer[0] === message[0] &&
      answer[1] === message[1];
    return belongs ? answer : null;
  }
}
