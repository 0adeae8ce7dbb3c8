/** One device: the path, then name, door, who may come in, and the way out. */

import { Connections } from "../components/connections.tsx";
import { Command, Done, ErrorSummary, Notice } from "../components/form.tsx";
import { Icon } from "../components/icons.tsx";
import { Light } from "../components/light.tsx";
import { Time } from "../components/time.tsx";
import { liveOf, settingsOf } from "../live.ts";
import { Path } from "../pictures/path.tsx";
import { Traffic } from "../pictures/traffic.tsx";
import { sayDay } from "../words.ts";
import { runCommand } from "./commands.ts";
import { AccessSubject } from "./device-access.tsx";
import { ClosedNotice } from "./device-closed.tsx";
import { NameSubject } from "./device-name.tsx";
import { ReachabilitySubject } from "./device-reachability.tsx";
import { ServicesSubject } from "./device-services.tsx";
import { ShortcutSubject } from "./device-shortcut.tsx";
import { type DeviceProps, FeatureSwitch } from "./device-subject.tsx";

export function DevicePage(props: DeviceProps) {
  const { device, done, now, errors } = props;
  return (
    <div data-device={device.id} data-live={liveOf(device)} data-settings={settingsOf(device)}>
      <p class="hidden-text" role="status" data-announce />
      <Done text={done} />
      <div data-changed hidden>
        <Notice tone="brass" class="page-notice">
          <p>
            This device was changed from another place.{" "}
            <a href={`/devices/${device.id}`}>Show it as it is now</a>
          </p>
        </Notice>
      </div>
      <ClosedNotice device={device} />
      <ErrorSummary errors={errors} />
      <header class="page-head">
        <div>
          <a class="crumb" href="/devices">
            Your devices
          </a>
          <h1>{device.label}</h1>
          <p class="lead">
            <Light device={device} now={now} />
          </p>
        </div>
        {device.features.link && (
          <a class="button" href={props.door} data-command={`Open the door of ${device.label}`}>
            <Icon name="door" />
            Open the door
          </a>
        )}
      </header>
      <Path device={device} reach={props.reach} />
      <DoorSubject {...props} />
      <AccessSubject {...props} />
      <ServicesSubject {...props} />
      <ShortcutSubject {...props} />
      <NameSubject {...props} />
      {device.connection !== null && <ReachabilitySubject {...props} />}
      <ConnectionSubject {...props} />
      {device.features.link && <TrafficSubject {...props} />}
      <LeaveSubject {...props} />
    </div>
  );
}

function DoorSubject({ device, door }: DeviceProps) {
  const on = device.features.link;
  return (
    <section class="subject" aria-labelledby="door">
      <header>
        <h2 id="door">The door</h2>
        <p>Its own page, in any browser, through our relay.</p>
      </header>
      <div class="subject-body">
        <FeatureSwitch device={device} feature="link" label="The door" />
        {on ? (
          <>
            <dl class="facts">
              <dt>Address</dt>
              <dd>
                <a class="mono" href={door}>
                  {door}
                </a>
              </dd>
            </dl>
            <p class="aside">
              What passes through is never stored. Switching it off ends every visit and deletes who
              was let in at the door.
            </p>
          </>
        ) : (
          <>
            <p>
              Switched on, people you let in can open the page that the box serves. We then hold who
              is at the door, for 12 hours at most, and where the box is connected from. What passes
              through is never stored.
            </p>
            <p class="aside">The box must be running the agent:</p>
            <Command text={runCommand} label="the command that runs the agent" />
          </>
        )}
      </div>
    </section>
  );
}

function ConnectionSubject({ device, now }: DeviceProps) {
  const { connection } = device;
  const off = liveOf(device) === "off";
  return (
    <section class="subject" aria-labelledby="connection">
      <header>
        <h2 id="connection">Its connection</h2>
        <p>
          The one it has now. Gone 24 hours after the box goes offline; earlier ones are never kept.
        </p>
      </header>
      <div class="subject-body">
        {off ? (
          <p class="aside">Nothing is on record while every feature is off.</p>
        ) : (
          <>
            <dl class="facts">
              <dt>Address</dt>
              <dd class="mono" data-bind="address" data-none="not on record">
                {connection?.address ?? "not on record"}
              </dd>
              <dt>Agent</dt>
              <dd data-bind="agent" data-none="not on record">
                {connection?.agent || "not on record"}
              </dd>
              <dt>
                <span class="when when-online">Connected</span>
                <span class="when when-offline when-unseen">Last seen</span>
              </dt>
              <dd>
                <span class="when when-online when-offline">
                  <Time at={connection?.since ?? now} now={now} bind="since" />
                </span>
                <span class="when when-unseen">more than 24 hours ago, or never</span>
              </dd>
            </dl>
            <Connections device={device} now={now} />
          </>
        )}
      </div>
    </section>
  );
}

function TrafficSubject({ device, now }: DeviceProps) {
  return (
    <section class="subject" aria-labelledby="traffic">
      <header>
        <h2 id="traffic">What passed the door</h2>
        <p>Counts of the last 24 hours, sealed. Not what was asked for, and not by whom.</p>
      </header>
      <div class="subject-body">
        <Traffic device={device} now={now} />
      </div>
    </section>
  );
}

function LeaveSubject({ device, now }: DeviceProps) {
  return (
    <section class="subject" aria-labelledby="leave">
      <header>
        <h2 id="leave">Unregister</h2>
        <p>
          With you since {sayDay(device.createdAt)}
          {device.createdAt > now ? "" : "."}
        </p>
      </header>
      <div class="subject-body">
        <p>
          Drops everything we hold about this device, all at once. What is on the box itself stays
          on the box.
        </p>
        <a class="button danger plain" href={`/devices/${device.id}/unregister`}>
          <Icon name="trash" />
          Unregister this device
        </a>
      </div>
    </section>
  );
}
