/** Link at the edge: from a device's host name to its object, and the pages in between. */

import { peerHeader, wayHeader } from "../../durable-objects/device/rpc.ts";
import type { Ports } from "../ports.ts";
import { problemResponse } from "../problem.ts";

/** Answers a request to `<label>.<link zone>`; an unknown label creates no object. */
export async function link(
  request: Request,
  ports: Ports,
  label: string | null,
): Promise<Response> {
  const deviceId = label === null ? null : await ports.directory.deviceOfLabel(label);
  if (deviceId === null) return problemResponse("not-found");
  const headers = new Headers(request.headers);
  for (const name of [...headers.keys()]) if (name.startsWith("x-latchkey-")) headers.delete(name);
  headers.set(wayHeader, "door");
  if (ports.peer !== null) headers.set(peerHeader, ports.peer);
  return await ports.devices.get(deviceId).fetch(new Request(request, { headers }));
}
