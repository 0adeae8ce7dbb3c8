/**
 * Small pictures as a real encoder made them (24 × 16 pixels), and metadata as cameras and editors write
 * it: a place in Exif, XMP, comments, texts.
 */

import { crc32 } from "../../protocol/tokens.ts";

const raw = {
  jpeg: "/9j/4AAQSkZJRgABAQAAAQABAAD/4gHYSUNDX1BST0ZJTEUAAQEAAAHIAAAAAAQwAABtbnRyUkdCIFhZWiAH4AABAAEAAAAAAABhY3NwAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAQAA9tYAAQAAAADTLQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAlkZXNjAAAA8AAAACRyWFlaAAABFAAAABRnWFlaAAABKAAAABRiWFlaAAABPAAAABR3dHB0AAABUAAAABRyVFJDAAABZAAAAChnVFJDAAABZAAAAChiVFJDAAABZAAAAChjcHJ0AAABjAAAADxtbHVjAAAAAAAAAAEAAAAMZW5VUwAAAAgAAAAcAHMAUgBHAEJYWVogAAAAAAAAb6IAADj1AAADkFhZWiAAAAAAAABimQAAt4UAABjaWFlaIAAAAAAAACSgAAAPhAAAts9YWVogAAAAAAAA9tYAAQAAAADTLXBhcmEAAAAAAAQAAAACZmYAAPKnAAANWQAAE9AAAApbAAAAAAAAAABtbHVjAAAAAAAAAAEAAAAMZW5VUwAAACAAAAAcAEcAbwBvAGcAbABlACAASQBuAGMALgAgADIAMAAxADb/2wBDAA0JCgsKCA0LCgsODg0PEyAVExISEyccHhcgLikxMC4pLSwzOko+MzZGNywtQFdBRkxOUlNSMj5aYVpQYEpRUk//2wBDAQ4ODhMREyYVFSZPNS01T09PT09PT09PT09PT09PT09PT09PT09PT09PT09PT09PT09PT09PT09PT09PT09PT0//wAARCAAQABgDASIAAhEBAxEB/8QAFwABAQEBAAAAAAAAAAAAAAAAAAIDBf/EAB0QAAICAwEBAQAAAAAAAAAAAAEDAhEABBIxQSH/xAAVAQEBAAAAAAAAAAAAAAAAAAADBP/EABwRAAIDAQADAAAAAAAAAAAAAAECAAMREiFxsf/aAAwDAQACEQMRAD8A4+olbFEzjZ6r3GwtSprIjQN39ydbYgpZjISJJv8AMnafF3PIIq/cDlzZ53IIdFrBGaM+yWyWYjirv4MZljKFXkZAttNrdEZ6n//Z",
  png: "iVBORw0KGgoAAAANSUhEUgAAABgAAAAQCAYAAAAMJL+VAAAAcElEQVR4AeyQsQnAIBBFPw6RJhACGSgDpMsQGSJDZLOAjY1LKFjdFeqdYKXClwPv++CZ7TpDzxg0ntdZ5EK/ZIB7+VELLUtmBpAUtDsDA551Ry5U48CKqIbSPBWV7KQ3pujzB2pJLcXFAIqeeLU7IAIAAP//zp07FwAAAAZJREFUAwDdNFrJ49KIrAAAAABJRU5ErkJggg==",
  webpLossy:
    "UklGRl4CAABXRUJQVlA4WAoAAAAgAAAAFwAADwAASUNDUMgBAAAAAAHIAAAAAAQwAABtbnRyUkdCIFhZWiAH4AABAAEAAAAAAABhY3NwAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAQAA9tYAAQAAAADTLQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAlkZXNjAAAA8AAAACRyWFlaAAABFAAAABRnWFlaAAABKAAAABRiWFlaAAABPAAAABR3dHB0AAABUAAAABRyVFJDAAABZAAAAChnVFJDAAABZAAAAChiVFJDAAABZAAAAChjcHJ0AAABjAAAADxtbHVjAAAAAAAAAAEAAAAMZW5VUwAAAAgAAAAcAHMAUgBHAEJYWVogAAAAAAAAb6IAADj1AAADkFhZWiAAAAAAAABimQAAt4UAABjaWFlaIAAAAAAAACSgAAAPhAAAts9YWVogAAAAAAAA9tYAAQAAAADTLXBhcmEAAAAAAAQAAAACZmYAAPKnAAANWQAAE9AAAApbAAAAAAAAAABtbHVjAAAAAAAAAAEAAAAMZW5VUwAAACAAAAAcAEcAbwBvAGcAbABlACAASQBuAGMALgAgADIAMAAxADZWUDggcAAAALAEAJ0BKhgAEAA+0VSjS6gkoyGwCAEAGglsAJ0yhHAdoDbAAMnQPSRL/n5fAAAA/tBXBjIKDbFPkrGJOHcE8TY+rqF2QJQ1c1w67m53qu/wD1CffoMymSlbUPrFORQYbo7Bv977o/5t6I3jTNoAAAA=",
  webpLossless:
    "UklGRi4CAABXRUJQVlA4WAoAAAAgAAAAFwAADwAASUNDUMgBAAAAAAHIAAAAAAQwAABtbnRyUkdCIFhZWiAH4AABAAEAAAAAAABhY3NwAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAQAA9tYAAQAAAADTLQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAlkZXNjAAAA8AAAACRyWFlaAAABFAAAABRnWFlaAAABKAAAABRiWFlaAAABPAAAABR3dHB0AAABUAAAABRyVFJDAAABZAAAAChnVFJDAAABZAAAAChiVFJDAAABZAAAAChjcHJ0AAABjAAAADxtbHVjAAAAAAAAAAEAAAAMZW5VUwAAAAgAAAAcAHMAUgBHAEJYWVogAAAAAAAAb6IAADj1AAADkFhZWiAAAAAAAABimQAAt4UAABjaWFlaIAAAAAAAACSgAAAPhAAAts9YWVogAAAAAAAA9tYAAQAAAADTLXBhcmEAAAAAAAQAAAACZmYAAPKnAAANWQAAE9AAAApbAAAAAAAAAABtbHVjAAAAAAAAAAEAAAAMZW5VUwAAACAAAAAcAEcAbwBvAGcAbABlACAASQBuAGMALgAgADIAMAAxADZWUDhMPwAAAC8XwAMAFyAQSCySG3o9sWAaMtkdV2QCFhsB9T90mf/I+q6gqJEUqYIyTOCPNz73VBDR/3kA0BNZdQ9/AFg7AAA=",
  webpAlpha:
    "UklGRnwCAABXRUJQVlA4WAoAAAAwAAAAFwAADwAASUNDUMgBAAAAAAHIAAAAAAQwAABtbnRyUkdCIFhZWiAH4AABAAEAAAAAAABhY3NwAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAQAA9tYAAQAAAADTLQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAlkZXNjAAAA8AAAACRyWFlaAAABFAAAABRnWFlaAAABKAAAABRiWFlaAAABPAAAABR3dHB0AAABUAAAABRyVFJDAAABZAAAAChnVFJDAAABZAAAAChiVFJDAAABZAAAAChjcHJ0AAABjAAAADxtbHVjAAAAAAAAAAEAAAAMZW5VUwAAAAgAAAAcAHMAUgBHAEJYWVogAAAAAAAAb6IAADj1AAADkFhZWiAAAAAAAABimQAAt4UAABjaWFlaIAAAAAAAACSgAAAPhAAAts9YWVogAAAAAAAA9tYAAQAAAADTLXBhcmEAAAAAAAQAAAACZmYAAPKnAAANWQAAE9AAAApbAAAAAAAAAABtbHVjAAAAAAAAAAEAAAAMZW5VUwAAACAAAAAcAEcAbwBvAGcAbABlACAASQBuAGMALgAgADIAMAAxADZBTFBIJwAAAAEXIBBI8ufZb42ICAeFkCQ5e4bZ53jOM/0TRPR/AtBzUFbdAfjjEgBWUDggXgAAAPADAJ0BKhgAEAA+0VSjS6gkoyGwCAEAGglsAJ0vXdYDbQTSSA2f6oAAlagSG1YHa+PxWihkqUZojCSG6ldexflbh+HvW5hGBir/OBn//u8MKqKGz/qf5H8RhX/xIAA=",
} as const;

export type PictureKind = keyof typeof raw;
export const pictureKinds = Object.keys(raw) as PictureKind[];

/** What must never come out again, in each piece of metadata. */
export const CANARY = "48.2082N-16.3738E-mara";

export const ascii = (text: string) => Uint8Array.from(text, (char) => char.charCodeAt(0));
export const join = (...parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> => {
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
};
const big = (value: number, bytes: number) =>
  Uint8Array.from({ length: bytes }, (_, at) => (value >>> (8 * (bytes - 1 - at))) & 255);
const little = (value: number) => big(value, 4).reverse();

/** The picture without anything of ours. */
export const plain = (kind: PictureKind): Uint8Array<ArrayBuffer> =>
  Uint8Array.from(atob(raw[kind]), (char) => char.charCodeAt(0));

/** TIFF as Exif has it: which way is up, and a GPS directory whose reference holds the canary. */
function tiff(orientation: number): Uint8Array {
  const entry = (tag: number, type: number, count: number, value: Uint8Array) =>
    join(big(tag, 2), big(type, 2), big(count, 4), value);
  const canary = ascii(`${CANARY}\0`);
  const ifd0 = join(
    big(2, 2),
    entry(0x0112, 3, 1, join(big(orientation, 2), big(0, 2))),
    entry(0x8825, 4, 1, big(38, 4)),
    big(0, 4),
  );
  const gps = join(big(1, 2), entry(0x001b, 2, canary.length, big(56, 4)), big(0, 4));
  return join(ascii("MM"), big(42, 2), big(8, 4), ifd0, gps, canary);
}

/** The picture with every kind of metadata that its format knows. */
export function withMetadata(kind: PictureKind, orientation = 6): Uint8Array<ArrayBuffer> {
  const bytes = plain(kind);
  const exif = join(ascii("Exif\0\0"), tiff(orientation));
  const xmp = ascii(`<x:xmpmeta><exif:GPSLatitude>${CANARY}</exif:GPSLatitude></x:xmpmeta>`);
  if (kind === "jpeg") {
    const segment = (marker: number, body: Uint8Array) =>
      join(Uint8Array.of(0xff, marker), big(body.length + 2, 2), body);
    return join(
      bytes.subarray(0, 2),
      segment(0xe1, exif),
      segment(0xe1, join(ascii("http://ns.adobe.com/xap/1.0/\0"), xmp)),
      segment(0xed, ascii(`Photoshop 3.0\0${CANARY}`)),
      segment(0xfe, ascii(CANARY)),
      bytes.subarray(2),
      ascii(CANARY),
    );
  }
  if (kind === "png") {
    const chunk = (type: string, body: Uint8Array) => {
      const named = join(ascii(type), body);
      return join(big(body.length, 4), named, big(crc32(named), 4));
    };
    const end = bytes.length - 12;
    return join(
      bytes.subarray(0, 33),
      chunk("tEXt", ascii(`Comment\0${CANARY}`)),
      chunk("eXIf", tiff(1)),
      chunk("iTXt", ascii(`XML:com.adobe.xmp\0\0\0\0\0${CANARY}`)),
      chunk("tIME", Uint8Array.of(7, 234, 11, 22, 3, 12, 9)),
      bytes.subarray(33, end),
      chunk("prVt", ascii(CANARY)),
      bytes.subarray(end),
      ascii(CANARY),
    );
  }
  const chunk = (name: string, body: Uint8Array) =>
    join(ascii(name), little(body.length), body, new Uint8Array(body.length % 2));
  const content = join(bytes.subarray(8), chunk("EXIF", tiff(1)), chunk("XMP ", xmp));
  content[4 + 8] = (content[4 + 8] as number) | 0x0c;
  return join(ascii("RIFF"), little(content.length), content);
}

/** True when any of the metadata is somewhere in `bytes`. */
export function leaks(bytes: Uint8Array): boolean {
  const text = String.fromCharCode(...bytes);
  return /48\.2082|16\.3738|GPSLat|mara|Google|adobe|Photoshop/i.test(text);
}
