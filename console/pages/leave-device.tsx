/** Before a feature is switched off or a device unregistered: what will be gone. */

import type { DeviceDescription, FeatureName } from "../../durable-objects/device/rpc.ts";
import { limits } from "../../protocol/limits.ts";
import { count } from "../words.ts";
import { ConfirmPage, type Going } from "./confirm.tsx";
import { copiesOf } from "./copies.ts";
import { featureWords } from "./device-subject.tsx";

interface DeviceProps {
  readonly device: DeviceDescription;
  readonly host: string;
}

const DAY_MS = 24 * 60 * 60 * 1000;

function doorGoing(): Going[] {
  return [
    {
      what: "Every visit at the door",
      when: "Ends at once; who was let in is deleted. What passed through was never stored.",
    },
  ];
}

function nameGoing({ device, host }: DeviceProps): Going[] {
  const tokens = device.name?.tokens ?? 0;
  return [
    {
      what: `What ${host} answers with`,
      when: `At once here; other resolvers may remember it for ${limits.addressTtlSeconds} seconds. ${copiesOf("name record")}`,
    },
    ...(tokens > 0
      ? [
          {
            what: tokens === 1 ? "Its password" : `Its ${tokens} passwords`,
            when: "At once. Routers and programs that use one are refused.",
          },
        ]
      : []),
  ];
}

function shortcutGoing(): Going {
  return { what: "Where the box is at home", when: `At once. ${copiesOf("ways at home")}` };
}

function connectionGoing(): Going {
  return { what: "Its connection record", when: `At once. ${copiesOf("connection record")}` };
}

function goingOf(feature: FeatureName, props: DeviceProps): Going[] {
  switch (feature) {
    case "link":
      return doorGoing();
    case "name":
      return nameGoing(props);
    case "lan":
      return [shortcutGoing()];
  }
}

function stayingOf(feature: FeatureName, host: string): string {
  switch (feature) {
    case "link":
      return "Who may come in, as you set it. It counts again when the door is back.";
    case "name":
      return `The name itself: ${host} stays yours as long as the device does.`;
    case "lan":
      return "The door: its smart link leads through the relay again.";
  }
}

export function SwitchOffPage(props: DeviceProps & { readonly feature: FeatureName }) {
  const { device, feature } = props;
  const path = `/devices/${device.id}`;
  const last = feature !== "lan" && !device.features[feature === "link" ? "name" : "link"];
  const going = goingOf(feature, props);
  const what = featureWords[feature];
  return (
    <ConfirmPage
      title={`Switch off ${what} of ${device.label}?`}
      lead="You can switch it on again at any time; it starts empty."
      going={last ? [...going, connectionGoing()] : going}
      staying={[stayingOf(feature, props.host)]}
      action={`${path}/features/${feature}/off`}
      button={`Switch off ${what}`}
      back={{ href: path, label: device.label }}
    />
  );
}

const words = (labels: readonly string[]) =>
  labels.length === 1 ? `the word “${labels[0]}”` : "each of its names";

export function UnregisterPage(props: DeviceProps) {
  const { device } = props;
  const { features, access } = device;
  const listed = access.people.length;
  const path = `/devices/${device.id}`;
  return (
    <ConfirmPage
      title={`Unregister ${device.label}?`}
      lead="The box is cut off at once and must be enrolled again to come back."
      going={[
        {
          what: "The device: its key, its name, its switches",
          when: `At once. ${copiesOf("device")}`,
        },
        ...(features.link ? doorGoing() : []),
        ...(features.name ? nameGoing(props) : []),
        ...(features.lan ? [shortcutGoing()] : []),
        ...(features.link || features.name ? [connectionGoing()] : []),
        ...(listed > 0
          ? [{ what: `Your list of ${count(listed, "person", "people")}`, when: "At once." }]
          : []),
      ]}
      staying={[
        "Everything on the box. We never had it.",
        `A keyed hash of ${words(device.labels)}, for ${limits.heldLabelMs / DAY_MS} days, so that nobody else takes over a name people still trust. You can take it back in that time.`,
      ]}
      action={`${path}/unregister`}
      button={`Unregister ${device.label}`}
      back={{ href: path, label: device.label }}
    />
  );
}
