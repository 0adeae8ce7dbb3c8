/**
 * A connection, to the local service or to the edge, that reads long bodies into memory it lends and gets back. Node
 * gives each read of 64 KiB memory of its own, which cost half of the agent's time in a download; here a
 * read is up to `limits.agentReadBytes`, and its memory is used again once the bytes have gone on.
 *
 * Only what `lendRest` was called for is lent: the rest of a response whose head is parsed and whose
 * length is known. Heads and trailers, of which undici keeps views between reads, are copies. When all
 * that may be lent is lent, bytes are copied too: nobody waits for memory.
 */

import { Socket } from "node:net";
import type { buildConnector } from "undici";
import { limits } from "../protocol/limits.ts";
import { toldAsFailure } from "./patient-socket.ts";

/** Memory that is lent to `holders` while it is not free. */
interface Loan {
  readonly memory: Buffer<ArrayBuffer>;
  holders: number;
}

/** What the reader of a body has of its connection. */
export interface Lender {
  /** Keeps `bytes` as they are until the result is called; null when they are the caller's anyway. */
  hold(bytes: Uint8Array): (() => void) | null;
  /** The body is over: what follows is not lent. */
  stop(): void;
}

/** All memory that is lent by this process, and what is free of it. */
const lent = new Map<ArrayBufferLike, Loan>();
const free: Loan[] = [];
/** The connection whose bytes are being parsed now. */
let parsed: LendingSocket | null = null;

/** Of the response whose head is being told now, the body is lent; null: its bytes are the caller's. */
export function lendRest(): Lender | null {
  return parsed?.lend() ?? null;
}

/** Node's sockets read into memory of ours; Deno's do not, and TLS has its own. */
export function lends({ protocol }: URL): boolean {
  return protocol === "http:" && !("Deno" in globalThis);
}

/** For undici, in place of its own connections without TLS. */
export const connectLending: buildConnector.connector = ({ hostname, port }, tell) => {
  const socket = new LendingSocket();
  const late = setTimeout(() => socket.destroy(new Error("timed out")), limits.agentConnectMs);
  late.unref();
  const failed = (error: Error) => {
    clearTimeout(late);
    tell(error, null);
  };
  socket.once("error", failed);
  socket.once("connect", () => {
    clearTimeout(late);
    socket.off("error", failed);
    tell(null, socket);
  });
  socket.setNoDelay(true).setKeepAlive(true);
  socket.connect({ host: hostname, port: Number(port) || 80 });
};

class LendingSocket extends Socket {
  readonly #own = Buffer.allocUnsafeSlow(limits.agentOwnReadBytes);
  #lends = false;
  /** What the next read fills; null: `#own`. */
  #next: Loan | null = null;
  /** What was read and not asked for yet, and what it lies in when it is lent. */
  #came: Buffer | null = null;
  #cameIn: Loan | null = null;
  /** What the bytes that were asked for last lie in: held until the next are. */
  #givenIn: Loan | null = null;
  #isStopped = false;
  /** The parser found nothing left when it asked last: it is not paused. */
  #isHungry = true;

  constructor() {
    super({
      onread: { buffer: () => this.#memory(), callback: (bytes) => this.#read(bytes) },
    });
  }

  lend(): Lender {
    this.#lends = true;
    return {
      hold: (bytes) => {
        const loan = lent.get(bytes.buffer);
        if (loan === undefined) return null;
        loan.holders++;
        return () => giveBack(loan);
      },
      stop: () => {
        this.#lends = false;
      },
    };
  }

  /** Where the next read goes. Node asks once more when the parser destroyed it: nobody would give that back. */
  #memory(): Buffer {
    this.#next = this.#lends && !this.destroyed ? borrow() : null;
    return this.#next?.memory ?? this.#own;
  }

  /** So many bytes were read. @returns false when no more are wanted now */
  #read(bytes: number): boolean {
    const loan = this.#next;
    this.#next = null;
    const view = (loan?.memory ?? this.#own).subarray(0, bytes);
    const isLent = loan !== null && this.#lends;
    this.#came = isLent ? view : Buffer.from(view);
    this.#cameIn = isLent ? loan : null;
    if (loan !== null && !isLent) giveBack(loan);
    const before = parsed;
    parsed = this;
    this.emit("readable");
    parsed = before;
    // A parser that is paused is told nothing, not even the end: it would take a whole body for a cut one.
    this.#isStopped = !this.#isHungry || this.#came !== null || this.readableLength > 0;
    return !this.#isStopped;
  }

  /** What came and is not parsed yet; the bytes that were returned before are parsed now. */
  override read(size?: number): unknown {
    if (size === 0) return super.read(0);
    this.#giveBackParsed();
    // Asked while it has nothing, it would begin to read again.
    const waiting: unknown = this.readableLength > 0 ? super.read(size) : null;
    this.#isHungry = waiting === null && this.#came === null;
    if (waiting !== null) return waiting;
    const came = this.#came;
    this.#givenIn = this.#cameIn;
    this.#came = null;
    this.#cameIn = null;
    if (came === null && this.#isStopped) {
      this.#isStopped = false;
      this.resume();
    }
    return came;
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    this.#giveBackParsed();
    if (this.#cameIn !== null) giveBack(this.#cameIn);
    if (this.#next !== null) giveBack(this.#next);
    this.#cameIn = null;
    this.#next = null;
    super._destroy(error, (late) => done(toldAsFailure(late ?? error)));
  }

  #giveBackParsed(): void {
    if (this.#givenIn !== null) giveBack(this.#givenIn);
    this.#givenIn = null;
  }
}

/** Memory for one holder; null when there is none left. */
function borrow(): Loan | null {
  const loan = free.pop() ?? make();
  if (loan !== null) loan.holders = 1;
  return loan;
}

function make(): Loan | null {
  if (lent.size >= limits.agentLentBuffers) return null;
  const loan = { memory: Buffer.allocUnsafeSlow(limits.agentReadBytes), holders: 0 };
  lent.set(loan.memory.buffer, loan);
  return loan;
}

function giveBack(loan: Loan): void {
  if (--loan.holders === 0) free.push(loan);
}

/** How much of it there is, and how many pieces of it somebody holds. */
export function memoryLent(): { readonly bytes: number; readonly held: number } {
  return { bytes: lent.size * limits.agentReadBytes, held: lent.size - free.length };
}
