/** A device's name in DNS: its addresses, and the way to its passwords. */

import { Notice } from "../components/form.tsx";
import { Time } from "../components/time.tsx";
import { type DeviceProps, FeatureSwitch } from "./device-subject.tsx";

export function NameSubject(props: DeviceProps) {
  const { device, host, now } = props;
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
            public. Earlier addresses are never kept.{" "}
            <a href={`/devices/${device.id}/names`}>Call it something else</a>
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
            <p>
              <a href={`/devices/${device.id}/names`}>Its names</a>
              <small> · {device.labels.length}</small>
            </p>
            <p>
              <a href={`/devices/${device.id}/name`}>Passwords for routers and programs</a>
              <small> · {name.tokens === 0 ? "none" : name.tokens}</small>
            </p>
            <p>
              <a href={`/devices/${device.id}/records`}>What DNS says, and names below it</a>
            </p>
            <p>
              <a href={`/devices/${device.id}/domains`}>Domains of yours that lead to it</a>
            </p>
            <p>
              <a href={`/devices/${device.id}/certificate`}>Its certificate, for https</a>
            </p>
            {name.flooding > 0 && (
              <Notice tone="brass">
                <p>
                  A program asks for this name far too often.{" "}
                  <a href={`/devices/${device.id}/name`}>See which</a>
                </p>
              </Notice>
            )}
            {name.idle > 0 && (
              <Notice tone="brass">
                <p>
                  A password of this name ends soon, for nobody uses it.{" "}
                  <a href={`/devices/${device.id}/name`}>See which</a>
                </p>
              </Notice>
            )}
            <p class="aside">
              A box that runs the agent needs none of them. Switching it off deletes the addresses
              and the passwords. The name stays yours.
            </p>
          </>
        )}
      </div>
    </section>
  );
}
