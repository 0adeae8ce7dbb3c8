/** The door of a device in detail: who may come in where, what is shared, what the box is told. */

import type {
  AccessMode,
  DeviceDescription,
  IdentityMode,
  RuleDescription,
  ShareDescription,
} from "../../durable-objects/device/rpc.ts";
import { limits } from "../../protocol/limits.ts";
import { webService } from "../../protocol/link/headers.ts";
import {
  Command,
  Done,
  ErrorSummary,
  Field,
  type FormErrors,
  Notice,
} from "../components/form.tsx";
import { Icon } from "../components/icons.tsx";
import { Time } from "../components/time.tsx";

/** What was typed into a form of this page, by the names of its fields. */
export type TypedAtDoor = Readonly<Record<string, string>>;

export interface DeviceDoorProps {
  readonly device: DeviceDescription;
  readonly shares: readonly ShareDescription[];
  /** The door's origin. */
  readonly door: string;
  readonly now: number;
  readonly done: string | null;
  /** The address of what was shared just now: shown this once. */
  readonly address?: string | null | undefined;
  readonly typed?: TypedAtDoor | undefined;
  readonly errors?: FormErrors | undefined;
}

export const shareDays = [1, 7, 30, 90] as const;

const modes: readonly (readonly [AccessMode, string])[] = [
  ["owner", "Only me"],
  ["listed", "People I list"],
  ["contacts", "My contacts"],
  ["everyone", "Everyone"],
];
const modeTitle = (mode: AccessMode) => modes.find(([one]) => one === mode)?.[1] ?? mode;

const told: readonly (readonly [IdentityMode, string, string])[] = [
  ["off", "Nothing", "The box sees requests, not who makes them."],
  ["id", "An identifier", "The same person has the same one here, and another at other devices."],
  ["name", "An identifier and a name", "The name only of people who let you see it."],
];

const closedFor: Readonly<Record<string, string>> = {
  phishing: "it was reported as a trap for passwords",
  malware: "it was reported to spread harmful programs",
  illegal: "what it shows was reported as illegal",
  rights: "what it shows was reported to break somebody’s rights",
  other: "it was reported",
};

/** A path as people read it; what does not decode stays as it is. */
function shown(path: string): string {
  try {
    return decodeURI(path);
  } catch {
    return path;
  }
}

export function DeviceDoorPage(props: DeviceDoorProps) {
  const { device, done, errors, address } = props;
  const { access, features, label, id } = device;
  return (
    <>
      <Done text={done} />
      <ErrorSummary errors={errors} />
      <header class="page-head">
        <div>
          <a class="crumb" href={`/devices/${id}`}>
            {label}
          </a>
          <h1>The door of {label}, path by path</h1>
          <p class="lead">
            Everywhere: {modeTitle(access.mode).toLowerCase()}.{" "}
            <a href={`/devices/${id}#access`}>Change that on its page</a>
          </p>
        </div>
      </header>
      {access.closed !== null && (
        <Notice tone="bad">
          <p>
            <b>The operator closed the open part of this door</b> because{" "}
            {closedFor[access.closed.reason]}. Whom you let in by name still comes in. If that is
            wrong, answer the mail that told you of it.
          </p>
        </Notice>
      )}
      {!features.link && (
        <Notice tone="brass">
          <p>
            The door is off, so nothing here counts yet.{" "}
            <a href={`/devices/${id}#door`}>Switch it on</a>
          </p>
        </Notice>
      )}
      {address != null && (
        <Notice tone="brass" alert>
          <p>
            <b>Shared. Copy its address now</b>: a link is shown this once; we keep only a hash of
            it.
          </p>
          <Command text={address} label="the address of what you share" />
        </Notice>
      )}
      <SharesSubject {...props} />
      <RulesSubject {...props} />
      <ToldSubject {...props} />
    </>
  );
}

function SharesSubject(props: DeviceDoorProps) {
  const { device, shares, now } = props;
  return (
    <section class="subject" aria-labelledby="shares">
      <header>
        <h2 id="shares">What you share</h2>
        <p>One file or folder, for a while. Stopped, it is dead within a second.</p>
      </header>
      <div class="subject-body">
        {shares.length === 0 ? (
          <p class="aside">
            Nothing yet. Open a file on your device’s page, copy its address, and paste it below.
          </p>
        ) : (
          <ul class="rows">
            {shares.map((share) => (
              <li>
                <div>
                  <b>{share.name || shown(share.path)}</b>
                  <small class="mono">{shown(share.path)}</small>
                  <small>
                    {forWhom(share)} · ends <Time at={share.expiresAt} now={now} />
                  </small>
                </div>
                <form method="post" action={`/devices/${device.id}/door/shares/stop`}>
                  <input type="hidden" name="share" value={share.id} />
                  <button class="button plain small" type="submit">
                    Stop<span class="hidden-text"> sharing {share.name || shown(share.path)}</span>
                  </button>
                </form>
              </li>
            ))}
          </ul>
        )}
        <NewShare {...props} />
      </div>
    </section>
  );
}

function forWhom({ audience, people, hasPassword }: ShareDescription): string {
  switch (audience) {
    case "people":
      return people.join(", ");
    case "contacts":
      return "your contacts";
    case "link":
      return hasPassword ? "whoever has the link and its password" : "whoever has the link";
  }
}

function NewShare({ device, door, typed, errors }: DeviceDoorProps) {
  const audience = typed?.audience ?? "link";
  const choices = [
    ["link", "Whoever has the link", "No account needed. Whoever gets the link can pass it on."],
    ["contacts", "My contacts", "They sign in with their Latchkey account."],
    [
      "people",
      "People by their Latchkey ID",
      "They sign in; nobody else gets in with the address.",
    ],
  ] as const;
  return (
    <form class="form" method="post" action={`/devices/${device.id}/door/shares`} novalidate>
      <h3 id="share">Share something</h3>
      <p class="aside">
        Others may pass on, copy or keep what you share. They see the address of the door, the path
        and what the box shows there, nothing else of you or of the box.
      </p>
      <Field
        name="path"
        label="File or folder"
        class="mono"
        value={typed?.path}
        autocomplete="off"
        spellcheck={false}
        maxlength={limits.doorPathLength}
        hint={
          <>
            Its address at <span class="mono">{door}</span>, or its path. A folder is shared with
            all in it.
          </>
        }
        errors={errors}
      />
      <Field
        name="name"
        label="What you call it"
        value={typed?.name}
        autocomplete="off"
        maxlength={limits.shareNameLength}
        hint="For your own list only. May stay empty."
        errors={errors}
        optional
      />
      <fieldset class="choices">
        <legend>For whom</legend>
        {choices.map(([value, title, means]) => (
          <label class="choice">
            <input type="radio" name="audience" value={value} checked={value === audience} />
            <span>
              <b>{title}</b>
              <small>{means}</small>
            </span>
          </label>
        ))}
      </fieldset>
      <Field
        name="people"
        label="Latchkey IDs"
        class="mono"
        value={typed?.people}
        autocomplete="off"
        spellcheck={false}
        hint="Only for people by their ID; with spaces between them."
        errors={errors}
        optional
      />
      <Field
        name="password"
        label="Password of the link"
        type="password"
        autocomplete="off"
        hint="Only for a link. Tell it by another way than the link. May stay empty."
        errors={errors}
        optional
      />
      <div class="field">
        <label for="days">Ends after</label>
        <select class="input" id="days" name="days">
          {shareDays.map((days) => (
            <option value={String(days)} selected={String(days) === (typed?.days ?? "7")}>
              {days === 1 ? "one day" : `${days} days`}
            </option>
          ))}
        </select>
      </div>
      <p>
        <button class="button" type="submit">
          Share it
        </button>
      </p>
    </form>
  );
}

function RulesSubject({ device, typed, errors }: DeviceDoorProps) {
  const { rules } = device.access;
  return (
    <section class="subject" aria-labelledby="rules">
      <header>
        <h2 id="rules">Rules for paths</h2>
        <p>The longest path counts. What no rule names goes as the whole door does.</p>
      </header>
      <div class="subject-body">
        {rules.length === 0 ? (
          <p class="aside">
            None yet: every path goes as the whole door does. With one you keep a part for yourself,
            or open just a part.
          </p>
        ) : (
          <ul class="rows">
            {rules.map((rule) => (
              <RuleRow device={device} rule={rule} />
            ))}
          </ul>
        )}
        <form class="form" method="post" action={`/devices/${device.id}/door/rules`} novalidate>
          <h3>Make a rule</h3>
          <Field
            name="rule"
            label="Path"
            class="mono"
            value={typed?.rule}
            autocomplete="off"
            spellcheck={false}
            maxlength={limits.doorPathLength}
            hint="For instance /photos: it holds for all below it too."
            errors={errors}
          />
          <div class="field">
            <label for="mode">Who may come in there</label>
            <select class="input" id="mode" name="mode">
              {modes.map(([mode, title]) => (
                <option value={mode} selected={mode === (typed?.mode ?? "owner")}>
                  {title}
                </option>
              ))}
            </select>
          </div>
          <p>
            <button class="button plain" type="submit">
              Save the rule
            </button>
          </p>
        </form>
      </div>
    </section>
  );
}

function RuleRow({ device, rule }: { device: DeviceDescription; rule: RuleDescription }) {
  const base = `/devices/${device.id}/door/rules`;
  const what = rule.service === webService ? shown(rule.path) : `the service ${rule.service}`;
  const field = `person-${rule.id}`;
  return (
    <li>
      <div>
        <b class="mono">{what}</b>
        <small>{modeTitle(rule.mode)}</small>
        {rule.mode === "listed" && (
          <>
            {rule.people.map((person) => (
              <form method="post" action={`${base}/people/remove`}>
                <input type="hidden" name="of" value={rule.id} />
                <input type="hidden" name="person" value={person} />
                <small>
                  <code>{person}</code>{" "}
                  <button class="button plain small" type="submit">
                    Take off<span class="hidden-text"> the list: {person}</span>
                  </button>
                </small>
              </form>
            ))}
            <form method="post" action={`${base}/people`}>
              <input type="hidden" name="of" value={rule.id} />
              <label for={field}>Latchkey ID</label>
              <input class="input mono" id={field} name="person" autocomplete="off" required />
              <button class="button plain small" type="submit">
                <Icon name="plus" />
                Put on the list
              </button>
            </form>
          </>
        )}
      </div>
      <form method="post" action={`${base}/remove`}>
        <input type="hidden" name="of" value={rule.id} />
        <button class="button plain small" type="submit">
          Remove<span class="hidden-text"> the rule for {what}</span>
        </button>
      </form>
    </li>
  );
}

function ToldSubject({ device }: DeviceDoorProps) {
  return (
    <section class="subject" aria-labelledby="told">
      <header>
        <h2 id="told">What the box is told</h2>
        <p>Of who comes, in a signed header, for programs that can read it.</p>
      </header>
      <div class="subject-body">
        <form class="form" method="post" action={`/devices/${device.id}/door/identity`}>
          <fieldset class="choices" aria-labelledby="told">
            {told.map(([mode, title, means]) => (
              <label class="choice">
                <input
                  type="radio"
                  name="identity"
                  value={mode}
                  checked={mode === device.access.identity}
                />
                <span>
                  <b>{title}</b>
                  <small>{means}</small>
                </span>
              </label>
            ))}
          </fieldset>
          <p>
            <button class="button plain" type="submit">
              Save what it is told
            </button>
          </p>
        </form>
      </div>
    </section>
  );
}
