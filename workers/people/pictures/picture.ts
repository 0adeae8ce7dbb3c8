/**
 * Pictures without their metadata. A picture is taken apart, only what is needed to show its pixels is
 * put together again, and what does not parse to the last byte is refused: a byte that nobody can name
 * might be a place or a name. Pixels are never decoded, so they stay as they are. Pure.
 */

import { MalformedPicture } from "./bytes.ts";
import { cleanJpeg } from "./jpeg.ts";
import { cleanPng } from "./png.ts";
import { cleanWebp } from "./webp.ts";

export interface Picture {
  readonly type: "image/jpeg" | "image/png" | "image/webp";
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly width: number;
  readonly height: number;
}

/** The picture without its metadata, by what its bytes are; null when it is none, or not whole. */
export function cleanPicture(bytes: Uint8Array<ArrayBuffer>): Picture | null {
  try {
    switch (bytes[0]) {
      case 0xff:
        return cleanJpeg(bytes);
      case 0x89:
        return cleanPng(bytes);
      case 0x52:
        return cleanWebp(bytes);
      default:
        return null;
    }
  } catch (error) {
    if (error instanceof MalformedPicture) return null;
    throw error;
  }
}
