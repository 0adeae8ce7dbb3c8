/**
 * Files that pages load: built beforehand, public, the same for everybody, and named by a hash of
 * their content, so that a browser may keep them for ever. They lie with the platform and not in the
 * worker; `ports.assets` hands them over, and here they become answers.
 */

import type { Assets } from "./ports.ts";

/** How a file may be packed, the best first, and what its name then ends with. */
export const codings = { br: ".br", gzip: ".gz" } as const;
export type Coding = keyof typeof codings;

interface AssetType {
  readonly type: string;
  /** Lies there in every coding as well; the others are packed by themselves. */
  readonly packed: boolean;
}

/** What is served, by the end of its name. */
export const assetTypes: Readonly<Record<string, AssetType>> = {
  ".css": { type: "text/css; charset=utf-8", packed: true },
  ".js": { type: "text/javascript; charset=utf-8", packed: true },
  ".svg": { type: "image/svg+xml", packed: true },
  ".woff2": { type: "font/woff2", packed: false },
};

/** What the viewer loads beside those (workers/link/view.ts): no page of the console names any. */
export const viewerTypes: typeof assetTypes = {
  ...assetTypes,
  ".html": { type: "text/html; charset=utf-8", packed: true },
  ".wasm": { type: "application/wasm", packed: true },
  ".bcmap": { type: "application/octet-stream", packed: false },
};

const NAME = /^[\w-]+(?:\.[\w-]+)*(\.[a-z0-9]+)$/i;

/** Answers GET and HEAD for the file `name`; null when there is none of these types. */
export async function assetResponse(
  request: Request,
  assets: Assets,
  name: string,
  types: typeof assetTypes = assetTypes,
): Promise<Response | null> {
  const extension = NAME.exec(name)?.[1] ?? "";
  const kind = Object.hasOwn(types, extension) ? types[extension] : undefined;
  if (kind === undefined) return null;
  const coding = kind.packed ? codingFor(request) : null;
  const stored = coding === null ? name : name + codings[coding];
  const body = await assets.get(stored);
  if (body === null) return null;
  const etag = `"${stored}"`;
  const headers = new Headers({
    "content-type": kind.type,
    "cache-control": "public, max-age=31536000, immutable",
    etag,
    "x-content-type-options": "nosniff",
    "cross-origin-resource-policy": "same-origin",
  });
  if (kind.packed) headers.set("vary", "accept-encoding");
  if (coding !== null) headers.set("content-encoding", coding);
  const status = hasAlready(request, etag) ? 304 : 200;
  if (status === 304 || request.method === "HEAD") {
    if (body instanceof ReadableStream) await body.cancel();
    // RFC 9110 §8.6: what GET would bring. Deno says 0 by itself.
    else if (status === 200) headers.set("content-length", String(body.byteLength));
    return new Response(null, { status, headers });
  }
  // `encodeBody`: the bytes are packed already (workerd would pack them again).
  return new Response(body, { headers, encodeBody: "manual" } as ResponseInit);
}

/** What Cloudflare leaves of the header is its own; what the client sent stands in `cf`. */
function codingFor(request: Request): Coding | null {
  const { cf } = request as { cf?: { clientAcceptEncoding?: string } };
  const header = cf?.clientAcceptEncoding ?? request.headers.get("accept-encoding") ?? "";
  // RFC 9110 §12.5.3; a weight of zero refuses (§12.4.2).
  const taken = header
    .toLowerCase()
    .split(",")
    .filter((item) => !/;\s*q=0(?:\.0*)?\s*$/.test(item))
    .map((item) => item.split(";")[0]?.trim());
  return (Object.keys(codings) as Coding[]).find((coding) => taken.includes(coding)) ?? null;
}

/** RFC 9110 §13.1.2, by weak comparison: a proxy that packs anew makes a validator weak. */
function hasAlready(request: Request, etag: string): boolean {
  const known = (request.headers.get("if-none-match") ?? "").split(",").map((tag) => tag.trim());
  return known.some((tag) => tag === "*" || tag.replace(/^W\//, "") === etag);
}
