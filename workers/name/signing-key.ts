/** The key with which programs of a device's owner sign DNS updates (RFC 2136, docs/name.md). */

import type { SigningKeyState } from "../../durable-objects/device/signing-rpc.ts";
import { note } from "../account/activity.ts";
import { getDevice, ownDevice } from "../devices/devices.ts";
import type { Ports } from "../ports.ts";
import { Problem } from "../problem.ts";
import type { Client } from "../sign-in/client.ts";

/** As nsupdate and `key` clauses take it. */
export interface SigningKeyShown {
  /** The key's name, which is the host's own. */
  readonly name: string;
  /** Base64. */
  readonly secret: string;
}

/** What is known of the key; null: there is none. @throws Problem `not-found` */
export async function signingKeyState(
  ports: Ports,
  accountId: string,
  deviceId: string,
): Promise<SigningKeyState | null> {
  const object = await ownDevice(ports, accountId, deviceId);
  return await object.signingKeyState();
}

/** Makes the key, which is shown once; an older one ends. @throws Problem `not-found`, `feature-off` */
export async function makeSigningKey(
  ports: Ports,
  accountId: string,
  deviceId: string,
  client: Client,
): Promise<SigningKeyShown> {
  const { label } = await getDevice(ports, accountId, deviceId);
  const secret = await ports.devices.get(deviceId).makeSigningKey();
  if (secret === null) throw new Problem("feature-off");
  await note(ports, accountId, "signing-key-made", { client, about: label });
  return { name: `${label}.${ports.config.ddnsZone}`, secret };
}

/** Ends the key at once. Idempotent. @throws Problem `not-found` */
export async function endSigningKey(
  ports: Ports,
  accountId: string,
  deviceId: string,
  client: Client,
): Promise<void> {
  const { label } = await getDevice(ports, accountId, deviceId);
  if (!(await ports.devices.get(deviceId).endSigningKey())) return;
  await note(ports, accountId, "signing-key-ended", { client, about: label });
}
