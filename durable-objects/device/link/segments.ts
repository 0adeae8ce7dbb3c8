/**
 * The segments of one response: what comes beside the frames, by the bulk lane, and when its turn is.
 * A segment goes to the visitor behind the bytes that went in frames, and is piped, not looked at.
 */

import { limits } from "../../../protocol/limits.ts";
import type { BodyPipe } from "./body.ts";

export class Segments {
  #state: "none" | "waits" | "passes" = "none";
  /** Bytes of the response that came in frames and that the visitor has taken. */
  #framed = 0;
  #onFramed: (() => void) | null = null;
  /** Bytes that were counted for segments. */
  #counted = 0;

  /** True while one comes, or waits for the frames before it. */
  get underWay(): boolean {
    return this.#state !== "none";
  }

  /** True while one is on its way to the visitor: no frame may come beside it. */
  get passes(): boolean {
    return this.#state === "passes";
  }

  /** The visitor took bytes that came in a frame. */
  framed(bytes: number): void {
    this.#framed += bytes;
    this.#onFramed?.();
  }

  /** Something ended: whoever waits for frames looks again. */
  stir(): void {
    this.#onFramed?.();
  }

  /**
   * Waits until the visitor has the frames before a segment.
   * @param offset how many bytes went in frames
   * @param stillComing `over` when no frame comes any more, else whether some wait for the visitor
   * @returns false when those are not what went in frames, or never come
   */
  async turn(offset: number, stillComing: () => "over" | boolean): Promise<boolean> {
    this.#state = "waits";
    for (;;) {
      const more = stillComing();
      if (more === "over") break;
      if (this.#framed >= offset && !more) break;
      await new Promise<void>((resolve) => {
        this.#onFramed = resolve;
      });
    }
    const isTurn = stillComing() !== "over" && this.#framed === offset;
    this.#state = isTurn ? "passes" : "none";
    return isTurn;
  }

  /**
   * Counts the segment whose turn it is: all that it may bring, for nobody looks at it.
   * @param length of the whole body; null when it is not known
   */
  count(length: number | null): number {
    const left = length === null ? Infinity : Math.max(0, length - this.#framed - this.#counted);
    const bytes = Math.min(limits.linkBulkSegmentBytes, left);
    this.#counted += bytes;
    return bytes;
  }

  /** A body of `length` is whole: how much of what came in segments was not counted. */
  uncounted(length: number | null): number {
    if (length === null || this.#counted === 0) return 0;
    return Math.max(0, length - this.#framed - this.#counted);
  }

  /** Hands a segment on; resolves when the visitor has it, or has left. @returns false: they left */
  async pass(pipe: BodyPipe, segment: ReadableStream<Uint8Array>): Promise<boolean> {
    try {
      await pipe.take(segment);
      return true;
    } catch {
      return false;
    } finally {
      this.#state = "none";
    }
  }
}
