/**
 * A tunnel at the edge: a visitor's program opens a WebSocket at a device's host, with an access token
 * that has the scope `devices:connect`. Here the token is checked; whether its owner may come is for
 * the device's object. What passes is between the visitor and the device alone (TLS 1.3).
 */

import { insertReach } from "../../db/queries/devices.ts";
import { type DoorVerdict, doorHeader } from "../../durable-objects/device/door.ts";
import { peerHeader, tunnelHeaders, wayHeader } from "../../durable-objects/device/rpc.ts";
import { limits } from "../../protocol/limits.ts";
import {
  tunnelAtHeader,
  tunnelIdHeader,
  tunnelStatuses,
  tunnelSubprotocol,
} from "../../protocol/tunnel.ts";
import { type CheckedPersonalToken, checkPersonalToken } from "../account/personal-tokens.ts";
import { isContactAt } from "../people/doors.ts";
import type { Ports } from "../ports.ts";
import { type ProblemCode, problemResponse } from "../problem.ts";

const problemOf: { readonly [verdict in DoorVerdict]?: ProblemCode } = {
  malformed: "bad-request",
  forbidden: "forbidden",
  unknown: "not-found",
  offline: "device-offline",
  busy: "device-busy",
  failed: "device-failed",
  timeout: "device-timeout",
  spent: "device-budget",
  "too-fast": "visitor-budget",
  upgrade: "upgrade-unsupported",
};

/** What the device says where it opens none, for a program: nothing of its own words passes. */
const problemOfStatus: { readonly [status: number]: ProblemCode } = {
  [tunnelStatuses.unreachable]: "service-unreachable",
  [tunnelStatuses.unknown]: "not-found",
  [tunnelStatuses.gone]: "tunnel-gone",
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
  const contact = await isContactAt(ports, deviceId, found.accountId);
  const until = contact ? await reachAsContact(ports, deviceId, found) : found.expiresAt;
  const response = await device.fetch(onward(request, ports.peer, { ...found, until, contact }));
  if (response.status !== 101) return refused(response);
  // The token may have ended meanwhile, too late for its end to find this tunnel: nobody gets it.
  if ((await checkPersonalToken(ports, token)) === null) {
    await device.endToken(found.id);
    return problemResponse("not-signed-in");
  }
  // So may the contact.
  if (contact && !(await isContactAt(ports, deviceId, found.accountId))) {
    await device.endContact(found.accountId);
    return problemResponse("forbidden");
  }
  return response;
}

/** A tunnel of a contact lasts as long as their visit would; the end of either account reaches it. */
async function reachAsContact(
  ports: Ports,
  deviceId: string,
  { accountId, expiresAt }: CheckedPersonalToken,
): Promise<number> {
  const until = Math.min(expiresAt, ports.clock.now() + limits.doorSessionMs);
  const theirs = ports.regions.db(accountId);
  if (theirs !== null) await insertReach(theirs, deviceId, accountId, until);
  return until;
}

/** Why there is no tunnel, in our words. */
function refused(response: Response): Response {
  const verdict = response.headers.get(doorHeader) as DoorVerdict | null;
  const code = verdict === null ? problemOfStatus[response.status] : problemOf[verdict];
  void response.body?.cancel();
  const problem = problemResponse(code ?? (verdict === null ? "device-failed" : "unavailable"));
  const after = response.headers.get("retry-after");
  if (verdict !== null && after !== null) problem.headers.set("retry-after", after);
  return problem;
}

interface TunnelVisitor extends CheckedPersonalToken {
  readonly until: number;
  readonly contact: boolean;
}

/** The upgrade as the object gets it: what the handshake needs, and what we say of the visitor. */
function onward(request: Request, peer: string | null, visitor: TunnelVisitor): Request {
  const headers = new Headers();
  for (const [name, value] of request.headers) {
    const handshake =
      name === "upgrade" || name === "connection" || name.startsWith("sec-websocket-");
    const ours = name === tunnelIdHeader || name === tunnelAtHeader;
    if (handshake || ours) headers.set(name, value);
  }
  headers.set(wayHeader, "tunnel");
  if (peer !== null) headers.set(peerHeader, peer);
  headers.set(tunnelHeaders.account, visitor.accountId);
  headers.set(tunnelHeaders.token, visitor.id);
  headers.set(tunnelHeaders.until, String(visitor.until));
  if (visitor.contact) headers.set(tunnelHeaders.contact, "yes");
  return new Request(request.url, { headers });
}
