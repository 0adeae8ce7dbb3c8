/**
 * Devices as clients: the page a device serves at its own door signs its visitors in with Latchkey. The
 * client is there as long as the device is; its hosts are the device's own, and it may ask for no more
 * than who somebody is.
 */

import { ownerOf } from "../../db/queries/devices.ts";
import { deviceAddresses } from "../devices/openid.ts";
import type { Ports } from "../ports.ts";
import type { Client } from "./clients.ts";
import { scopes } from "./scopes.ts";

/** The client that a device is; null when there is no such device. An unknown id wakes no object. */
export async function deviceClient(ports: Ports, deviceId: string): Promise<Client | null> {
  const db = ports.regions.db(deviceId);
  if (db === null || (await ownerOf(db, deviceId)) === null) return null;
  const device = await ports.devices.get(deviceId).openid();
  if (device === null) return null;
  const key = { kty: "OKP", crv: "Ed25519", x: device.publicKey, alg: "EdDSA", use: "sig" };
  return {
    id: deviceId,
    name: device.label,
    kind: "device",
    ...deviceAddresses(ports.config, device),
    auth:
      device.auth === "none" ? { method: "none" } : { method: device.auth, jwks: { keys: [key] } },
    scopes,
    idTokenAlg: "RS256",
    deviceGrant: false,
  };
}
