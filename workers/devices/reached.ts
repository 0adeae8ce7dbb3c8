/** Telling every device that lets an account in as somebody: its own, and those it is a guest of. */

import { devicesReached } from "../../db/queries/devices.ts";
import type { DeviceStub } from "../../durable-objects/device/rpc.ts";
import { limits } from "../../protocol/limits.ts";
import type { Db, Ports } from "../ports.ts";
import { Problem } from "../problem.ts";

/**
 * Calls `tell` for each, several at a time; one that fails holds up no other.
 * @throws Problem `unavailable` when one failed; it may be asked again
 */
export async function atDevicesReached(
  ports: Ports,
  db: Db,
  accountId: string,
  tell: (device: DeviceStub) => Promise<void>,
): Promise<void> {
  const waiting = await devicesReached(db, accountId);
  let failed = false;
  const lane = async () => {
    for (let id = waiting.shift(); id !== undefined; id = waiting.shift()) {
      try {
        await tell(ports.devices.get(id));
      } catch {
        failed = true;
      }
    }
  };
  await Promise.all(Array.from({ length: limits.erasureObjectsAtOnce }, lane));
  if (failed) throw new Problem("unavailable");
}
