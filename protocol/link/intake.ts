/**
 * What one end of a connection takes: the connection's own window, those of its streams, and the credit
 * that is given back for both as consumers take what came.
 */

import { limits } from "../limits.ts";
import { ReceiveWindow } from "./flow.ts";
import { frameType, u32 } from "./frames.ts";
import { Growth, probe } from "./growth.ts";
import type { Outbox } from "./outbox.ts";
import type { LinkStream } from "./stream.ts";

export class Intake {
  readonly #outbox: Outbox;
  readonly #growth: Growth;
  #window = new ReceiveWindow(limits.linkConnectionWindowBytes);

  /** @param now milliseconds; null: nobody tells the time here, and no window grows */
  constructor(
    outbox: Outbox,
    streams: ReadonlyMap<number, LinkStream>,
    now: (() => number) | null,
  ) {
    this.#outbox = outbox;
    this.#growth = new Growth(now, streams);
  }

  /** Bytes that the consumers have not taken. */
  get held(): number {
    return this.#window.held;
  }

  /** Bytes that were taken and not yet given back as credit. */
  get owed(): number {
    return this.#window.owed;
  }

  /** Somebody asks for something by this stream. */
  opened(stream: number): void {
    this.#growth.opened(stream);
  }

  /** True while a stream other than `stream` was opened of late. */
  othersAsk(stream: number): boolean {
    return this.#growth.othersAsk(stream);
  }

  /** The other end answered a PING. */
  answered(payload: Uint8Array): void {
    if (payload.byteLength === probe.byteLength) this.#growth.answered();
  }

  /** A new session begins: nothing is held and nothing owed. */
  restart(): void {
    this.#window = new ReceiveWindow(limits.linkConnectionWindowBytes);
  }

  /** Counts bytes that came; false when the connection had no credit for them. */
  receive(bytes: number): boolean {
    return this.#window.receive(bytes);
  }

  /** Counts bytes that came for a stream that is gone, and gives them back; false as `receive`. */
  late(bytes: number): boolean {
    if (!this.#window.receive(bytes)) return false;
    this.#window.consume(bytes);
    this.#giveCredit();
    return true;
  }

  /** A stream's consumer took bytes: gives credit for what is due. */
  consumed(stream: LinkStream, bytes: number): void {
    const before = stream.receiveWindow.held;
    stream.receiveWindow.consume(bytes);
    this.#window.consume(before - stream.receiveWindow.held);
    if (!stream.receiveEnded && !stream.dead) {
      const due = stream.receiveWindow.creditDue();
      if (due > 0) {
        const credit = due + this.#growth.of(stream, due);
        if (credit > 0) this.#outbox.control(frameType.credit, stream.id, u32(credit));
        if (this.#growth.wantsProbe) this.#outbox.control(frameType.ping, 0, probe);
      }
    }
    this.#giveCredit();
  }

  #giveCredit(): void {
    // Early: what is owed here is room that streams with grown windows would take from all others.
    const due = this.#window.creditDue(limits.linkConnectionWindowBytes / 8);
    if (due > 0) this.#outbox.control(frameType.credit, 0, u32(due));
  }
}
