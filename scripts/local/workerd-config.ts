/**
 * Lets workerd tell us the true peer of a connection.
 *
 * Miniflare's direct sockets read `request.cf` from a header, which any client could send, and offer
 * a header that reaches the runtime's internals. Both are pointers in the Cap'n Proto configuration
 * that Miniflare pipes to workerd; with them cleared, workerd sets `cf.clientIp` itself.
 */

import { HOST_CAPNP_CONNECT, Runtime } from "miniflare";

const CF_BLOB_HEADER = "MF-CF-Blob";
const WORD_BYTES = 8;

/**
 * Clears every Text pointer in a single-segment Cap'n Proto message whose text is `text`.
 * @returns how many were cleared
 * @see https://capnproto.org/encoding.html#lists
 */
export function clearText(message: Buffer, text: string): number {
  const view = new DataView(message.buffer, message.byteOffset, message.byteLength);
  if (view.getUint32(0, true) !== 0) throw new Error("the configuration has more than one segment");
  const bytes = Buffer.from(`${text}\0`);
  let cleared = 0;
  for (let at = message.indexOf(bytes); at >= 0; at = message.indexOf(bytes, at + 1)) {
    for (let word = WORD_BYTES; word + WORD_BYTES <= message.byteLength; word += WORD_BYTES) {
      const low = view.getInt32(word, true);
      const high = view.getUint32(word + 4, true);
      const isByteList = (low & 3) === 1 && (high & 7) === 2 && high >>> 3 === bytes.length;
      if (!isByteList || word + WORD_BYTES + (low >> 2) * WORD_BYTES !== at) continue;
      view.setBigUint64(word, 0n, true);
      cleared++;
    }
  }
  return cleared;
}

let used = false;

/** Makes every Miniflare of this process start workerd with true peers from now on. Idempotent. */
export function useTruePeers(): void {
  if (used) return;
  used = true;
  const original = Runtime.prototype.updateConfig;
  Runtime.prototype.updateConfig = function (this: Runtime, config, ...rest) {
    if (clearText(config as Buffer, CF_BLOB_HEADER) === 0) {
      throw new Error("this Miniflare names its header otherwise; peers could be forged");
    }
    clearText(config as Buffer, HOST_CAPNP_CONNECT);
    return original.call(this, config, ...rest);
  };
}
