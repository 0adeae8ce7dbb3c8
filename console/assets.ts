/** Serves the built islands, styles and fonts. Their names change with their content: keep for ever. */

import { problemResponse } from "../workers/problem.ts";
import { assets } from "./dist/assets.ts";

const decoded = new Map<string, Uint8Array<ArrayBuffer>>();

export function assetResponse(path: string): Response {
  const asset = Object.hasOwn(assets, path) ? assets[path] : undefined;
  if (asset === undefined) return problemResponse("not-found");
  const body = asset.base64 ? bytesOf(path, asset.body) : asset.body;
  return new Response(body, {
    headers: {
      "content-type": asset.type,
      "cache-control": "public, max-age=31536000, immutable",
      "x-content-type-options": "nosniff",
      "cross-origin-resource-policy": "same-origin",
    },
  });
}

function bytesOf(path: string, base64: string): Uint8Array<ArrayBuffer> {
  let bytes = decoded.get(path);
  if (bytes === undefined) {
    bytes = Uint8Array.from(atob(base64), (char) => char.charCodeAt(0));
    decoded.set(path, bytes);
  }
  return bytes;
}
