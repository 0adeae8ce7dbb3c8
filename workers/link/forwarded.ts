/**
 * A visitor's request on its way to the device's object: the edge says by which way it comes and from
 * whom, in headers that overwrite whatever the visitor claimed. The object tells the device
 * (durable-objects/device/link/heads.ts) and drops every other claim.
 */

import { identityHeader, peerHeader, wayHeader } from "../../durable-objects/device/rpc.ts";
import type { FrontPorts } from "../ports.ts";

/**
 * The request as the object gets it: as it came where the object needs no word of ours, for a copy
 * costs more than all else at the edge. Such a request must not speak in our name.
 * @param identity the statement of who comes; null where the device wants none
 */
export function onward(request: Request, ports: FrontPorts, identity: string | null): Request {
  const needsNoWord = ports.devices.knowClients === true && identity === null;
  if (needsNoWord && !request.headers.has(wayHeader)) return request;
  return forwarded(request, ports.peer, identity);
}

/**
 * @param peer the visitor's address; null when not known
 * @param identity the statement of who comes; null where the device wants none
 */
export function forwarded(
  request: Request,
  peer: string | null,
  identity: string | null = null,
): Request {
  // The visitor's browser follows the device's redirects; the edge never does.
  const onward = new Request(request, { redirect: "manual" });
  onward.headers.set(wayHeader, "door");
  if (peer === null) onward.headers.delete(peerHeader);
  else onward.headers.set(peerHeader, peer);
  if (identity === null) onward.headers.delete(identityHeader);
  else onward.headers.set(identityHeader, identity);
  return onward;
}
