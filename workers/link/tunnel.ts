/**
 * A tunnel at the edge: a visitor's program opens a WebSocket at a device's host, with an access token
 * that has the scope `devices:connect`. Here the token is checked; whether its owner may come is for
 * the device's object. What passes is between the visitor and the device alone (TLS 1.3).
 */

import { type DoorVerdict, doorHeader } from "../../durable-objects/device/door.ts";
import { peerHeader, tunnelHeaders, wayHeader } from "../../durable-objects/device/rpc.ts";
import { tunnelSubprotocol } from "../../protocol/tunnel.ts";
import { type CheckedPersonalToken, checkPersonalToken } from "../account/personal-tokens.ts";
import type { Ports } from "../ports.ts";
import { type ProblemCode, problemResponse } from "../problem.ts";

const problemOf: { readonly [verdict in DoorVerdict]?: ProblemCode } = {
  malformed: "bad-request",
  forbidden: "forbidden",
  unknown: "not-found",
  offline: "device-offline",
  busy: "device-busy",
};

/** Answers a request for a tunnel to a device. */
export async function tunnel(request: Request, ports: Ports, deviceId: string): Promise<Response> {
  const token = /^Bearer (lk_pat_\S+)$/i.exec(request.headers.get("authorization") ?? "")?.[1];
  const found = token === undefined ? null : await checkPersonalToken(ports, token);
  if (token === undefined || found === null) return problemResponse("not-signed-in");
  if (!found.scopes.includes("devices:connect")) return problemResponse("scope-missing");
  if (request.headers.get("upgrade")?.toLowerCase() !== "websocket") {
    return problemResponse("upgrade-required");
  }
  const offered = (request.headers.get("sec-websocket-protocol") ?? "").split(/\s*,\s*/);
  if (!offered.includes(tunnelSubprotocol)) return problemResponse("bad-request");
  const device = ports.devices.get(deviceId);
  const response = await device.fetch(onward(request, ports.peer, found));
  const verdict = response.headers.get(doorHeader) as DoorVerdict | null;
  if (verdict !== null) return problemResponse(problemOf[verdict] ?? "unavailable");
  // The token may have ended meanwhile, too late for its end to find this tunnel: nobody gets it.
  if ((await checkPersonalToken(ports, token)) === null) {
    await device.endToken(found.id);
    return problemResponse("not-signed-in");
  }
  return response;
}

/** The upgrade as the object gets it: what the handshake needs, and what we say of the visitor. */
function onward(request: Request, peer: string | null, token: CheckedPersonalToken): Request {
  const headers = new Headers();
  for (const [name, value] of request.headers) {
    const handshake =
      name === "upgrade" || name === "connection" || name.startsWith("sec-websocket-");
    if (handshake) headers.set(name, value);
  }
  headers.set(wayHeader, "tunnel");
  if (peer !== null) headers.set(peerHeader, peer);
  headers.set(tunnelHeaders.account, token.accountId);
  headers.set(tunnelHeaders.token, token.id);
  headers.set(tunnelHeaders.until, String(token.expiresAt));
  return new Request(request.url, { headers });
}
