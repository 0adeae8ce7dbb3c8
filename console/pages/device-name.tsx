/** A device's name in DNS: its addresses, and the password that lets a router change them. */

import type { DeviceDescription } from "../../durable-objects/device/rpc.ts";
import { Command } from "../components/form.tsx";
import { Icon } from "../components/icons.tsx";
import { Time } from "../components/time.tsx";
import { ddclientConfiguration } from "./commands.ts";
import { type DeviceProps, FeatureSwitch } from "./device-subject.tsx";

export function NameSubject(props: DeviceProps) {
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
