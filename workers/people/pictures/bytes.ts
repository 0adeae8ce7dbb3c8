/** Reading a picture byte by byte, to the last one. Pure. */

/** A picture that is not what it says. */
export class MalformedPicture extends Error {}

/** @throws MalformedPicture unless `condition` */
export function must(condition: boolean): asserts condition {
  if (!condition) throw new MalformedPicture();
}

/** Reads a picture from its beginning to its end, and never past it. */
export class Reader {
  readonly #bytes: Uint8Array<ArrayBuffer>;
  readonly #view: DataView;
  at = 0;

  constructor(bytes: Uint8Array<ArrayBuffer>) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  get left(): number {
    return this.#bytes.length - this.at;
  }

  /** The next `count` bytes. */
  take(count: number): Uint8Array<ArrayBuffer> {
    must(count >= 0 && count <= this.left);
    this.at += count;
    return this.#bytes.subarray(this.at - count, this.at);
  }

  byte(): number {
    must(this.left >= 1);
    return this.#view.getUint8(this.at++);
  }

  /** Big-endian. */
  uint16(): number {
    must(this.left >= 2);
    this.at += 2;
    return this.#view.getUint16(this.at - 2);
  }

  uint32(littleEndian = false): number {
    must(this.left >= 4);
    this.at += 4;
    return this.#view.getUint32(this.at - 4, littleEndian);
  }

  /** The next `count` bytes as ASCII. */
  text(count: number): string {
    return String.fromCharCode(...this.take(count));
  }
}

/** One after the other. */
export function joined(parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}
