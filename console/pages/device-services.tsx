/** What else the box offers, over a tunnel: each service with its command, and who may open it. */

import type { AccessMode, DeviceDescription } from "../../durable-objects/device/rpc.ts";
import { Command } from "../components/form.tsx";
import { enrolledCommand, loginCommand, tcpCommand, tunnelCommand } from "./commands.ts";
import type { DeviceProps } from "./device-subject.tsx";

/** "Everyone" is missing: a tunnel is for people whom the cloud knows. */
const modes: readonly (readonly [AccessMode, string])[] = [
  ["owner", "Only me"],
  ["listed", "People I list"],
  ["contacts", "My contacts"],
];

export function ServicesSubject({ device, origin }: DeviceProps) {
  const online = device.connection?.online === true;
  return (
    <section class="subject" aria-labelledby="services">
      <header>
        <h2 id="services">Other services</h2>
        <p>
          SSH, files, cameras: a tunnel from your computer to the box. It is sealed between the two,
          so we pass on what we cannot read.
        </p>
      </header>
      <div class="subject-body">
        {!device.features.link ? (
          <p class="aside">
            Tunnels go through the door. <a href="#door">Switch it on</a> first.
          </p>
        ) : device.tcp.length > 0 ? (
          <Offered device={device} origin={origin} />
        ) : (
          <>
            <p>
              {online
                ? "This box offers none yet. Name them when you start its agent:"
                : "What it offers is listed while the box is connected. You name it when you start its agent:"}
            </p>
            <Command text={tcpCommand} label="the command that offers SSH" />
            <p class="aside">
              Each may be opened by you alone, until you say otherwise here. Where a name leads
              stands on the box only.
            </p>
          </>
        )}
      </div>
    </section>
  );
}

function Offered({ device, origin }: Pick<DeviceProps, "device" | "origin">) {
  return (
    <>
      <ul class="rows services">
        {device.tcp.map((service) => (
          <Service device={device} service={service} />
        ))}
      </ul>
      <details>
        <summary>On a computer that has never opened one</summary>
        <div class="stack">
          <p>
            Get the agent there, make an <a href="/account/tokens">access token</a> that may open
            tunnels, and paste it when this asks for it:
          </p>
          <Command text={loginCommand(origin)} label="the command that keeps the access token" />
          <p class="aside">
            The first time it says the box’s fingerprint; <code>{enrolledCommand}</code> on the box
            shows the same. Should it ever be another, the program refuses and says so.
          </p>
        </div>
      </details>
    </>
  );
}

function Service({ device, service }: { device: DeviceDescription; service: string }) {
  const rule = device.access.rules.find((one) => one.service === service);
  const chosen = rule?.mode === "everyone" ? "owner" : (rule?.mode ?? "owner");
  const field = `service-${service}`;
  return (
    <li>
      <div>
        <b class="mono">{service}</b>
        <Command text={tunnelCommand(device.label, service)} label={`the command for ${service}`} />
        <form class="service-rule" method="post" action={`/devices/${device.id}/door/services`}>
          <input type="hidden" name="service" value={service} />
          <label for={field}>Who may open it</label>
          <select class="input" id={field} name="mode">
            {modes.map(([mode, title]) => (
              <option value={mode} selected={mode === chosen}>
                {title}
              </option>
            ))}
          </select>
          <button class="button plain small" type="submit">
            Save<span class="hidden-text"> who may open {service}</span>
          </button>
        </form>
        {rule?.mode === "listed" && (
          <small>
            {rule.people.length === 0
              ? "Nobody is on its list yet. "
              : `${rule.people.length === 1 ? "One person is" : `${rule.people.length} people are`} on its list. `}
            <a href={`/devices/${device.id}/door#rules`}>
              Change the list<span class="hidden-text"> of {service}</span>
            </a>
          </small>
        )}
      </div>
    </li>
  );
}
