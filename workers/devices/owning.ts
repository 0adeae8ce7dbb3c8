/** A device comes to its owner and leaves again: the act, its line in the activity log, the notice. */

import type { DeviceDescription } from "../../durable-objects/device/rpc.ts";
import { note } from "../account/activity.ts";
import { notice } from "../account/notices.ts";
import type { Ports } from "../ports.ts";
import type { Client } from "../sign-in/client.ts";
import { ownDevice, unregisterDevice } from "./devices.ts";
import { approveEnrolment } from "./enrolments.ts";

/** @throws Problem as `approveEnrolment` */
export async function addDevice(
  ports: Ports,
  accountId: string,
  request: { readonly userCode: string; readonly label: string },
  client: Client,
): Promise<DeviceDescription> {
  const device = await approveEnrolment(ports, accountId, request);
  await note(ports, accountId, "device-added", { client, about: device.label });
  // NOT-1: whoever has somebody's session must not add a device behind their back.
  notice(ports, accountId, "device-added", { client, about: device.label });
  return device;
}

/** @throws Problem `not-found`, and as `unregisterDevice` */
export async function removeDevice(
  ports: Ports,
  accountId: string,
  deviceId: string,
  client: Client,
): Promise<void> {
  // Null where an end broke off: asking again finishes it.
  const device = await (await ownDevice(ports, accountId, deviceId)).describe();
  await unregisterDevice(ports, accountId, deviceId, accountId);
  const about = device === null ? {} : { about: device.label };
  await note(ports, accountId, "device-removed", { client, ...about });
}
