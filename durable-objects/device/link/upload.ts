/**
 * The body of one visitor's request on its way to the device: in frames as credit allows and, when it
 * is long and the device fetches it, the rest in an HTTP response that the platform carries.
 *
 * What breaks on either way is a broken request at the device, never a short one: only END, and the
 * number of bytes that went beside the frames, make it whole.
 */

import { bulkOffsetHeader } from "../../../protocol/agent.ts";
import { limits } from "../../../protocol/limits.ts";
import { contentLength } from "../../../protocol/link/headers.ts";
import type { LinkStream } from "../../../protocol/link/stream.ts";
import { type BodyPipe, type BodySource, bodyPipe, bodySource } from "./body.ts";
import type { TokenHolder } from "./bulk.ts";

export interface UploadEvents {
  /** Something moved. */
  moved(): void;
  bytes(count: number): void;
  /** Of these, some went beside the frames. */
  beside(count: number): void;
  /** From now on the platform carries the rest, unseen: up to `count` bytes, which count as gone. */
  carried(count: number): void;
  /** Makes a token for the rest of the body and hands it to `grant`; absent where there is no lane. */
  readonly offer: ((upload: Upload) => void) | null;
  /** The visitor left, or what they send is no body; `lost`: the device took no more of it. */
  broke(why: "visitor" | "lost"): void;
}

/** The device wants the rest: `resolve` with the response that carries it, or null where none is left. */
interface Fetch {
  resolve(response: Response | null): void;
}

export class Upload implements TokenHolder {
  /** Whom it waits for: the visitor to send more, the device to take it, or nobody. */
  waitsFor: "visitor" | "device" | "over" = "over";
  readonly #stream: LinkStream;
  readonly #events: UploadEvents;
  readonly #source: BodySource;
  /** Bytes that are to come; null when the visitor did not say. */
  readonly #length: number | null;
  #framed = 0;
  /** Bytes that went beside the frames and were seen here. */
  #besides = 0;
  /** Bytes that the platform carries: nobody here sees them pass. */
  #carried = 0;
  /** What the device says that its service took of what went beside the frames. */
  #said = 0;
  #offered = false;
  #fetch: Fetch | null = null;
  #pipe: BodyPipe | null = null;
  #onRoom: (() => void) | null = null;
  #stopped = false;

  constructor(request: Request, stream: LinkStream, events: UploadEvents) {
    this.#stream = stream;
    this.#events = events;
    const announced = contentLength([...request.headers]);
    this.#length = announced === "bad" ? null : announced;
    this.#source = bodySource(request.body as ReadableStream<Uint8Array>, this.#length);
  }

  /** Sends it all. Never rejects. */
  async run(): Promise<void> {
    try {
      while (await this.#piece());
    } catch {
      // The visitor left, or what they send is no body (RFC 9112 §7.1): who is still there is told so.
      this.#events.broke("visitor");
    }
    this.#fetch?.resolve(null);
    this.#fetch = null;
  }

  /** Sends what comes next by the way that is open. @returns false after the last */
  async #piece(): Promise<boolean> {
    if (this.#stopped) return false;
    if (this.#fetch !== null) {
      await this.#beside(this.#fetch);
      return false;
    }
    this.waitsFor = "visitor";
    const { bytes, last } = await this.#source.read(limits.linkDataBytes);
    this.#count(bytes);
    if (this.#stopped) return false;
    this.#framed += bytes.byteLength;
    const room = this.#stream.write(bytes);
    if (last) {
      this.#stream.end();
      this.waitsFor = "over";
      return false;
    }
    this.#offerRest();
    this.waitsFor = "device";
    if (!room) await this.#room();
    this.#events.moved();
    return true;
  }

  /** Offers the rest when enough went in frames and enough is left, or when nobody knows. */
  #offerRest(): void {
    const left = (this.#length ?? Number.POSITIVE_INFINITY) - this.#framed;
    if (this.#offered || this.#framed < limits.linkBulkAfterBytes) return;
    this.#offered = true;
    if (left >= limits.linkBulkAfterBytes) this.#events.offer?.(this);
  }

  grant(token: Uint8Array): void {
    this.#stream.offerRest(token);
  }

  /** The device asks for the rest. @returns what carries it; null when nothing is left for it */
  fetch(): Promise<Response | null> {
    if (this.#stopped || this.waitsFor === "over" || this.#fetch !== null) {
      return Promise.resolve(null);
    }
    return new Promise((resolve) => {
      this.#fetch = { resolve };
      this.drain(); // what waits for credit in frames goes before, and holds nothing up
    });
  }

  /** The rest, as fast as the device reads it. */
  async #beside({ resolve }: Fetch): Promise<void> {
    const left = this.#length === null ? null : this.#length - this.#framed;
    const pipe = bodyPipe(left);
    this.#pipe = pipe;
    pipe.closed.catch(() => this.#lost());
    const headers = { [bulkOffsetHeader]: String(this.#framed), "cache-control": "no-store" };
    const init = { headers, encodeBody: "manual" } as ResponseInit;
    resolve(new Response(pipe.readable, init));
    if (!(await this.#pieces(pipe)) || !(await this.#carry(pipe))) return;
    if (!(await this.#took(pipe.close()))) return;
    this.#pipe = null;
    this.#stream.sentBeside(this.#besides + this.#carried);
    this.#carried = 0;
    this.#stream.end();
    this.waitsFor = "over";
    this.#events.moved();
  }

  /**
   * What goes through here: all of a body that only this code can read, and of any other as much as makes
   * the rest one that may be carried. @returns false when nobody needs more of it
   */
  async #pieces(pipe: BodyPipe): Promise<boolean> {
    for (let isLast = false; !isLast && !this.#mayCarry(); ) {
      this.waitsFor = "visitor";
      const { bytes, last } = await this.#source.read(limits.linkBulkPieceBytes);
      this.#count(bytes);
      if (this.#stopped) return false;
      this.waitsFor = "device";
      if (bytes.byteLength > 0 && !(await this.#took(pipe.write(bytes)))) return false;
      this.#besides += bytes.byteLength;
      this.#events.beside(bytes.byteLength);
      this.#source.reuse(bytes);
      this.#events.moved();
      isLast = last;
    }
    return true;
  }

  /** Bytes that are to come, if that is known and they may pass unseen; 0 when not. */
  #mayCarry(): number {
    if (this.#length === null || !this.#source.isNative) return 0;
    const came = this.#framed + this.#besides;
    const left = this.#length - came;
    return left <= limits.linkCarriedShare * came ? left : 0;
  }

  /**
   * Has the platform carry what is left. All of it counts before it begins: how much of a rest that breaks
   * off has passed, only the two would know who may have broken it off. @returns false when it did not all go
   */
  async #carry(pipe: BodyPipe): Promise<boolean> {
    const left = this.#mayCarry();
    if (left === 0) return !this.#stopped;
    this.#carried = left;
    this.#events.carried(left);
    if (this.#stopped) return false; // that was too much today
    this.waitsFor = "visitor";
    return await this.#took(pipe.take(this.#source.rest()));
  }

  /**
   * The device says how many bytes its service has taken of what goes beside the frames. Of what the
   * platform carries nobody here knows otherwise whom it waits for: a device that has more than that
   * waiting says the same number again.
   */
  taken(bytes: number): void {
    if (this.#carried === 0) return;
    const count = Math.min(bytes, this.#besides + this.#carried);
    this.waitsFor = count > this.#said ? "visitor" : "device";
    if (count <= this.#said) return;
    this.#said = count;
    this.#events.moved();
  }

  #count(bytes: Uint8Array): void {
    this.#events.bytes(bytes.byteLength);
    this.#events.moved();
  }

  /** False when the device took no more, or nobody needs it any more. */
  async #took(written: Promise<void>): Promise<boolean> {
    try {
      await written;
      return !this.#stopped;
    } catch {
      this.#lost();
      return false;
    }
  }

  #lost(): void {
    if (!this.#stopped && this.#pipe !== null) this.#events.broke("lost");
  }

  /** There is room in the frames again, or nobody waits for it any more. */
  drain(): void {
    const onRoom = this.#onRoom;
    this.#onRoom = null;
    onRoom?.();
  }

  #room(): Promise<void> {
    if (this.#fetch !== null) return Promise.resolve();
    return new Promise((resolve) => {
      this.#onRoom = resolve;
    });
  }

  /** Nobody needs the rest. */
  stop(): void {
    if (this.#stopped) return;
    this.#stopped = true;
    this.#pipe?.abort("the request was cut off");
    this.#fetch?.resolve(null);
    this.#fetch = null;
    this.#source.cancel();
    this.drain();
  }
}
