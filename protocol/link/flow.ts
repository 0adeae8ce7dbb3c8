/**
 * Credit accounting in bytes, for one direction of a stream or of the whole connection.
 *
 * A sender may have sent at most a window's worth of bytes that the receiver's consumer has not
 * taken; the receiver gives credit back at half a window (a connection's earlier), and only for bytes that were taken. This
 * is the only backpressure there is: a WebSocket message cannot be refused once it is on its way.
 */

/** What the sender may still send. */
export class SendWindow {
  readonly #max: number;
  #available: number;

  constructor(initialBytes: number, maxBytes = initialBytes) {
    this.#available = initialBytes;
    this.#max = maxBytes;
  }

  get available(): number {
    return this.#available;
  }

  take(bytes: number): void {
    this.#available -= bytes;
  }

  /** Adds credit; false when it exceeds what a receiver may grant (the window then is at its top). */
  grant(bytes: number): boolean {
    const sum = this.#available + bytes;
    this.#available = Math.min(sum, this.#max);
    return sum <= this.#max;
  }
}

/** What the receiver holds, and what it owes the sender. */
export class ReceiveWindow {
  readonly #first: number;
  #size: number;
  #held = 0;
  #owed = 0;
  /** When credit was given last, in ms; NaN: never. Whoever gives it writes it (growth.ts). */
  creditAt = Number.NaN;

  constructor(bytes: number) {
    this.#first = bytes;
    this.#size = bytes;
  }

  get size(): number {
    return this.#size;
  }

  /** How much larger it is than it was. */
  get grown(): number {
    return this.#size - this.#first;
  }

  /** From now on more may be on its way; the sender is told with the credit that is due. */
  grow(bytes: number): void {
    this.#size += bytes;
  }

  /** From now on less may be on its way, as far as `due`, which is not given as credit, allows. @returns how much less */
  shrink(due: number): number {
    const less = Math.min(due, this.grown);
    this.#size -= less;
    return less;
  }

  /** Bytes that arrived and that the consumer has not taken. */
  get held(): number {
    return this.#held;
  }

  /** Bytes that were taken and not yet given back as credit. */
  get owed(): number {
    return this.#owed;
  }

  /** Counts bytes that arrived; false when the sender had no credit for them. */
  receive(bytes: number): boolean {
    if (this.#held + this.#owed + bytes > this.#size) return false;
    this.#held += bytes;
    return true;
  }

  /** The consumer took `bytes`. */
  consume(bytes: number): void {
    const taken = Math.min(bytes, this.#held);
    this.#held -= taken;
    this.#owed += taken;
  }

  /** Forgets what is owed, for a new session; the bytes that may come now. */
  restart(): number {
    this.#owed = 0;
    return Math.max(0, this.#size - this.#held);
  }

  /** The credit to send now: nothing until `threshold` (half the window) is owed, then all of it. */
  creditDue(threshold = this.#size / 2): number {
    if (this.#owed === 0 || this.#owed < threshold) return 0;
    const due = this.#owed;
    this.#owed = 0;
    return due;
  }
}
