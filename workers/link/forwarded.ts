/**
 * What a device is told about where a request came from. Whatever the visitor claims is deleted; only
 * what the edge knows itself is set.
 */

import { peerHeader, wayHeader } from "../../durable-objects/device/rpc.ts";

const CLAIMS = new Set(["forwarded", "x-real-ip", "true-client-ip", "x-client-ip"]);
const CLAIM_PREFIXES = ["x-latchkey-", "x-forwarded-", "cf-"];

/** True for a header that only the edge may set. */
export function isClaim(name: string): boolean {
  return CLAIMS.has(name) || CLAIM_PREFIXES.some((prefix) => name.startsWith(prefix));
}

/** The request as the device's object gets it. `peer`: the visitor's address; null when not known. */
export function forwarded(request: Request, peer: string | null): Request {
  const url = new URL(request.url);
  const proto = url.protocol.slice(0, -1);
  const headers = new Headers(request.headers);
  for (const name of [...headers.keys()]) if (isClaim(name)) headers.delete(name);
  headers.set(wayHeader, "door");
  headers.set("x-forwarded-host", url.host);
  headers.set("x-forwarded-proto", proto);
  if (peer !== null) {
    headers.set(peerHeader, peer);
    headers.set("x-forwarded-for", peer);
  }
  headers.set("forwarded", forwardedElement(peer, url.host, proto));
  // The visitor's browser follows the device's redirects; the edge never does.
  return new Request(request, { headers, redirect: "manual" });
}

/** RFC 7239 §4: one element, quoted where a token cannot hold it. */
export function forwardedElement(peer: string | null, host: string, proto: string): string {
  const node = peer === null ? "unknown" : peer.includes(":") ? `"[${peer}]"` : peer;
  return `for=${node};host=${host.includes(":") ? `"${host}"` : host};proto=${proto}`;
}
