/** What the subjects of a device's page share: their data and the switch of a feature. */

import type { DeviceDescription, FeatureName } from "../../durable-objects/device/rpc.ts";
import type { Reach } from "../../protocol/reach.ts";
import type { FormErrors } from "../components/form.tsx";
import type { Found } from "./device-reachability.tsx";

export interface DeviceProps {
  readonly device: DeviceDescription;
  readonly origin: string;
  /** The origin of its door. */
  readonly door: string;
  /** Its name in DNS. */
  readonly host: string;
  readonly now: number;
  /** What the box says of its ways; null while the shortcut is off or nothing is on record. */
  readonly reach: Reach | null;
  readonly done: string | null;
  readonly typed?: { readonly person: string } | undefined;
  readonly errors?: FormErrors | undefined;
  /** A port that was tried just now. */
  readonly found?: Found | undefined;
}

interface SwitchProps {
  readonly device: DeviceDescription;
  readonly feature: FeatureName;
  /** As its subject's heading is called. */
  readonly label: string;
}

/** A feature within a sentence. */
export const featureWords: Readonly<Record<FeatureName, string>> = {
  name: "the name",
  link: "the door",
  lan: "the shortcut",
};

/** Switching on happens at once; switching off deletes, so it asks on a page of its own. */
export function FeatureSwitch({ device, feature, label }: SwitchProps) {
  const on = device.features[feature];
  const path = `/devices/${device.id}/features/${feature}`;
  return (
    <form method={on ? "get" : "post"} action={on ? `${path}/off` : path}>
      <button
        class="switch"
        type="submit"
        role="switch"
        aria-checked={on ? "true" : "false"}
        aria-label={label}
        data-command={`Switch ${featureWords[feature]} ${on ? "off" : "on"}`}
      >
        <span class="switch-track" aria-hidden="true" />
        <span aria-hidden="true">{on ? "On" : "Off"}</span>
      </button>
    </form>
  );
}
