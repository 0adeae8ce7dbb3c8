/**
 * The zip around an office file (APPNOTE.TXT), read by need and within limits: what it says of itself
 * is believed for where things are, and for nothing that costs memory.
 */

import { limits } from "../../protocol/limits.ts";
import { Unshown } from "../unshown.ts";

interface Entry {
  readonly method: number;
  readonly packedBytes: number;
  readonly offset: number;
}

const END = 0x06054b50;
const CENTRAL = 0x02014b50;
const LOCAL = 0x04034b50;
const END_BYTES = 22;
const COMMENT_BYTES = 65_535;
/** An office file that is encrypted is no zip but a compound file (MS-OFFCRYPTO §2.3). */
const COMPOUND = 0xe011cfd0;

export class Zip {
  readonly #view: DataView<ArrayBuffer>;
  readonly #entries = new Map<string, Entry>();
  #unpacked = 0;

  /** @throws Unshown when it is none, is locked, or has too many entries */
  constructor(bytes: ArrayBuffer) {
    this.#view = new DataView(bytes);
    try {
      this.#readDirectory();
    } catch (error) {
      throw error instanceof Unshown ? error : new Unshown("broken");
    }
  }

  get names(): string[] {
    return [...this.#entries.keys()];
  }

  has(name: string): boolean {
    return this.#entries.has(name);
  }

  /** @throws Unshown when there is no such entry, or all that was read is more than the viewer opens */
  async read(
    name: string,
    most: number = limits.viewUnpackedBytes,
  ): Promise<Uint8Array<ArrayBuffer>> {
    const entry = this.#entries.get(name);
    if (entry === undefined) throw new Unshown("broken");
    const packed = this.#packed(entry);
    if (entry.method !== 0 && entry.method !== 8) throw new Unshown("broken");
    const chunks: Uint8Array[] = [];
    let bytes = 0;
    try {
      for await (const chunk of entry.method === 0 ? [packed] : inflated(packed)) {
        bytes += chunk.byteLength;
        this.#unpacked += chunk.byteLength;
        if (bytes > most || this.#unpacked > limits.viewUnpackedBytes) {
          throw new Unshown("too-large");
        }
        chunks.push(chunk);
      }
    } catch (error) {
      throw error instanceof Unshown ? error : new Unshown("broken");
    }
    const whole = new Uint8Array(bytes);
    let at = 0;
    for (const chunk of chunks) {
      whole.set(chunk, at);
      at += chunk.byteLength;
    }
    return whole;
  }

  #packed({ offset, packedBytes }: Entry): Uint8Array<ArrayBuffer> {
    const view = this.#view;
    if (offset + 30 > view.byteLength || view.getUint32(offset, true) !== LOCAL) {
      throw new Unshown("broken");
    }
    const start =
      offset + 30 + view.getUint16(offset + 26, true) + view.getUint16(offset + 28, true);
    if (start + packedBytes > view.byteLength) throw new Unshown("broken");
    return new Uint8Array(view.buffer, start, packedBytes);
  }

  #readDirectory(): void {
    const view = this.#view;
    if (view.getUint32(0, true) === COMPOUND) throw new Unshown("locked");
    const end = this.#findEnd();
    const count = view.getUint16(end + 10, true);
    if (count > limits.viewZipEntries) throw new Unshown("too-large");
    let at = view.getUint32(end + 16, true);
    for (let left = count; left > 0; left--) {
      if (view.getUint32(at, true) !== CENTRAL) throw new Unshown("broken");
      if ((view.getUint16(at + 8, true) & 1) === 1) throw new Unshown("locked");
      const nameBytes = view.getUint16(at + 28, true);
      const name = new TextDecoder().decode(new Uint8Array(view.buffer, at + 46, nameBytes));
      this.#entries.set(name.replaceAll("\\", "/").replace(/^\//, ""), {
        method: view.getUint16(at + 10, true),
        packedBytes: view.getUint32(at + 20, true),
        offset: view.getUint32(at + 42, true),
      });
      at += 46 + nameBytes + view.getUint16(at + 30, true) + view.getUint16(at + 32, true);
    }
  }

  #findEnd(): number {
    const last = this.#view.byteLength - END_BYTES;
    for (let at = last; at >= 0 && at >= last - COMMENT_BYTES; at--) {
      if (this.#view.getUint32(at, true) === END) return at;
    }
    throw new Unshown("broken");
  }
}

async function* inflated(packed: Uint8Array<ArrayBuffer>): AsyncGenerator<Uint8Array> {
  const reader = new Blob([packed])
    .stream()
    .pipeThrough(new DecompressionStream("deflate-raw"))
    .getReader();
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      yield value;
    }
  } finally {
    await reader.cancel().catch(() => {});
  }
}
