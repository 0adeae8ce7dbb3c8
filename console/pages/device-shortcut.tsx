/** A device's shortcut: its smart link, where the box says it is, and the switch that is off at first. */

import type { Reach } from "../../protocol/reach.ts";
import { Command } from "../components/form.tsx";
import { Icon } from "../components/icons.tsx";
import { shortcutCommand } from "./commands.ts";
import { type DeviceProps, FeatureSwitch } from "./device-subject.tsx";

export function ShortcutSubject(props: DeviceProps) {
  const { device, origin, host, reach } = props;
  const on = device.features.lan;
  return (
    <section class="subject" aria-labelledby="shortcut">
      <header>
        <h2 id="shortcut">The shortcut</h2>
        <p>One address that takes the nearest way: home network, direct, relay.</p>
      </header>
      <div class="subject-body">
        <FeatureSwitch device={device} feature="lan" label="The shortcut" />
        {on ? (
          <>
            <dl class="facts">
              <dt>Smart link</dt>
              <dd class="mono">
                {origin}/{device.label}
              </dd>
              <dt>At home</dt>
              <dd class="mono">{homeOf(reach)}</dd>
              <dt>Direct</dt>
              <dd class="mono">
                {reach?.direct ? `${host}:${reach.direct.page}` : "the box says none"}
              </dd>
            </dl>
            <p class="aside">
              Only you and people you let in by name learn of this. Their browser is sent to the box
              only after the box has proved there that it is yours.
            </p>
            {device.features.link ? (
              <p>
                <a class="button plain" href={`/${device.label}?stay`}>
                  <Icon name="house" />
                  See which way you get
                </a>
              </p>
            ) : (
              <p class="aside">The smart link leads nowhere while the door is off.</p>
            )}
            {reach === null && <HowTo origin={origin} />}
          </>
        ) : (
          <>
            <p>
              Switched on, your browser at home goes straight to the box, at the speed of your own
              network. We then hold the box’s addresses in your home network while it is connected,
              and 24 hours after. It opens nothing that was not open at home before.
            </p>
            <HowTo origin={origin} />
          </>
        )}
      </div>
    </section>
  );
}

function HowTo({ origin }: { origin: string }) {
  return (
    <>
      <p class="aside">The box must say where its page is:</p>
      <Command text={shortcutCommand(origin)} label="the command that offers the shortcut" />
    </>
  );
}

function homeOf(reach: Reach | null): string {
  if (reach === null || reach.home.length === 0) return "the box says none";
  return reach.home.map(({ page }) => page).join(", ");
}
