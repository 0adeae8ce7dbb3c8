/**
 * The lamp of a device and the sentence beside it. All sentences stand in the page; `data-live` on an
 * ancestor shows one of them, so the browser can follow the live state without making words of its own.
 */

import type { DeviceDescription } from "../../durable-objects/device/rpc.ts";
import { Time } from "./time.tsx";

export function Light({ device, now }: { device: DeviceDescription; now: number }) {
  const since = device.connection?.since ?? now;
  return (
    <span class="light">
      <span class="lamp" aria-hidden="true" />
      <span>
        <span class="when when-online">
          Connected, came online <Time at={since} now={now} bind="since" />
        </span>
        <span class="when when-offline">
          Not connected, last seen <Time at={since} now={now} bind="since" />
        </span>
        <span class="when when-unseen">Not seen in the last 24 hours</span>
        <span class="when when-off">Everything is off, so nobody looks whether it is there</span>
      </span>
    </span>
  );
}
