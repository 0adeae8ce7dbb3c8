/**
 * What the edge says of a request beside it, in headers that it sets over whatever a visitor wrote. Most
 * visitors' requests it passes on as they came, for a copy of a request costs more than all else that is
 * done at a door: then it says nothing, none of these headers counts, and the platform knows the client.
 */

import { isWithin, placeOf } from "../../protocol/place.ts";
import type { DeviceContext } from "./context.ts";
import { updatePaths } from "./dyndns2.ts";
import { identityHeader, peerHeader, type Way, wayHeader } from "./rpc.ts";

type Platform = Pick<DeviceContext, "clientOf" | "linkZone">;

/** By which way a request comes; what says nothing comes to the door, or by dyndns2 from elsewhere. */
export function wayOf(request: Request, platform: Platform): Way {
  const said = request.headers.get(wayHeader) as Way | null;
  return said ?? (isUpdate(request.url, platform) ? "update" : "door");
}

/** True for an update at a host that is no door: what a visitor asks of a device is the device's. */
function isUpdate(url: string, { linkZone }: Platform): boolean {
  if (linkZone === undefined || !url.includes("/update")) return false;
  const place = placeOf(url);
  return place !== null && updatePaths.includes(place.path) && !isWithin(place.host, linkZone);
}

/** The address of who asks; null where nobody knows it. */
export function peerOf(request: Request, platform: Platform): string | null {
  if (passedOn(request, platform)) return platform.clientOf?.(request) ?? null;
  return request.headers.get(peerHeader);
}

/** The statement of who comes; null where there is none. */
export function identitySaid(request: Request, platform: Platform): string | null {
  return passedOn(request, platform) ? null : request.headers.get(identityHeader);
}

function passedOn(request: Request, { clientOf }: Platform): boolean {
  return clientOf !== undefined && !request.headers.has(wayHeader);
}
