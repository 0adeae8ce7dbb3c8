/** The client's address, read from where the operator's policy says and from nowhere else. */

import { parsePeer } from "../protocol/addresses.ts";
import type { Config } from "./config.ts";

/**
 * @param socketPeer the peer of the TCP connection, `address` or `address:port`; null when unknown
 * @returns the address in its textual form, or null
 */
export function clientAddress(
  config: Config,
  headers: Headers,
  socketPeer: string | null,
): string | null {
  const peer = socketPeer === null ? null : withoutPort(socketPeer);
  switch (config.sourceAddress) {
    case "edge":
      return headers.get("cf-connecting-ip");
    case "socket":
      return peer;
    case "trusted-proxy": {
      if (peer === null || !isTrusted(config, peer)) return peer;
      const hops = headers.get("x-forwarded-for")?.split(",") ?? [];
      return hops.at(-1)?.trim() || peer;
    }
  }
}

/** Compares addresses, not their texts: a dual-stack socket shows an IPv4 proxy as IPv4-mapped. */
function isTrusted({ trustedProxies }: Config, peer: string): boolean {
  const at = parsePeer(peer)?.text;
  return at !== undefined && trustedProxies.some((proxy) => parsePeer(proxy)?.text === at);
}

function withoutPort(peer: string): string {
  const bracketed = /^\[(.+)\](?::\d+)?$/.exec(peer);
  if (bracketed !== null) return bracketed[1] as string;
  return peer.split(":").length === 2 ? (peer.split(":")[0] as string) : peer;
}
