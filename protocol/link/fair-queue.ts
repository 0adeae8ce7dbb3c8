/**
 * Who may send next: deficit round-robin (Shreedhar and Varghese, 1996) over streams that have bytes
 * to send, so that one download cannot hold back a click.
 */

/** One stream in the queue. The queue alone writes these two fields. */
export interface Contender {
  deficit: number;
  queued: boolean;
}

export class FairQueue<T extends Contender> {
  readonly #quantum: number;
  #ring: T[] = [];
  #head = 0;

  /** @param quantumBytes what each contender may send in its turn */
  constructor(quantumBytes: number) {
    this.#quantum = quantumBytes;
  }

  get size(): number {
    return this.#ring.length - this.#head;
  }

  /** Puts a contender at the end, unless it stands in the queue already. */
  add(contender: T): void {
    if (contender.queued) return;
    contender.queued = true;
    contender.deficit = 0;
    this.#ring.push(contender);
  }

  /** The contender whose turn it is, with a fresh quantum, or null. Call `settle` after its turn. */
  next(): T | null {
    const contender = this.#ring[this.#head];
    if (contender === undefined) return null;
    this.#head++;
    if (this.#head > 64 && this.#head * 2 > this.#ring.length) {
      this.#ring = this.#ring.slice(this.#head);
      this.#head = 0;
    }
    contender.deficit += this.#quantum;
    return contender;
  }

  /** Ends a turn in which `sentBytes` were sent; what stays hungry goes to the end of the queue. */
  settle(contender: T, sentBytes: number, hungry: boolean): void {
    contender.deficit = hungry && sentBytes > 0 ? contender.deficit - sentBytes : 0;
    contender.queued = hungry;
    if (hungry) this.#ring.push(contender);
  }
}
