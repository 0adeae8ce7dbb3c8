/** The names of a device: those it has, one more, another in place of one, and what breaks then. */

import type { DeviceDescription } from "../../durable-objects/device/rpc.ts";
import { DAY, limits } from "../../protocol/limits.ts";
import { DeviceHead } from "../components/device-head.tsx";
import { Done, ErrorSummary, Field, type FormErrors } from "../components/form.tsx";
import { ConfirmPage, type Going } from "./confirm.tsx";

/** What was typed into one of the forms. */
export interface TypedName {
  readonly more?: string;
  readonly from?: string;
  readonly to?: string;
}

export interface NamesPageProps {
  readonly device: DeviceDescription;
  readonly ddnsZone: string;
  /** Of a name's door. */
  readonly door: (label: string) => string;
  readonly done: string | null;
  readonly typed?: TypedName | undefined;
  readonly errors?: FormErrors | undefined;
}

const held = Math.round(limits.heldLabelMs / DAY);

export function NamesPage(props: NamesPageProps) {
  const { device, done, errors } = props;
  return (
    <>
      <Done text={done} />
      <ErrorSummary errors={errors} />
      <DeviceHead device={device} title={`The names of ${device.label}`}>
        <p class="lead">Each leads to the same box: in DNS, and at its door.</p>
      </DeviceHead>
      <section class="subject" aria-labelledby="names">
        <header>
          <h2 id="names">Its names</h2>
          <p>The first is what the device is called here. Whoever is let in comes in at each.</p>
        </header>
        <div class="subject-body">
          <ul class="rows">
            {device.labels.map((label, at) => (
              <NameRow {...props} label={label} isFirst={at === 0} />
            ))}
          </ul>
          <OneMore {...props} />
        </div>
      </section>
      <ChangeSubject {...props} />
      <p>
        <a href="/names">Names that change hands between you and your contacts</a>
      </p>
    </>
  );
}

function NameRow(props: NamesPageProps & { readonly label: string; readonly isFirst: boolean }) {
  const { device, label, isFirst, ddnsZone } = props;
  const path = `/devices/${device.id}/names`;
  return (
    <li>
      <div>
        <b>{label}</b>
        <small class="mono">
          {label}.{ddnsZone}
          {device.features.name ? "" : " (the name is off)"}
        </small>
        <small class="mono">
          {props.door(label)}
          {device.features.link ? "" : " (the door is off)"}
        </small>
        {isFirst && <small>What the device is called</small>}
      </div>
      {!isFirst && (
        <>
          <form method="post" action={`${path}/first`}>
            <input type="hidden" name="label" value={label} />
            <button class="button plain small" type="submit">
              Call it so<span class="hidden-text"> ({label})</span>
            </button>
          </form>
          <a class="button plain small" href={`${path}/give-up?label=${encodeURIComponent(label)}`}>
            Give it up<span class="hidden-text"> ({label})</span>
          </a>
          <a class="button plain small" href={`${path}/give?label=${encodeURIComponent(label)}`}>
            To a contact<span class="hidden-text"> ({label})</span>
          </a>
        </>
      )}
    </li>
  );
}

function OneMore({ device, ddnsZone, typed, errors }: NamesPageProps) {
  if (device.labels.length >= limits.labelsPerDevice) {
    return (
      <p class="aside">It has {limits.labelsPerDevice} names, as many as a device can have.</p>
    );
  }
  return (
    <form class="form" method="post" action={`/devices/${device.id}/names`} novalidate>
      <Field
        name="more"
        label="One name more"
        value={typed?.more}
        autocomplete="off"
        spellcheck={false}
        maxlength={63}
        suffix={`.${ddnsZone}`}
        hint={`3 to 63 letters a–z, digits or hyphens. Up to ${limits.labelsPerDevice} names a device.`}
        errors={errors}
      />
      <p class="actions">
        <button class="button" type="submit">
          Add the name
        </button>
      </p>
    </form>
  );
}

function ChangeSubject({ device, ddnsZone, typed, errors }: NamesPageProps) {
  const { labels } = device;
  return (
    <section class="subject" aria-labelledby="change">
      <header>
        <h2 id="change">Another name in place of one</h2>
        <p>Before anything changes, the next page says what stops working.</p>
      </header>
      <div class="subject-body">
        <form class="form" method="post" action={`/devices/${device.id}/names/change`} novalidate>
          {labels.length === 1 ? (
            <input type="hidden" name="from" value={labels[0]} />
          ) : (
            <div class="field">
              <label for="from">The name that goes</label>
              <select class="input" id="from" name="from">
                {labels.map((label) => (
                  <option value={label} selected={label === typed?.from}>
                    {label}
                  </option>
                ))}
              </select>
            </div>
          )}
          <Field
            name="to"
            label={
              labels.length === 1 ? `The name in place of ${labels[0]}` : "The name that comes"
            }
            value={typed?.to}
            autocomplete="off"
            spellcheck={false}
            maxlength={63}
            suffix={`.${ddnsZone}`}
            errors={errors}
          />
          <p class="actions">
            <button class="button" type="submit">
              See what changes
            </button>
          </p>
        </form>
      </div>
    </section>
  );
}

interface GoingProps {
  readonly device: DeviceDescription;
  readonly ddnsZone: string;
  readonly door: (label: string) => string;
  readonly label: string;
}

/** What stops working with a name, of what there is. */
function goingWith({ device, ddnsZone, door, label }: GoingProps): Going[] {
  const { features, name } = device;
  const host = `${label}.${ddnsZone}`;
  return [
    ...(features.name
      ? [
          {
            what: `What ${host} answers with`,
            when: `At once at our name servers; other resolvers may remember it for ${limits.addressTtlSeconds} seconds.`,
          },
        ]
      : []),
    ...(features.link
      ? [
          {
            what: `The door at ${door(label)}`,
            when: "Links to it, also those that you shared, lead nowhere; who is signed in there signs in anew at another name.",
          },
        ]
      : []),
    ...(name !== null && name.tokens > 0
      ? [
          {
            what: `Updates for ${host}`,
            when: "Passwords go on for the device’s other names: change the host name in the router or program. One that is for this name alone works no more.",
          },
        ]
      : []),
    ...(features.name
      ? [
          {
            what: `The certificate for ${host}`,
            when: "It is not renewed. A box that runs the agent gets one for what it is called by itself; an order under way ends.",
          },
        ]
      : []),
    ...(features.name
      ? [
          {
            what: `Domains of yours that lead to ${host}, if there are any`,
            when: "They lead nowhere until you set them anew; once the name is somebody’s, to theirs.",
          },
        ]
      : []),
    {
      what: `The short link /${label} here, and the word for latchkey tunnel`,
      when: "At once.",
    },
  ];
}

const holding = (label: string) =>
  `“${label}” is held for you: nobody else gets it for ${held} days, and you can take it back until then. After that it is free for everybody. Of it we keep a keyed hash.`;

export function ChangeNamePage(props: GoingProps & { readonly to: string }) {
  const { device, label, to } = props;
  const path = `/devices/${device.id}/names`;
  return (
    <ConfirmPage
      title={`${to} in place of ${label}?`}
      lead={`The box needs nothing: it hears of it by itself. What others remember, you must tell them.`}
      going={goingWith(props)}
      staying={[
        "Passwords that are not for this name alone, shares, who may come in, what happened to the name: all of it goes on under the new name.",
        holding(label),
      ]}
      action={`${path}/change`}
      fields={{ from: label, to, sure: "yes" }}
      button={`Change ${label} to ${to}`}
      back={{ href: path, label: `The names of ${device.label}` }}
    />
  );
}

export function GiveUpPage(props: GoingProps) {
  const { device, label } = props;
  const path = `/devices/${device.id}/names`;
  return (
    <ConfirmPage
      title={`Give up ${label}?`}
      lead={`${device.label} keeps its other names.`}
      going={goingWith(props)}
      staying={["Everything under the other names.", holding(label)]}
      action={`${path}/give-up`}
      fields={{ label }}
      button={`Give up ${label}`}
      back={{ href: path, label: `The names of ${device.label}` }}
    />
  );
}
