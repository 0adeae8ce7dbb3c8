/** One device: the path, then name, door, who may come in, and the way out. */

import type { AccessMode, DeviceDescription } from "../../durable-objects/device/rpc.ts";
import { Command, ErrorSummary, Field, type FormErrors, Notice } from "../components/form.tsx";
import { Icon } from "../components/icons.tsx";
import { Light } from "../components/light.tsx";
import { Time } from "../components/time.tsx";
import { liveOf } from "../live.ts";
import { Path } from "../pictures/path.tsx";
import { sayDay } from "../words.ts";
import { ddclientConfiguration, runCommand } from "./commands.ts";

export interface DeviceProps {
  readonly device: DeviceDescription;
  readonly origin: string;
  /** The origin of its door. */
  readonly door: string;
  /** Its name in DNS. */
  readonly host: string;
  readonly now: number;
  readonly done: string | null;
  /** An update password just made: shown this once. */
  readonly secret?: string;
  readonly typed?: { readonly person: string };
  readonly errors?: FormErrors;
}

export function DevicePage(props: DeviceProps) {
  const { device, done, now, errors } = props;
  return (
    <div data-device={device.id} data-live={liveOf(device)} data-settings={settingsOf(device)}>
      <p class="hidden-text" role="status" data-announce />
      {done !== null && (
        <Notice tone="good" class="page-notice">
          <p>{done}</p>
        </Notice>
      )}
      <div data-changed hidden>
        <Notice tone="brass" class="page-notice">
          <p>
            This device was changed from another place.{" "}
            <a href={`/devices/${device.id}`}>Show it as it is now</a>
          </p>
        </Notice>
      </div>
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
      <Path device={device} />
      <DoorSubject {...props} />
      <AccessSubject {...props} />
      <NameSubject {...props} />
      <ConnectionSubject {...props} />
      <LeaveSubject {...props} />
    </div>
  );
}

/** Everything that changes the page's shape; the live island compares it (islands/live.ts). */
function settingsOf({ features, access, name }: DeviceDescription): string {
  const people = [...access.people].sort().join(",");
  return `${features.name} ${features.link} ${access.mode} ${name?.hasUpdateSecret === true} ${people}`;
}

interface SwitchProps {
  readonly device: DeviceDescription;
  readonly feature: "name" | "link";
  /** As its subject's heading is called. */
  readonly label: string;
}

/** Switching on happens at once; switching off deletes, so it asks on a page of its own. */
function FeatureSwitch({ device, feature, label }: SwitchProps) {
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
        data-command={`Switch ${feature === "link" ? "the door" : "the name"} ${on ? "off" : "on"}`}
      >
        <span class="switch-track" aria-hidden="true" />
        <span aria-hidden="true">{on ? "On" : "Off"}</span>
      </button>
    </form>
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

const modes: readonly { mode: AccessMode; title: string; means: string }[] = [
  {
    mode: "owner",
    title: "Only me",
    means: "Others are asked to sign in, and then told that they may not come in.",
  },
  {
    mode: "listed",
    title: "People I list",
    means:
      "They sign in with their own Latchkey account. They can open the page; they change nothing here.",
  },
  {
    mode: "everyone",
    title: "Everyone",
    means:
      "Anyone who has the address sees the page, without signing in. Choose it only if the page asks for a password itself, or is meant for the world.",
  },
];

function AccessSubject({ device, typed, errors }: DeviceProps) {
  const { mode: chosen, people } = device.access;
  return (
    <section class="subject" aria-labelledby="access">
      <header>
        <h2 id="access">Who may come in</h2>
        <p>It holds at once: who may no longer come in is out of the door with the next click.</p>
      </header>
      <div class="subject-body">
        <form class="form" method="post" action={`/devices/${device.id}/access`}>
          <fieldset class="choices" aria-labelledby="access">
            {modes.map(({ mode, title, means }) => (
              <label class="choice">
                <input type="radio" name="mode" value={mode} checked={mode === chosen} />
                <span>
                  <b>{title}</b>
                  <small>{means}</small>
                </span>
              </label>
            ))}
          </fieldset>
          <p>
            <button class="button plain" type="submit">
              Save who may come in
            </button>
          </p>
        </form>
        {(chosen === "listed" || people.length > 0) && (
          <People device={device} typed={typed} errors={errors} />
        )}
      </div>
    </section>
  );
}

function People({
  device,
  typed,
  errors,
}: Pick<DeviceProps, "device"> & {
  typed: DeviceProps["typed"];
  errors: FormErrors | undefined;
}) {
  const path = `/devices/${device.id}/people`;
  const { mode, people } = device.access;
  return (
    <div class="stack people">
      <h3>People on the list</h3>
      {mode !== "listed" && (
        <p class="aside">The list is kept, but it counts only with “People I list”.</p>
      )}
      {people.length === 0 ? (
        <p class="aside">
          Nobody yet. Ask for their Latchkey ID; it stands on their account page and says nothing
          about them.
        </p>
      ) : (
        <ul class="rows">
          {people.map((person) => (
            <li>
              <div>
                <code>{person}</code>
              </div>
              <form method="post" action={`${path}/remove`}>
                <input type="hidden" name="person" value={person} />
                <button class="button plain small" type="submit">
                  Take off the list<span class="hidden-text"> {person}</span>
                </button>
              </form>
            </li>
          ))}
        </ul>
      )}
      <form class="form" method="post" action={path} novalidate>
        <Field
          name="person"
          label="Latchkey ID"
          class="mono"
          value={typed?.person}
          autocomplete="off"
          spellcheck={false}
          hint="It looks like acc_home_ and sixteen letters or digits."
          errors={errors}
        />
        <p>
          <button class="button plain" type="submit">
            <Icon name="plus" />
            Put on the list
          </button>
        </p>
      </form>
    </div>
  );
}

function NameSubject(props: DeviceProps) {
  const { device, host, now, secret } = props;
  const { name } = device;
  return (
    <section class="subject" aria-labelledby="name">
      <header>
        <h2 id="name">The name</h2>
        <p>A name in DNS that follows your home’s public address.</p>
      </header>
      <div class="subject-body">
        <FeatureSwitch device={device} feature="name" label="The name" />
        {name === null ? (
          <p>
            Switched on, <code class="strong">{host}</code> answers with the address that the box is
            connected from. We then hold that address and everyone can look it up: a public name is
            public. Earlier addresses are never kept.
          </p>
        ) : (
          <>
            <dl class="facts">
              <dt>Name</dt>
              <dd class="mono">{host}</dd>
              <dt>IPv4</dt>
              <dd class="mono" data-bind="ipv4" data-none="none">
                {name.ipv4 ?? "none"}
              </dd>
              <dt>IPv6</dt>
              <dd class="mono" data-bind="ipv6" data-none="none">
                {name.ipv6 ?? "none"}
              </dd>
              <dt>Changed</dt>
              <dd>{name.changedAt === null ? "never" : <Time at={name.changedAt} now={now} />}</dd>
            </dl>
            <p class="aside">
              Switching it off deletes the addresses and the update password. The name stays yours.
            </p>
            {secret === undefined ? (
              <UpdatePassword device={device} />
            ) : (
              <NewSecret secret={secret} host={host} origin={props.origin} />
            )}
          </>
        )}
      </div>
    </section>
  );
}

function UpdatePassword({ device }: { device: DeviceDescription }) {
  const has = device.name?.hasUpdateSecret === true;
  const action = `/devices/${device.id}/update-secret`;
  const words = has ? "Make a new update password" : "Make an update password";
  return (
    <div class="stack" id="update">
      <h3>Updates from a router</h3>
      <p class="aside">
        A box that runs the agent needs none of this. A router or ddclient can keep the name up to
        date with a password that is good for this one name and nothing else.
        {has && " There is one; we hold a hash of it and cannot show it again."}
      </p>
      {has ? (
        <details class="ask">
          <summary class="button plain">{words}</summary>
          <form class="ask-body" method="post" action={action}>
            <p>The old one stops working at once, on every router that uses it.</p>
            <button class="button danger" type="submit">
              Replace the old one
            </button>
          </form>
        </details>
      ) : (
        <form method="post" action={action}>
          <button class="button plain" type="submit">
            <Icon name="key" />
            {words}
          </button>
        </form>
      )}
    </div>
  );
}

function NewSecret({ secret, host, origin }: { secret: string; host: string; origin: string }) {
  return (
    <div class="secret" id="update">
      <div>
        <h3>Your new update password</h3>
        <p>We show it this once and keep only a hash. Copy it now; if it is lost, make another.</p>
      </div>
      <Command text={secret} label="the update password" />
      <p>
        For ddclient, put this into <code>/etc/ddclient.conf</code>:
      </p>
      <Command
        text={ddclientConfiguration(origin, host, secret)}
        label="the ddclient configuration"
      />
      <p class="aside">
        A router that speaks dyndns2 takes the same: the server, the name as user and as host, and
        the password.
      </p>
    </div>
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
        )}
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
