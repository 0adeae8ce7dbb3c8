/** What DNS says at a device's name and below it, and what its owner puts there. */

import type { DeviceDescription } from "../../durable-objects/device/rpc.ts";
import type { SigningKeyState } from "../../durable-objects/device/signing-rpc.ts";
import { ownTypes } from "../../protocol/dns/presentation.ts";
import type { RecordsView, WrittenSet } from "../../workers/name/records.ts";
import type { SigningKeyShown } from "../../workers/name/signing-key.ts";
import { DeviceHead } from "../components/device-head.tsx";
import {
  Command,
  Done,
  describing,
  ErrorSummary,
  Field,
  type FormErrors,
  Labeled,
  Notice,
} from "../components/form.tsx";
import { sayDay } from "../words.ts";

/** What was typed, by field. */
export type TypedRecords = Readonly<Partial<Record<string, string>>>;

export interface RecordsPageProps {
  readonly device: DeviceDescription;
  /** Null while the name is off. */
  readonly view: RecordsView | null;
  readonly signing: SigningKeyState | null;
  /** True where its CAA records keep the authority out that we order from. */
  readonly isKeptOut: boolean;
  /** The key that was made just now: shown this once. */
  readonly made?: SigningKeyShown | undefined;
  /** Its name in DNS. */
  readonly host: string;
  readonly zone: string;
  readonly done: string | null;
  readonly typed?: TypedRecords | undefined;
  readonly errors?: FormErrors | undefined;
}

type OnProps = RecordsPageProps & { readonly view: RecordsView };

export function RecordsPage(props: RecordsPageProps) {
  const { device, view, host, done, errors } = props;
  return (
    <>
      <Done text={done} />
      <ErrorSummary errors={errors} />
      <DeviceHead device={device} title={`What DNS says of ${device.label}`}>
        <p class="lead mono">{host}</p>
      </DeviceHead>
      {view === null ? (
        <Notice tone="brass">
          <p>
            The name is off, so DNS says nothing.{" "}
            <a href={`/devices/${device.id}#name`}>Switch it on</a>
          </p>
        </Notice>
      ) : (
        <>
          {props.isKeptOut && (
            <Notice tone="brass">
              <p>
                Your CAA records do not name the authority that we order certificates from: it will
                refuse the next one.{" "}
                <a href={`/devices/${device.id}/certificate`}>The certificate</a>
              </p>
            </Notice>
          )}
          <Answered {...props} view={view} />
          <Wildcard {...props} view={view} />
          <OwnSets {...props} view={view} />
          <Neighbors {...props} view={view} />
          <Signing {...props} />
        </>
      )}
    </>
  );
}

const below = (owner: string, host: string) => (owner === "" ? host : `${owner}.${host}`);

function Answered({ view, host }: OnProps) {
  return (
    <section class="subject" aria-labelledby="answered">
      <header>
        <h2 id="answered">Now</h2>
        <p>All that everybody can look up, this minute.</p>
      </header>
      <div class="subject-body">
        {view.answered.length === 0 ? (
          <p class="aside">Nothing yet: an address comes with the box, or with a router.</p>
        ) : (
          <ul class="rows">
            {view.answered.map((set) => (
              <SetRow set={set} host={host} />
            ))}
          </ul>
        )}
      </div>
    </section>
  );
}

function SetRow({ set, host, id }: { set: WrittenSet; host: string; id?: string }) {
  const name = below(set.owner, host);
  return (
    <li>
      <div>
        <b>
          {set.type} <span class="mono">{name}</span>
        </b>
        {set.values.map((value) => (
          <small class="mono">{value}</small>
        ))}
      </div>
      {id !== undefined && (
        <form method="post" action={`/devices/${id}/records`}>
          <input type="hidden" name="owner" value={set.owner} />
          <input type="hidden" name="type" value={set.type} />
          <Gone name={`${set.type} ${name}`} />
        </form>
      )}
    </li>
  );
}

/** The button that takes a row away. */
function Gone({ name }: { name: string }) {
  return (
    <button class="button plain small" type="submit" name="gone" value="yes">
      Take it away
      <span class="hidden-text"> ({name})</span>
    </button>
  );
}

function Wildcard({ device, view, host }: OnProps) {
  return (
    <section class="subject" aria-labelledby="wildcard">
      <header>
        <h2 id="wildcard">Every name below</h2>
        <p>For a web server that tells its sites apart by their names.</p>
      </header>
      <form class="subject-body" method="post" action={`/devices/${device.id}/records/wildcard`}>
        <p>
          {view.wildcard
            ? "On: whatever is not there below the name leads where the name leads."
            : "Off: below the name there is what you put there, and nothing else."}
        </p>
        <p class="mono">*.{host}</p>
        <input type="hidden" name="on" value={view.wildcard ? "no" : "yes"} />
        <p>
          <button class="button plain" type="submit">
            {view.wildcard ? "Switch it off" : "Switch it on"}
          </button>
        </p>
      </form>
    </section>
  );
}

function OwnSets({ device, view, host, typed, errors }: OnProps) {
  const hint =
    'One a line, as in zone files: 0 issue "letsencrypt.org", 1 . alpn=h2,h3, or a plain text.';
  const field = { name: "values", hint, errors };
  return (
    <section class="subject" aria-labelledby="records">
      <header>
        <h2 id="records">Records of yours</h2>
        <p>Who may certify the name (CAA), how its pages are reached (HTTPS), texts for others.</p>
      </header>
      <div class="subject-body">
        {view.records.length === 0 ? (
          <p class="aside">
            None. Mail that pretends to come from this name is refused with a text of “v=spf1 -all”.
          </p>
        ) : (
          <ul class="rows">
            {view.records.map((set) => (
              <SetRow set={set} host={host} id={device.id} />
            ))}
          </ul>
        )}
        <form class="form" method="post" action={`/devices/${device.id}/records`} novalidate>
          <h3>Put a record there</h3>
          <div class="field">
            <label for="type">Kind</label>
            <select class="input" id="type" name="type">
              {ownTypes.map((type) => (
                <option value={type} selected={type === (typed?.type ?? "TXT")}>
                  {type}
                </option>
              ))}
            </select>
          </div>
          <Field
            name="owner"
            label="Where"
            class="mono"
            value={typed?.owner}
            autocomplete="off"
            spellcheck={false}
            suffix={`.${host}`}
            hint="Empty for the name itself, or such as www or _dmarc."
            errors={errors}
            optional
          />
          <Labeled {...field} label="What it says">
            <textarea
              class="input mono"
              id="values"
              name="values"
              rows={3}
              autocomplete="off"
              spellcheck={false}
              {...describing(field)}
            >
              {typed?.values}
            </textarea>
          </Labeled>
          <p>
            <button class="button" type="submit">
              Put it there
            </button>
          </p>
          <p class="aside">It takes the place of what you have of that kind at that name.</p>
        </form>
      </div>
    </section>
  );
}

function Neighbors({ device, view, host, typed, errors }: OnProps) {
  const action = `/devices/${device.id}/records/neighbors`;
  return (
    <section class="subject" aria-labelledby="neighbors">
      <header>
        <h2 id="neighbors">Other machines at home</h2>
        <p>Their IPv6 address begins as the box’s does, and follows it when that changes.</p>
      </header>
      <div class="subject-body">
        {view.neighbors.length === 0 ? (
          <p class="aside">None. Whom you name here, everybody can look up.</p>
        ) : (
          <ul class="rows">
            {view.neighbors.map(({ owner, interfaceId }) => (
              <li>
                <div>
                  <b class="mono">{below(owner, host)}</b>
                  <small class="mono">{interfaceId}</small>
                </div>
                <form method="post" action={action}>
                  <input type="hidden" name="host" value={owner} />
                  <Gone name={owner} />
                </form>
              </li>
            ))}
          </ul>
        )}
        <form class="form" method="post" action={action} novalidate>
          <h3>Name a machine</h3>
          <Field
            name="host"
            label="Its name"
            class="mono"
            value={typed?.host}
            autocomplete="off"
            spellcheck={false}
            suffix={`.${host}`}
            errors={errors}
          />
          <Field
            name="interface"
            label="An IPv6 address of it"
            class="mono"
            value={typed?.interface}
            autocomplete="off"
            spellcheck={false}
            hint="One that stays, not one that changes by the day. Its second half is kept: ::211:32ff:fe12:3456."
            errors={errors}
          />
          <p>
            <button class="button" type="submit">
              Name it
            </button>
          </p>
        </form>
      </div>
    </section>
  );
}

function Signing({ device, signing, made, zone }: RecordsPageProps) {
  const action = `/devices/${device.id}/records/key`;
  return (
    <section class="subject" aria-labelledby="signing">
      <header>
        <h2 id="signing">DNS updates</h2>
        <p>For programs that speak RFC 2136, such as nsupdate, with a key (TSIG).</p>
      </header>
      <div class="subject-body">
        {made !== undefined && (
          <div class="secret" id="made" role="alert" tabindex={-1} data-focus="">
            <div>
              <h3>Your new key</h3>
              <p>We show it this once. Copy it now; if it is lost, make another.</p>
            </div>
            <Command text={made.secret} label="the key" />
            <Command
              text={`nsupdate -y hmac-sha256:${made.name}:${made.secret} <<'END'\nzone ${zone}\nupdate delete ${made.name} A\nupdate add ${made.name} 60 A 203.0.113.4\nsend\nEND`}
              label="the nsupdate command"
            />
          </div>
        )}
        <p class={signing === null ? "aside" : undefined}>
          {signing === null
            ? "No key. Routers and ddclient need none: they use a password."
            : `There is a key, ${signing.usedDay === null ? "not used yet" : `last used ${sayDay(signing.usedDay)}`}. It may change the addresses and nothing else.`}
        </p>
        <form class="actions" method="post" action={action}>
          <button class="button plain" type="submit">
            {signing === null ? "Make a key" : "Make another, and end this one"}
          </button>
          {signing !== null && (
            <button class="button plain" type="submit" name="gone" value="yes">
              End it
            </button>
          )}
        </form>
      </div>
    </section>
  );
}
