/** Pictures taken into their parts and put together again, each length and checksum right. */

import { crc32 } from "../../protocol/tokens.ts";
import { ascii, join } from "./pictures.ts";

/** A chunk of a PNG or a WebP, by its name, or a segment of a JPEG, by its marker. */
export interface Part {
  readonly name: string;
  readonly body: Uint8Array;
}

const number = (value: number, bytes: number, littleEndian: boolean) => {
  const view = new DataView(new ArrayBuffer(4));
  view.setUint32(0, value, littleEndian);
  return new Uint8Array(view.buffer).slice(littleEndian ? 0 : 4 - bytes, littleEndian ? bytes : 4);
};
const viewOf = (bytes: Uint8Array) =>
  new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
const textOf = (bytes: Uint8Array) => String.fromCharCode(...bytes);

export interface Container {
  /** `rest` is what stands behind the parts: a JPEG's scan. */
  take(bytes: Uint8Array): { parts: Part[]; rest: Uint8Array };
  join(parts: readonly Part[], rest: Uint8Array): Uint8Array<ArrayBuffer>;
}

export const png: Container = {
  take(bytes) {
    const parts: Part[] = [];
    for (let at = 8; at < bytes.length && parts.at(-1)?.name !== "IEND"; ) {
      const length = viewOf(bytes).getUint32(at);
      const name = textOf(bytes.subarray(at + 4, at + 8));
      parts.push({ name, body: bytes.slice(at + 8, at + 8 + length) });
      at += length + 12;
    }
    return { parts, rest: new Uint8Array() };
  },
  join: (parts) =>
    join(
      Uint8Array.of(0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a),
      ...parts.map(({ name, body }) => {
        const named = join(ascii(name), body);
        return join(number(body.length, 4, false), named, number(crc32(named), 4, false));
      }),
    ),
};

export const webp: Container = {
  take(bytes) {
    const parts: Part[] = [];
    for (let at = 12; at < bytes.length; ) {
      const length = viewOf(bytes).getUint32(at + 4, true);
      const name = textOf(bytes.subarray(at, at + 4));
      parts.push({ name, body: bytes.slice(at + 8, at + 8 + length) });
      at += 8 + length + (length % 2);
    }
    return { parts, rest: new Uint8Array() };
  },
  join(parts) {
    const chunks = parts.map(({ name, body }) =>
      join(ascii(name), number(body.length, 4, true), body, new Uint8Array(body.length % 2)),
    );
    const content = join(ascii("WEBP"), ...chunks);
    return join(ascii("RIFF"), number(content.length, 4, true), content);
  },
};

export const jpeg: Container = {
  take(bytes) {
    const parts: Part[] = [];
    let at = 2;
    while (bytes[at + 1] !== 0xda) {
      const length = viewOf(bytes).getUint16(at + 2);
      parts.push({
        name: (bytes[at + 1] as number).toString(16),
        body: bytes.slice(at + 4, at + 2 + length),
      });
      at += 2 + length;
    }
    return { parts, rest: bytes.slice(at) };
  },
  join: (parts, rest) =>
    join(
      Uint8Array.of(0xff, 0xd8),
      ...parts.map(({ name, body }) =>
        join(
          Uint8Array.of(0xff, Number.parseInt(name, 16)),
          number(body.length + 2, 2, false),
          body,
        ),
      ),
      rest,
    ),
};

export const containers: Readonly<Record<string, Container>> = {
  jpeg,
  png,
  webpLossy: webp,
  webpLossless: webp,
  webpAlpha: webp,
};
