/**
 * The streams of one session: which live, and which there ever were, so that a late frame can be told
 * from one that nobody may send.
 */

import { limits } from "../limits.ts";
import type { LinkStream } from "./stream.ts";

const LAST_ID = 0xffff_fffe;

export class StreamTable {
  readonly live = new Map<number, LinkStream>();
  /** The identifiers of this session's streams so far: odd numbers from first up to, not including, next. */
  #firstId: number;
  #nextId: number;

  /** @param firstId where the edge begins; 0 at the agent, which learns it from the first OPEN */
  constructor(firstId: number) {
    this.#firstId = firstId;
    this.#nextId = firstId;
  }

  /** At the edge, the number of the session. */
  get firstId(): number {
    return this.#firstId;
  }

  /** True when as many as `limits.linkStreams` live. */
  get isFull(): boolean {
    return this.live.size >= limits.linkStreams;
  }

  /** True when no identifier is left. */
  get isUsedUp(): boolean {
    return this.#nextId > LAST_ID;
  }

  /** True when identifiers run low. */
  get isWornOut(): boolean {
    return this.#nextId > LAST_ID - 2 * limits.linkStreams;
  }

  /** At the edge: the identifier of the next stream. */
  nextId(): number {
    const id = this.#nextId;
    this.#nextId += 2;
    return id;
  }

  /** At the agent: notes a stream that the edge opens; false for an identifier it may not use. */
  note(id: number): boolean {
    if (id % 2 === 0 || id < this.#nextId) return false;
    if (this.#firstId === 0) this.#firstId = id;
    this.#nextId = id + 2;
    return true;
  }

  /** At the agent: a new session begins, which begins where it likes. */
  restart(): void {
    this.#firstId = 0;
    this.#nextId = 0;
  }

  /** True for a stream of this session, living or gone. */
  wasOpened(id: number): boolean {
    return id >= this.#firstId && id < this.#nextId;
  }

  /** Every stream dies with the connection or its session. */
  forgetAll(): void {
    const streams = [...this.live.values()];
    this.live.clear();
    for (const stream of streams) {
      stream.kill();
      stream.receiveWindow.consume(stream.receiveWindow.held);
      stream.tellReset(null);
    }
  }
}
