/** What a device's light says. Pure. */

import type { DeviceDescription } from "../durable-objects/device/rpc.ts";

/**
 * - `off`: every feature is off, so nobody looks whether it is there (FEA-1)
 * - `unseen`: no connection on record: never, or more than 24 hours ago
 */
export type Live = "online" | "offline" | "unseen" | "off";

export function liveOf({ features, connection }: DeviceDescription): Live {
  if (!features.name && !features.link) return "off";
  if (connection === null) return "unseen";
  return connection.online ? "online" : "offline";
}

/** Everything that changes the page's shape; the live island compares it (islands/live.ts). */
export function settingsOf({ features, access, name }: DeviceDescription): string {
  const people = [...access.people].sort().join(",");
  return `${features.name} ${features.link} ${features.lan} ${access.mode} ${name?.tokens ?? 0} ${people}`;
}
