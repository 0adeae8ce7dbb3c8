/** The devices of an account, and adding one. */

import type { DeviceDescription } from "../../durable-objects/device/rpc.ts";
import {
  Command,
  Done,
  ErrorSummary,
  Field,
  type FormErrors,
  Notice,
} from "../components/form.tsx";
import { Icon } from "../components/icons.tsx";
import { Light } from "../components/light.tsx";
import { liveOf, settingsOf } from "../live.ts";
import { SmallPath } from "../pictures/path.tsx";
import { count } from "../words.ts";
import { enrollCommand, runCommand } from "./commands.ts";

interface DevicesProps {
  /** How many names contacts offer, and wait for an answer. */
  readonly offers: number;
  readonly devices: readonly DeviceDescription[];
  readonly origin: string;
  readonly now: number;
  readonly done: string | null;
}

export function DevicesPage({ devices, offers, origin, now, done }: DevicesProps) {
  const here = devices.filter((device) => device.connection?.online).length;
  return (
    <>
      <Done text={done} />
      <header class="page-head">
        <div>
          <h1>Your devices</h1>
          <p class="lead">
            {devices.length === 0 ? (
              "None yet. It takes two commands on the box and one word from you."
            ) : (
              <>
                {count(devices.length, "device")}, <span data-online-count>{here}</span> connected
                right now.
              </>
            )}
          </p>
        </div>
      </header>
      {offers > 0 && (
        <Notice tone="brass">
          <p>
            A contact offers you {offers === 1 ? "a name" : `${offers} names`} for one of your
            devices. <a href="/names">Look at it</a>
          </p>
        </Notice>
      )}
      {devices.length === 0 ? (
        <FirstDevice origin={origin} />
      ) : (
        <ul class="cards">
          {devices.map((device) => (
            <li>
              <DeviceCard device={device} now={now} />
            </li>
          ))}
          <li>
            <a class="card card-new" href="/devices/add" data-command="Add a device">
              <Icon name="plus" />
              Add a device
            </a>
          </li>
        </ul>
      )}
    </>
  );
}

function DeviceCard({ device, now }: { device: DeviceDescription; now: number }) {
  const { features } = device;
  const on = [...(features.name ? ["name"] : []), ...(features.link ? ["door"] : [])];
  return (
    <a
      class="card"
      href={`/devices/${device.id}`}
      data-device={device.id}
      data-settings={settingsOf(device)}
      data-live={liveOf(device)}
      data-command={`Open ${device.label}`}
    >
      <h2>{device.label}</h2>
      <SmallPath device={device} />
      <p>
        <Light device={device} now={now} />
      </p>
      {on.length > 0 && <p>On: {on.join(" and ")}</p>}
    </a>
  );
}

/** The empty state teaches the first step. */
function FirstDevice({ origin }: { origin: string }) {
  return (
    <div class="readable stack-large">
      <ol class="steps">
        <li>
          <h2>On the box, ask for a code</h2>
          <p class="aside">
            The box makes a key of its own and keeps it. It shows you a short code; it never learns
            your password.
          </p>
          <Command text={enrollCommand(origin)} label="the command that enrolls a device" />
        </li>
        <li>
          <h2>Here, enter the code and give it a name</h2>
          <p>
            <a class="button" href="/devices/add" data-command="Add a device">
              Enter the code
            </a>
          </p>
        </li>
        <li>
          <h2>On the box, let it stay connected</h2>
          <p class="aside">
            Say which local page it may serve. It opens nothing on your router, and serves nothing
            until you switch the door on.
          </p>
          <Command text={runCommand} label="the command that runs the agent" />
        </li>
      </ol>
    </div>
  );
}

interface AddProps {
  readonly typed: { readonly code: string; readonly label: string };
  /** The device that waits behind the code; null until a right code was entered. */
  readonly found: { readonly fingerprint: string; readonly minutesLeft: number } | null;
  readonly linkZone: string;
  readonly origin: string;
  readonly errors?: FormErrors | undefined;
}

export function AddDevicePage({ typed, found, linkZone, origin, errors }: AddProps) {
  return (
    <>
      <header class="page-head">
        <div>
          <a class="crumb" href="/devices">
            Your devices
          </a>
          <h1>{found === null ? "Add a device" : "Is this the device you are holding?"}</h1>
          {found === null && (
            <p class="lead">
              Run the command below on the box. It shows a code that works for ten minutes.
            </p>
          )}
        </div>
      </header>
      <div class="readable stack">
        <ErrorSummary errors={errors} />
        {found === null ? (
          <CodeForm typed={typed} origin={origin} errors={errors} />
        ) : (
          <ApproveForm typed={typed} found={found} linkZone={linkZone} errors={errors} />
        )}
      </div>
    </>
  );
}

function CodeForm({
  typed,
  origin,
  errors,
}: {
  typed: AddProps["typed"];
  origin: string;
  errors: FormErrors | undefined;
}) {
  return (
    <>
      <Command text={enrollCommand(origin)} label="the command that enrolls a device" />
      <form class="form narrow-form" method="get" action="/devices/add" novalidate>
        <Field
          name="code"
          label="Code"
          class="mono code"
          value={typed.code}
          maxlength={16}
          autocomplete="off"
          spellcheck={false}
          hint="Eight letters, as the box shows them. Hyphens and small letters are fine."
          errors={errors}
        />
        <p class="actions">
          <button class="button" type="submit">
            Find the device
          </button>
          <a href="/devices">Not now</a>
        </p>
      </form>
    </>
  );
}

function ApproveForm({
  typed,
  found,
  linkZone,
  errors,
}: {
  typed: AddProps["typed"];
  found: { readonly fingerprint: string; readonly minutesLeft: number };
  linkZone: string;
  errors: FormErrors | undefined;
}) {
  return (
    <>
      <div class="secret">
        <p>The box shows this fingerprint of its key. Compare the two before you go on.</p>
        <p class="fingerprint mono">{found.fingerprint}</p>
        <p class="aside">
          Another one, or no box in front of you? Someone may want you to add theirs:{" "}
          <a href="/devices">stop here</a>. The code works for{" "}
          {count(found.minutesLeft, "more minute", "more minutes")}.
        </p>
      </div>
      <form class="form" method="post" action="/devices/add" novalidate>
        <input type="hidden" name="code" value={typed.code} />
        <Field
          name="label"
          label="Name it"
          class="mono"
          value={typed.label}
          maxlength={63}
          autocomplete="off"
          spellcheck={false}
          autofocus
          suffix={`.${linkZone}`}
          island="label"
          hint="It becomes its address once you switch the door on, and cannot be changed later."
          errors={errors}
        />
        <p class="hint" data-label-verdict data-zone={`.${linkZone}`} aria-live="polite" />
        <p class="actions">
          <button class="button" type="submit">
            <Icon name="key" />
            Add this device
          </button>
          <a href="/devices">Stop</a>
        </p>
        <p class="aside">
          We then hold its key’s public half, the name, and which features are on. All features
          start switched off.
        </p>
      </form>
    </>
  );
}
