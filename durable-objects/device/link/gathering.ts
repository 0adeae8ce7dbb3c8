/**
 * When the frames that open streams leave: at once where nothing is under way, else together. Each message
 * costs the runtime and the agent an event, whatever it holds, and the answers to one message come in a few.
 * As Nagle's rule (RFC 896), what the other end says is the clock, and a short time bounds the wait.
 */

import type { Clock } from "../../../db/primitives.ts";
import { limits } from "../../../protocol/limits.ts";
import type { After } from "./after.ts";

export class Gathering {
  readonly #clock: Clock;
  readonly #after: After;
  readonly #soon: (work: () => void) => void;
  /** When a message left that nothing was heard since; null where the other end spoke last. */
  #unheardSince: number | null = null;
  #waiting: (() => void) | null = null;
  #takeBack: (() => void) | null = null;

  /** @param soon runs work after what is going on now */
  constructor(clock: Clock, after: After, soon: (work: () => void) => void) {
    this.#clock = clock;
    this.#after = after;
    this.#soon = soon;
  }

  /** Runs `work` at once, or with the next message of the other end, or after `limits.linkGatherMs`. */
  gather(work: () => void): void {
    const since = this.#unheardSince;
    if (since === null || this.#clock.now() - since > limits.linkGatherMs) {
      this.#soon(work);
      return;
    }
    this.#waiting = work;
    this.#takeBack ??= this.#after(limits.linkGatherMs, () => {
      this.#takeBack = null;
      this.#run();
    });
  }

  /** A message left, with everything that waited. */
  sent(): void {
    this.#unheardSince = this.#clock.now();
    this.#waiting = null;
    this.#takeBack?.();
    this.#takeBack = null;
  }

  /** The other end said something. */
  heard(): void {
    this.#unheardSince = null;
    if (this.#waiting !== null) this.#soon(() => this.#run());
  }

  #run(): void {
    const work = this.#waiting;
    this.#waiting = null;
    work?.();
  }
}
