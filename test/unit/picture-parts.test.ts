/**
 * Pictures whose parts are right one by one and wrong together: lengths and checksums hold, so that
 * every rule about the parts is reached, and not only the first that a changed byte meets.
 */

import { describe, expect, it } from "vitest";
import { cleanPicture } from "../../workers/people/pictures/picture.ts";
import { containers, jpeg, type Part, webp } from "../support/picture-parts.ts";
import {
  ascii,
  CANARY,
  join,
  leaks,
  type PictureKind,
  pictureKinds,
  plain,
  withMetadata,
} from "../support/pictures.ts";

/** A generator of numbers that says the same every time (a linear congruential one). */
function seeded(seed: number): (below: number) => number {
  let state = seed >>> 0;
  return (below) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}

const partsOf = (kind: PictureKind, whole = withMetadata(kind)) => {
  const container = containers[kind];
  if (container === undefined) throw new Error(kind);
  return { container, ...container.take(whole) };
};
const cleaned = (kind: PictureKind, change: (parts: Part[]) => readonly Part[]) => {
  const { container, parts, rest } = partsOf(kind);
  return cleanPicture(container.join(change(parts), rest));
};
/** The names of the parts that came through. */
const namesIn = (kind: PictureKind, change: (parts: Part[]) => readonly Part[]) => {
  const clean = cleaned(kind, change);
  return clean === null ? null : partsOf(kind, clean.bytes).parts.map(({ name }) => name);
};
const named = (parts: readonly Part[], name: string) =>
  parts.find((part) => part.name === name) as Part;
const without = (name: string) => (parts: Part[]) => parts.filter((part) => part.name !== name);
const replaced =
  (name: string, body: (body: Uint8Array) => Uint8Array, as = name) =>
  (parts: Part[]) =>
    parts.map((part) => (part.name === name ? { name: as, body: body(part.body) } : part));
const set = (at: number, value: (before: number) => number) => (body: Uint8Array) => {
  const copy = body.slice();
  copy[at] = value(copy[at] ?? 0);
  return copy;
};
/** `part` ahead of the first part called `name`. */
const ahead = (name: string, part: Part) => (parts: Part[]) =>
  parts.toSpliced(
    parts.findIndex((one) => one.name === name),
    0,
    part,
  );

describe.each(pictureKinds)("%s", (kind) => {
  it("in its parts is the same picture", () => {
    const { container, parts, rest } = partsOf(kind, plain(kind));
    expect(container.join(parts, rest)).toEqual(plain(kind));
    expect(cleaned(kind, (all) => all)).not.toBeNull();
  });

  it("lets nothing out of 3,000 files whose parts are moved, doubled, lost, renamed or changed", () => {
    const pick = seeded(pictureKinds.indexOf(kind) + 1);
    const { container, parts: whole, rest } = partsOf(kind);
    let passed = 0;
    for (let file = 0; file < 3000; file++) {
      const parts = [...whole];
      for (let change = pick(3); change >= 0; change--) {
        const at = pick(parts.length);
        const part = parts[at] as Part;
        const way = pick(5);
        if (way === 0) parts.splice(at, 1);
        else if (way === 1) parts.splice(pick(parts.length + 1), 0, part);
        else if (way === 2) parts.splice(pick(parts.length), 0, ...parts.splice(at, 1));
        else if (way === 3) {
          // Under any other name but that of a PNG's pixels, which are never decoded here.
          const { name } = whole[pick(whole.length)] as Part;
          if (name !== "IDAT") parts[at] = { ...part, name };
        } else
          parts[at] = { ...part, body: set(pick(part.body.length), () => pick(256))(part.body) };
        if (parts.length === 0) parts.push(whole[0] as Part);
      }
      const clean = cleanPicture(container.join(parts, rest));
      if (clean === null) continue;
      passed++;
      if (leaks(clean.bytes)) {
        expect.fail(`file ${file} leaks: ${parts.map(({ name }) => name)}`);
      }
    }
    expect(passed).toBeGreaterThan(100);
  });
});

describe("a WebP header (RFC 9649 §2.7)", () => {
  const flag = (mask: number) =>
    replaced(
      "VP8X",
      set(0, (flags) => flags ^ mask),
    );

  it.each([
    ["ICCP", 0x20],
    ["EXIF", 0x08],
    ["XMP ", 0x04],
  ])("announces %s exactly when it is there", (name, mask) => {
    for (const kind of ["webpLossy", "webpLossless", "webpAlpha"] as const) {
      expect(cleaned(kind, flag(mask))).toBeNull();
      expect(cleaned(kind, without(name))).toBeNull();
      expect(cleaned(kind, (parts) => flag(mask)(without(name)(parts)))).not.toBeNull();
    }
  });

  it("announces transparency that is there, and no motion", () => {
    expect(cleaned("webpAlpha", flag(0x10))).toBeNull();
    expect(cleaned("webpLossy", flag(0x02))).toBeNull();
    // A lossless picture may be transparent by itself.
    expect(cleaned("webpLossless", flag(0x10))).not.toBeNull();
  });

  it("keeps of its flags the transparency, and nothing in what is reserved", () => {
    for (const change of [
      flag(0x41),
      replaced(
        "VP8X",
        set(2, () => 0x4d),
      ),
    ]) {
      const clean = cleaned("webpAlpha", change);
      const { parts } = webp.take(clean?.bytes ?? new Uint8Array());
      expect([...named(parts, "VP8X").body.slice(0, 4)]).toEqual([0x10, 0, 0, 0]);
    }
  });

  it("stands first, once, ten bytes long, and says the picture's own size", () => {
    const header = (parts: Part[]) => named(parts, "VP8X");
    for (const wrong of [
      (parts: Part[]) => [...without("VP8X")(parts), header(parts)],
      (parts: Part[]) => [header(parts), ...parts],
      without("VP8X"),
      replaced("VP8X", (body) => join(body, Uint8Array.of(0))),
      replaced("VP8X", (body) => body.slice(0, 9)),
      replaced(
        "VP8X",
        set(4, (side) => side + 1),
      ),
      replaced(
        "VP8X",
        set(6, () => 1),
      ),
      replaced(
        "VP8X",
        set(7, (side) => side + 1),
      ),
      replaced(
        "VP8X",
        set(9, () => 1),
      ),
      replaced("VP8 ", (body) => body, "VP8L"),
      ahead("VP8 ", {
        name: "VP8L",
        body: named(webp.take(plain("webpLossless")).parts, "VP8L").body,
      }),
      ahead("VP8 ", { name: "JUNK", body: ascii(CANARY) }),
      (parts: Part[]) => [...without("ALPH")(parts), named(parts, "ALPH")],
    ]) {
      expect(cleaned("webpAlpha", wrong)).toBeNull();
    }
  });

  it("says its own length, and its coded picture a version and a length that there are", () => {
    const bytes = plain("webpLossy");
    for (const by of [-2, 2]) {
      expect(cleanPicture(set(4, (size) => size + by)(bytes))).toBeNull();
    }
    // RFC 6386 §9.1: a key frame, whose first partition is within it, with its start code.
    for (const wrong of [
      set(0, (tag) => tag | 1),
      set(2, () => 0xff),
      set(3, () => 0),
      set(4, () => 0),
      set(5, () => 0),
      (body: Uint8Array) => set(6, () => 0)(set(7, () => 0)(body)),
    ]) {
      expect(cleaned("webpLossy", replaced("VP8 ", wrong))).toBeNull();
    }
    // RFC 9649 §3.4: the signature, and version 0.
    for (const wrong of [set(0, () => 0x2e), set(4, (bits) => bits | 0x20)]) {
      expect(cleaned("webpLossless", replaced("VP8L", wrong))).toBeNull();
    }
  });

  it("takes no other chunk for the transparency", () => {
    const exif = (parts: Part[]) => named(parts, "EXIF").body;
    for (const body of [exif, (parts: Part[]) => named(parts, "XMP ").body, () => ascii(CANARY)]) {
      expect(
        cleaned("webpAlpha", (parts) => replaced("ALPH", () => body(parts))(parts)),
      ).toBeNull();
    }
    // Uncompressed: a byte for each pixel, and not one more.
    const raw = (bytes: number) => replaced("ALPH", () => new Uint8Array(bytes));
    expect(cleaned("webpAlpha", raw(1 + 24 * 16))).not.toBeNull();
    expect(cleaned("webpAlpha", raw(24 * 16))).toBeNull();
    expect(cleaned("webpAlpha", raw(2 + 24 * 16))).toBeNull();
  });
});

describe("a PNG's chunks", () => {
  const text = ascii(`Comment\0${CANARY}`);

  it.each(["tRNS", "gAMA", "cHRM", "sRGB", "sBIT", "cICP"])("a text is no %s", (name) => {
    const clean = cleaned(
      "png",
      replaced("tEXt", (body) => body, name),
    );
    expect(leaks(clean?.bytes ?? text)).toBe(false);
  });

  it.each([
    [0, 2, 1],
    [2, 6, 3],
    [4, null, 2],
    [6, null, 4],
  ])("of color type %i: how long transparency and depth may be", (color, transparent, samples) => {
    const kept = (name: string, length: number) =>
      namesIn("png", (parts) =>
        ahead("IDAT", { name, body: new Uint8Array(length) })(
          replaced(
            "IHDR",
            set(9, () => color),
          )(parts),
        ),
      )?.includes(name);
    for (let length = 0; length <= 7; length++) {
      expect([length, kept("tRNS", length)]).toEqual([length, length === transparent]);
      expect([length, kept("sBIT", length)]).toEqual([length, length === samples]);
    }
  });

  it("a palette is kept where pixels use it, and as long as they can", () => {
    const indexed = (depth: number, entries: number, transparent = 0) =>
      namesIn("png", (parts) => {
        const header = replaced("IHDR", (body) => set(9, () => 3)(set(8, () => depth)(body)));
        const palette = { name: "PLTE", body: new Uint8Array(entries * 3) };
        const alpha = { name: "tRNS", body: new Uint8Array(transparent) };
        const all = ahead("IDAT", alpha)(ahead("IDAT", palette)(header(parts)));
        return entries === 0 ? without("PLTE")(all) : all;
      });
    expect(indexed(8, 256, 256)).toEqual(["IHDR", "PLTE", "tRNS", "IDAT", "IDAT", "IEND"]);
    expect(indexed(8, 4, 5)).toEqual(["IHDR", "PLTE", "IDAT", "IDAT", "IEND"]);
    expect(indexed(2, 4, 4)).toEqual(["IHDR", "PLTE", "tRNS", "IDAT", "IDAT", "IEND"]);
    expect(indexed(2, 5)).toBeNull();
    expect(indexed(8, 0)).toBeNull();
    const palette = { name: "PLTE", body: ascii("marama") };
    expect(namesIn("png", ahead("IDAT", palette))).not.toContain("PLTE");
    expect(
      cleaned("png", (parts) =>
        ahead(
          "IDAT",
          palette,
        )(
          replaced(
            "IHDR",
            set(9, () => 0),
          )(parts),
        ),
      ),
    ).toBeNull();
    expect(cleaned("png", ahead("IDAT", { ...palette, body: ascii("mara") }))).toBeNull();
  });

  it("a header that no picture has, a critical chunk of nobody's, or a wrong order refuses", () => {
    for (const wrong of [
      replaced(
        "IHDR",
        set(8, () => 3),
      ),
      replaced(
        "IHDR",
        set(9, () => 1),
      ),
      replaced(
        "IHDR",
        set(10, () => 1),
      ),
      replaced(
        "IHDR",
        set(11, () => 1),
      ),
      replaced(
        "IHDR",
        set(12, () => 2),
      ),
      replaced("IHDR", (body) => join(body, Uint8Array.of(0))),
      replaced("tEXt", (body) => body, "TEXT"),
      without("IDAT"),
      without("IHDR"),
      without("IEND"),
      (parts: Part[]) => [...parts.slice(1, 2), ...parts],
      (parts: Part[]) =>
        parts.flatMap((part) =>
          part.name === "IDAT" ? [part, named(parts, "tEXt"), part] : [part],
        ),
      replaced("IEND", () => text),
    ]) {
      expect(cleaned("png", wrong)).toBeNull();
    }
    // One byte of a chunk, its checksum left as it was.
    const bytes = plain("png");
    bytes[bytes.length - 20] = (bytes[bytes.length - 20] ?? 0) ^ 1;
    expect(cleanPicture(bytes)).toBeNull();
  });

  it("colors count before the pixels, once", () => {
    const gamma = { name: "gAMA", body: new Uint8Array(4) };
    expect(namesIn("png", ahead("IEND", gamma))).not.toContain("gAMA");
    const twice = namesIn("png", (parts) => ahead("IDAT", gamma)(ahead("IDAT", gamma)(parts)));
    expect(twice?.filter((name) => name === "gAMA")).toHaveLength(1);
  });
});

describe("a JPEG's segments", () => {
  it("a text is no table, no frame and no scan", () => {
    for (const marker of ["db", "c4", "c0", "c2", "cc", "dd"]) {
      expect([
        marker,
        cleaned(
          "jpeg",
          replaced("fe", (body) => body, marker),
        ),
      ]).toEqual([marker, null]);
    }
    for (const marker of ["d0", "d8", "01", "c8", "dc", "f0"]) {
      expect([
        marker,
        cleaned(
          "jpeg",
          replaced("fe", (body) => body, marker),
        ),
      ]).toEqual([marker, null]);
    }
  });

  it("of what programs add only an empty JFIF, Adobe's twelve bytes and the way up are kept", () => {
    const names = namesIn("jpeg", (parts) => [
      { name: "ee", body: join(ascii("Adobe"), new Uint8Array(7)) },
      { name: "ee", body: join(ascii("Adobe"), ascii(CANARY)) },
      { name: "ee", body: ascii("mara-mara-ma") },
      ...parts,
    ]);
    const long = { name: "ee", body: join(ascii("Adobe"), ascii(CANARY)) };
    expect(namesIn("jpeg", (parts) => [...parts, long])).not.toContain("ee");
    expect(names?.filter((name) => /^(e|fe)/.test(name))).toEqual(["e0", "e1", "ee"]);
    const { parts } = jpeg.take(
      cleaned("jpeg", (all) =>
        replaced("e0", (body) => join(body.slice(0, 12), Uint8Array.of(1, 1, 0x4d, 0x41, 0x52)))(
          all,
        ),
      )?.bytes ?? new Uint8Array(),
    );
    expect(named(parts, "e0").body).toHaveLength(14);
    expect([...named(parts, "e0").body.slice(7)]).toEqual([0, 0, 1, 0, 1, 0, 0]);
  });

  it("one frame, whole, and a scan after it", () => {
    const frame = (parts: Part[]) => named(parts, "c0");
    for (const wrong of [
      without("c0"),
      (parts: Part[]) => [...parts, frame(parts)],
      replaced("c0", (body) => join(body, Uint8Array.of(0))),
      replaced(
        "c0",
        set(5, () => 5),
      ),
      replaced("c0", (body) => set(1, () => 0)(set(2, () => 0)(body))),
      replaced("db", (body) => join(body, Uint8Array.of(0))),
      replaced("c4", (body) => join(body, Uint8Array.of(0))),
    ]) {
      expect(cleaned("jpeg", wrong)).toBeNull();
    }
    const { parts, rest } = jpeg.take(plain("jpeg"));
    const scanned = (coded: Uint8Array, change: (all: Part[]) => readonly Part[] = (all) => all) =>
      cleanPicture(jpeg.join(change(parts), coded));
    expect(scanned(rest)).not.toBeNull();
    expect(scanned(Uint8Array.of(0xff, 0xd9))).toBeNull();
    // A scan before its frame; one whose header is longer than its components; a stray restart.
    const frameAfter = jpeg.join([frame(parts)], Uint8Array.of(0xff, 0xd9)).subarray(2);
    expect(scanned(join(rest.subarray(0, -2), frameAfter), without("c0"))).toBeNull();
    expect(scanned(set(4, (count) => count - 1)(rest))).toBeNull();
    expect(scanned(join(Uint8Array.of(0xff, 0xd0, 0, 2), rest))).toBeNull();
  });

  it("a table is one of four, of one of two kinds, and no longer than its kind", () => {
    const table = (name: string, body: Uint8Array) =>
      cleaned("jpeg", (parts) => ahead("c0", { name, body })(parts)) !== null;
    const of = (kind: number, length: number) => join(Uint8Array.of(kind), new Uint8Array(length));
    expect([table("db", of(0x03, 64)), table("db", of(0x13, 128))]).toEqual([true, true]);
    expect([table("db", of(0x04, 64)), table("db", of(0x20, 64))]).toEqual([false, false]);
    expect([
      table("c4", of(0x13, 16)),
      table("c4", of(0x14, 16)),
      table("c4", of(0x20, 16)),
    ]).toEqual([true, false, false]);
    const codes = (count: number) =>
      join(
        Uint8Array.of(0),
        Uint8Array.from({ length: 16 }, (_, at) => (at < 2 ? count : 0)),
      );
    expect(table("c4", join(codes(128), new Uint8Array(256)))).toBe(true);
    expect(table("c4", join(codes(129), new Uint8Array(258)))).toBe(false);
  });

  it("a frame has the components that it counts, and no more than four", () => {
    const counting = (components: number) =>
      cleaned("jpeg", (parts) => {
        const { body } = named(parts, "c0");
        const counted = join(body.slice(0, 5), Uint8Array.of(components));
        return replaced("c0", () => join(counted, new Uint8Array(components * 3)))(parts);
      }) !== null;
    expect([0, 1, 4, 5].map(counting)).toEqual([false, true, true, false]);
  });

  it("a way up is one of eight; any other is not said", () => {
    for (const [way, kept] of [
      [6, true],
      [8, true],
      [9, false],
      [0, false],
      [0x4d61, false],
    ] as const) {
      const clean = cleanPicture(withMetadata("jpeg", way))?.bytes ?? new Uint8Array();
      const names = jpeg.take(clean).parts.map(({ name }) => name);
      expect([way, names.includes("e1")]).toEqual([way, kept]);
    }
  });
});
