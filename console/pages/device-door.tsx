/** The door of a device in detail: who may come in where, what is shared, what the box is told. */

import type {
  AccessMode,
  DeviceDescription,
  IdentityMode,
  RuleDescription,
} from "../../durable-objects/device/rpc.ts";
import { limits } from "../../protocol/limits.ts";
import { webService } from "../../protocol/link/headers.ts";
import { Choices, Command, Done, ErrorSummary, Field, Notice } from "../components/form.tsx";
import { Icon } from "../components/icons.tsx";
import { ClosedSubject } from "./device-closed.tsx";
import { type DeviceDoorProps, SharesSubject, shown } from "./device-shares.tsx";

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

export function DeviceDoorPage(props: DeviceDoorProps) {
  const { device, done, errors, address, objection, now } = props;
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
            Everywhere: “{modeTitle(access.mode)}”.{" "}
            <a href={`/devices/${id}#access`}>Change that on its page</a>
          </p>
        </div>
      </header>
      {access.closed !== null && (
        <ClosedSubject
          device={device}
          closed={access.closed}
          objection={objection}
          now={now}
          typed={props.typed?.objection}
          errors={errors}
        />
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
            <Choices name="identity" chosen={device.access.identity} choices={told} />
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
