/** Pictures lose their metadata and nothing else, whatever is sent. */

import { describe, expect, it } from "vitest";
import { cleanPicture } from "../../workers/people/pictures/picture.ts";
import { ascii, join, leaks, pictureKinds, plain, withMetadata } from "../support/pictures.ts";

const types = {
  jpeg: "image/jpeg",
  png: "image/png",
  webpLossy: "image/webp",
  webpLossless: "image/webp",
  webpAlpha: "image/webp",
} as const;

/** A generator of numbers that says the same every time (mulberry32). */
function seeded(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let value = Math.imul(state ^ (state >>> 15), 1 | state);
    value = (value + Math.imul(value ^ (value >>> 7), 61 | value)) ^ value;
    return ((value ^ (value >>> 14)) >>> 0) / 2 ** 32;
  };
}

const contains = (whole: Uint8Array, part: Uint8Array) =>
  Buffer.from(whole).includes(Buffer.from(part));

describe.each(pictureKinds)("%s", (kind) => {
  it("loses a planted place, texts, profiles and what follows the end", () => {
    const full = withMetadata(kind);
    expect(leaks(full)).toBe(true);
    const clean = cleanPicture(full);
    expect(clean).toMatchObject({ type: types[kind], width: 24, height: 16 });
    expect(leaks(clean?.bytes ?? full)).toBe(false);
  });

  it("keeps the coded pixels byte for byte, and is stable", () => {
    const clean = cleanPicture(withMetadata(kind, 1))?.bytes ?? new Uint8Array();
    const bare = cleanPicture(plain(kind))?.bytes ?? new Uint8Array();
    expect(clean).toEqual(bare);
    expect(cleanPicture(clean)?.bytes).toEqual(clean);
    const coded = Buffer.from(plain(kind));
    const from = {
      jpeg: "\xff\xdb",
      png: "IDAT",
      webpLossy: "VP8 ",
      webpLossless: "VP8L",
      webpAlpha: "ALPH",
    };
    const at = coded.indexOf(Buffer.from(from[kind], "latin1"));
    expect(at).toBeGreaterThan(0);
    expect(contains(clean, coded.subarray(at))).toBe(true);
  });

  it("is refused when it is cut short anywhere", () => {
    const whole = plain(kind);
    for (let length = 0; length < whole.length; length++) {
      expect([length, cleanPicture(whole.slice(0, length))]).toEqual([length, null]);
    }
  });

  it("lets nothing out of 2,500 files with bytes changed, cut or doubled", () => {
    const random = seeded(pictureKinds.indexOf(kind) + 1);
    const whole = withMetadata(kind);
    const pick = (below: number) => Math.floor(random() * below);
    let passed = 0;
    for (let file = 0; file < 2500; file++) {
      let bytes = whole.slice();
      for (let change = pick(4); change >= 0; change--) bytes[pick(bytes.length)] = pick(256);
      if (pick(8) === 0) bytes = bytes.slice(0, pick(bytes.length));
      if (pick(8) === 0) {
        const at = pick(bytes.length);
        bytes = join(bytes.slice(0, at), bytes.slice(at - pick(60)));
      }
      const clean = cleanPicture(bytes);
      if (clean === null) continue;
      passed++;
      if (leaks(clean.bytes)) expect.fail(`file ${file} of ${kind} leaks`);
    }
    expect(passed).toBeGreaterThan(0);
  });
});

it("of a JPEG only which way is up is kept of its Exif", () => {
  const turned = cleanPicture(withMetadata("jpeg", 6))?.bytes ?? new Uint8Array();
  expect(contains(turned, Uint8Array.of(0x01, 0x12, 0, 3, 0, 0, 0, 1, 0, 6))).toBe(true);
  expect(leaks(turned)).toBe(false);
});

it("what is no picture is none", () => {
  const others = [
    "",
    "GIF89a",
    "<svg xmlns='http://www.w3.org/2000/svg'/>",
    "RIFF\0\0\0\0WAVE",
    "\x89PNG",
  ];
  for (const text of others) expect([text, cleanPicture(ascii(text))]).toEqual([text, null]);
});
