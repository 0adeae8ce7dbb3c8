/** Bytes as text: by their mark, else UTF-8, else the Western code page that old files are in. */

export function decodeText(bytes: ArrayBuffer | Uint8Array): string {
  const view = new Uint8Array(bytes as ArrayBuffer);
  if (view[0] === 0xff && view[1] === 0xfe) return new TextDecoder("utf-16le").decode(view);
  if (view[0] === 0xfe && view[1] === 0xff) return new TextDecoder("utf-16be").decode(view);
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(view);
  } catch {
    return new TextDecoder("windows-1252").decode(view);
  }
}
