/**
 * Tunnels: visitors' WebSockets that lead to a TCP service of the device. What passes is TLS between the
 * two ends; the object carries it like any WebSocket (passage.ts), through its sleep too, and watches the
 * credits of both (watch.ts).
 *
 * Who may come is asked when a tunnel opens and whenever a right changes; a tunnel whose right ended is
 * closed at once.
 */

import { limits } from "../../../protocol/limits.ts";
import type { HeaderList, OpenHead } from "../../../protocol/link/headers.ts";
import {
  isTcpService,
  isTunnelId,
  readPosition,
  tunnelAtHeader,
  tunnelIdHeader,
  tunnelSubprotocol,
} from "../../../protocol/tunnel.ts";
import { tunnelHeaders } from "../rpc.ts";

/** Who comes, as the edge found out. */
export interface TunnelVisitor {
  readonly account: string;
  /** The access token's identifier: its end is the end of the tunnel. */
  readonly token: string;
  readonly service: string;
  /** When the token ends by itself, ms since the epoch. */
  readonly until: number;
  /** An accepted contact of the owner when they came. */
  readonly contact: boolean;
}

/** With what the pass of a tunnel begins: no rule and no share is called so. */
const TUNNEL = "tunnel";

/** A tunnel's pass, beside those of `Access`: a text that says by what and as whom. */
export function tunnelPass({ account, token, service, until, contact }: TunnelVisitor): string {
  return `${[TUNNEL, service, token, until, contact ? "contact" : ""].join(",")}|${account}`;
}

/** Reads what `tunnelPass` wrote; null for another pass. */
export function tunnelOf(pass: string | null): TunnelVisitor | null {
  if (pass === null || !pass.startsWith(`${TUNNEL},`)) return null;
  const [by = "", account = ""] = pass.split("|");
  const [, service = "", token = "", until, contact] = by.split(",");
  return { account, token, service, until: Number(until), contact: contact === "contact" };
}

/** Reads what the edge says of a visitor; null when it is not whole, or its time is over. */
export function tunnelVisitor(request: Request, now: number): TunnelVisitor | null {
  const account = request.headers.get(tunnelHeaders.account) ?? "";
  const token = request.headers.get(tunnelHeaders.token) ?? "";
  const until = Number(request.headers.get(tunnelHeaders.until));
  const service = new URL(request.url).searchParams.get("service") ?? "";
  if (account === "" || token === "" || !(until > now) || !isTcpService(service)) return null;
  const contact = request.headers.get(tunnelHeaders.contact) === "yes";
  return { account, token, service, until, contact };
}

/**
 * What the device gets instead of a page's head: the service, the tunnel's name and, where it goes on,
 * how far its visitor got. Nothing else of the visitor.
 */
export function tunnelHead(request: Request, service: string): OpenHead | "malformed" {
  const id = request.headers.get(tunnelIdHeader) ?? "";
  const at = request.headers.get(tunnelAtHeader);
  if (!isTunnelId(id) || (at !== null && readPosition(at) === null)) return "malformed";
  const headers: HeaderList = [
    ["sec-websocket-protocol", tunnelSubprotocol],
    [tunnelIdHeader, id],
  ];
  if (at !== null) headers.push([tunnelAtHeader, at]);
  return { service, method: "GET", path: "/", headers, upgrade: "websocket" };
}

/** True while a device, or one account at it, has as many tunnels as may be. */
export function tooManyTunnels(tunnels: readonly TunnelVisitor[], account: string): boolean {
  const own = tunnels.filter((tunnel) => tunnel.account === account);
  return tunnels.length >= limits.tunnelsPerDevice || own.length >= limits.tunnelsPerVisitor;
}
