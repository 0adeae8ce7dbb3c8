/** The client's address, read from where the operator's policy says and from nowhere else. */

import { parsePeer } from "../protocol/addresses.ts";

/**
 * Where a client's address is read from.
 * - `edge`: `CF-Connecting-IP`, which Cloudflare sets; anywhere else a client could forge it
 * - `socket`: the peer of the TCP connection
 * - `trusted-proxy`: the last `X-Forwarded-For` entry, when the peer is one of `trustedProxies`
 */
export type SourceAddressPolicy = "edge" | "socket" | "trusted-proxy";

export interface PeerPolicy {
  readonly sourceAddress: SourceAddressPolicy;
  readonly trustedProxies: readonly string[];
}

/** The proxies that the operator names in `TRUSTED_PROXIES`; none where it is absent. */
export function proxiesIn(text: string | null): readonly string[] {
  return text?.split(/[\s,]+/) ?? [];
}

/**
 * On workerd: the client of a request that came from outside, also where a worker passed it on as it
 * came; null when nobody knows it.
 */
export function clientOnWorkerd(policy: PeerPolicy, request: Request): string | null {
  const { headers } = request;
  if (policy.sourceAddress === "edge") return clientAddress(policy, headers, null);
  const { cf } = request as { cf?: { clientIp?: string } };
  return clientAddress(policy, headers, cf?.clientIp ?? null);
}

/**
 * @param socketPeer the peer of the TCP connection, `address` or `address:port`; null when unknown
 * @returns the address in its textual form, or null
 */
export function clientAddress(
  policy: PeerPolicy,
  headers: Headers,
  socketPeer: string | null,
): string | null {
  const peer = socketPeer === null ? null : withoutPort(socketPeer);
  switch (policy.sourceAddress) {
    case "edge":
      return headers.get("cf-connecting-ip");
    case "socket":
      return peer;
    case "trusted-proxy": {
      if (peer === null || !isTrusted(policy, peer)) return peer;
      const hops = headers.get("x-forwarded-for")?.split(",") ?? [];
      return hops.at(-1)?.trim() || peer;
    }
  }
}

/** Compares addresses, not their texts: a dual-stack socket shows an IPv4 proxy as IPv4-mapped. */
function isTrusted({ trustedProxies }: PeerPolicy, peer: string): boolean {
  const at = parsePeer(peer)?.text;
  return at !== undefined && trustedProxies.some((proxy) => parsePeer(proxy)?.text === at);
}

function withoutPort(peer: string): string {
  if (peer.startsWith("[")) return peer.slice(1, peer.lastIndexOf("]"));
  const colon = peer.indexOf(":");
  return colon >= 0 && colon === peer.lastIndexOf(":") ? peer.slice(0, colon) : peer;
}
