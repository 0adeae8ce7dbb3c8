/**
 * What the edge says of a request beside it, in headers that it sets over whatever a visitor wrote. Most
 * visitors' requests it passes on as they came, for a copy of a request costs more than all else that is
 * done at a door: then it says nothing, none of these headers counts, and the platform knows the client.
 */

import type { DeviceContext } from "./context.ts";
import { identityHeader, peerHeader, type Way, wayHeader } from "./rpc.ts";

type Platform = Pick<DeviceContext, "clientOf">;

/** By which way a request comes; what says nothing comes to the door. */
export function wayOf(request: Request): Way {
  return (request.headers.get(wayHeader) as Way | null) ?? "door";
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
