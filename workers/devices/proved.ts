/** A device that proves itself with an assertion of its key, in the body of a request. */

import { ownerOf } from "../../db/queries/devices.ts";
import type { DeviceStub, OpenidDevice } from "../../durable-objects/device/rpc.ts";
import { claimedSubject, verifyAssertion } from "../../protocol/assertion.ts";
import { isId } from "../../protocol/ids.ts";
import type { Ports } from "../ports.ts";
import { Problem } from "../problem.ts";

export interface ProvedDevice {
  readonly id: string;
  readonly accountId: string;
  readonly object: DeviceStub;
  readonly device: OpenidDevice;
}

/** Whose assertion it is. @throws Problem `not-signed-in` for a wrong proof, `device-gone` */
export async function provedDevice(ports: Ports, assertion: string): Promise<ProvedDevice> {
  const id = claimedSubject(assertion);
  if (!isId("dev", id)) throw new Problem("not-signed-in");
  const db = ports.regions.db(id);
  const accountId = db === null ? null : await ownerOf(db, id);
  if (accountId === null) throw new Problem("device-gone");
  const object = ports.devices.get(id);
  const device = await object.openid();
  if (device === null) throw new Problem("device-gone");
  const { origin } = ports.config;
  const proof = await verifyAssertion(device.publicKey, assertion, origin, ports.clock.now());
  if (proof?.deviceId !== id) throw new Problem("not-signed-in");
  return { id, accountId, object, device };
}
