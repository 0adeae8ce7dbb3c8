/** Passwords of a device's name: those there are, a new one, and the one time it is shown. */

import type {
  DeviceDescription,
  NameEvent,
  NameScope,
  NameTokenDescription,
} from "../../durable-objects/device/rpc.ts";
import { DAY, limits } from "../../protocol/limits.ts";
import { Command, Field, type FormErrors } from "../components/form.tsx";
import { Icon } from "../components/icons.tsx";
import { Time } from "../components/time.tsx";
import { sayDay } from "../words.ts";
import { ddclientConfiguration } from "./commands.ts";

/** What was typed into the form of a new password. */
export interface TypedAtName {
  readonly for?: string;
  readonly networks?: string;
  readonly days?: string;
  /** One of the device's names; `*`: all devices. */
  readonly reach?: string;
  readonly scopes: readonly NameScope[];
}

export interface NamePageProps {
  readonly device: DeviceDescription;
  readonly tokens: readonly NameTokenDescription[];
  readonly events: readonly NameEvent[];
  /** Its name in DNS. */
  readonly host: string;
  readonly origin: string;
  readonly now: number;
  readonly done: string | null;
  /** The password that was made just now: shown this once. */
  readonly made?: { readonly secret: string; readonly scopes: readonly NameScope[] } | undefined;
  readonly typed?: TypedAtName | undefined;
  readonly errors?: FormErrors | undefined;
}

const says: Readonly<Record<NameScope, { name: string; says: string }>> = {
  address: {
    name: "Keep the address up to date",
    says: "For a router or ddclient: it says where the name leads.",
  },
  acme: {
    name: "Get certificates",
    says: "For a certificate client on the box: whoever has it can get a certificate for the name.",
  },
};

/** The lives that the page offers, in days; 0 for as long as the name is on. */
const lives = [0, 30, 90, 365] as const;

export function TokensSubject(props: NamePageProps) {
  const { device, tokens, made } = props;
  return (
    <section class="subject" aria-labelledby="passwords">
      <header>
        <h2 id="passwords">Passwords</h2>
        <p>
          One for each router or program, good for names and nothing else. It ends when nobody has
          used it for {Math.round(limits.nameTokenIdleMs / DAY)} days.
        </p>
      </header>
      <div class="subject-body">
        {made !== undefined && <NewSecret {...props} made={made} />}
        {tokens.length === 0 ? (
          <p class="aside">
            None. A box that runs the agent needs none: its connection is enough. A router, ddclient
            or a certificate client needs one.
          </p>
        ) : (
          <ul class="rows">
            {tokens.map((token) => (
              <TokenRow device={device} token={token} now={props.now} />
            ))}
          </ul>
        )}
        <NewToken {...props} />
      </div>
    </section>
  );
}

interface RowProps {
  readonly device: DeviceDescription;
  readonly token: NameTokenDescription;
  readonly now: number;
}

function TokenRow({ device, token, now }: RowProps) {
  const name = token.name || "A password without a name";
  const { scopes, networks, createdAt, usedDay, endsAt } = token;
  return (
    <li>
      <div>
        <b>{name}</b>
        <small>{scopes.map((scope) => says[scope].name).join(" · ")}</small>
        {token.labels.length > 0 && <small>For {token.labels.join(", ")} alone</small>}
        {token.allDevices && <small>Addresses of your other devices too</small>}
        {networks.length > 0 && <small class="mono">{networks.join(", ")}</small>}
        <small>
          Made {sayDay(createdAt)} ·{" "}
          {usedDay === null ? "not used yet" : `last used ${sayDay(usedDay)}`}
          {endsAt !== null && ` · ends ${sayDay(endsAt)}`}
        </small>
        {token.idleEndsAt <= now + limits.nameTokenIdleToldMs && (
          <small>
            Nobody uses it: it ends {sayDay(token.idleEndsAt)}, unless somebody does before.
          </small>
        )}
        {token.floodedAt !== null && (
          <small>
            Asked more than {limits.updateCallsPerHour} times in an hour,{" "}
            <Time at={token.floodedAt} now={now} />.{" "}
            {token.isBlocked
              ? "It is refused until you let it go on."
              : "Should it go on, it is refused."}
          </small>
        )}
      </div>
      {token.floodedAt !== null && (
        <form method="post" action={`/devices/${device.id}/name/tokens/excuse`}>
          <input type="hidden" name="token" value={token.id} />
          <button class="button plain small" type="submit">
            Let it go on
            <span class="hidden-text"> ({name})</span>
          </button>
        </form>
      )}
      <form method="post" action={`/devices/${device.id}/name/tokens/end`}>
        <input type="hidden" name="token" value={token.id} />
        <button class="button plain small" type="submit">
          End it
          <span class="hidden-text"> ({name})</span>
        </button>
      </form>
    </li>
  );
}

function NewToken({ device, typed, errors }: NamePageProps) {
  const chosen: readonly NameScope[] = typed?.scopes ?? ["address"];
  const days = typed?.days ?? "0";
  return (
    <form class="form" method="post" action={`/devices/${device.id}/name/tokens`} novalidate>
      <h3>Make a password</h3>
      <Field
        name="for"
        label="What is it for?"
        value={typed?.for}
        maxlength={limits.nameTokenNameLength}
        autocomplete="off"
        hint="The router or program it goes to, so that you know it again. May stay empty."
        errors={errors}
        optional
      />
      <fieldset
        class="choices"
        id="scopes"
        tabindex={-1}
        aria-describedby={errors?.scopes === undefined ? undefined : "scopes-error"}
      >
        <legend>What it may do</legend>
        {errors?.scopes !== undefined && (
          <p class="error" id="scopes-error">
            <Icon name="warning" />
            <span>{errors.scopes}</span>
          </p>
        )}
        {(Object.keys(says) as NameScope[]).map((scope) => (
          <label class="choice">
            <input type="checkbox" name={scope} value="yes" checked={chosen.includes(scope)} />
            <span>
              <b>{says[scope].name}</b>
              <small>{says[scope].says}</small>
            </span>
          </label>
        ))}
      </fieldset>
      <Field
        name="networks"
        label="Where it works from"
        class="mono"
        value={typed?.networks}
        autocomplete="off"
        spellcheck={false}
        hint="Addresses or networks such as 2001:db8::/32, with spaces between. Empty: everywhere."
        errors={errors}
        optional
      />
      <div class="field">
        <label for="reach">Which names</label>
        <select class="input" id="reach" name="reach">
          {reachesOf(device).map(([value, says]) => (
            <option value={value} selected={value === (typed?.reach ?? "")}>
              {says}
            </option>
          ))}
        </select>
        <p class="hint">Where the device is, it is by each of its names: all follow one address.</p>
      </div>
      <div class="field">
        <label for="days">How long it works</label>
        <select class="input" id="days" name="days">
          {lives.map((life) => (
            <option value={String(life)} selected={String(life) === days}>
              {life === 0 ? "While the name is on" : `${life} days`}
            </option>
          ))}
        </select>
      </div>
      <p>
        <button class="button" type="submit">
          <Icon name="key" />
          Make the password
        </button>
      </p>
    </form>
  );
}

const reachesOf = ({ labels }: DeviceDescription): [value: string, says: string][] => [
  ["", labels.length > 1 ? "All names of this device" : "This device’s name"],
  ...(labels.length > 1 ? labels.map((label): [string, string] => [label, `${label} alone`]) : []),
  ["*", "This device, and addresses of my other devices"],
];

function NewSecret(props: NamePageProps & { made: NonNullable<NamePageProps["made"]> }) {
  const { made, host, origin } = props;
  return (
    <div class="secret" id="made" role="alert" tabindex={-1} data-focus="">
      <div>
        <h3>Your new password</h3>
        <p>We show it this once and keep only a hash. Copy it now; if it is lost, make another.</p>
      </div>
      <Command text={made.secret} label="the password" />
      {made.scopes.includes("address") && (
        <>
          <p>
            For ddclient, put this into <code>/etc/ddclient.conf</code>:
          </p>
          <Command
            text={ddclientConfiguration(origin, host, made.secret)}
            label="the ddclient configuration"
          />
          <p class="aside">
            A router that speaks dyndns2 takes the same: the server, the name as user and as host,
            and the password.
          </p>
        </>
      )}
    </div>
  );
}
