/** Devices as clients: the page a device serves at its own door signs its visitors in with Latchkey. */

import type { Ports } from "../ports.ts";
import type { Client } from "./clients.ts";

/** The client that a device is; null when it is none. */
export async function deviceClient(_ports: Ports, _deviceId: string): Promise<Client | null> {
  return null;
}
