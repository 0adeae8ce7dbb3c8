/** What is shared of a device: the list, and the form that shares one file or folder more. */

import type { DeviceDescription, ShareDescription } from "../../durable-objects/device/rpc.ts";
import { limits } from "../../protocol/limits.ts";
import type { OwnObjection } from "../../workers/reports/objections.ts";
import { Choices, Field, type FormErrors } from "../components/form.tsx";
import { Time } from "../components/time.tsx";

/** What was typed into a form of this page, by the names of its fields. */
export type TypedAtDoor = Readonly<Record<string, string>>;

export interface DeviceDoorProps {
  readonly device: DeviceDescription;
  readonly shares: readonly ShareDescription[];
  /** The door's origin. */
  readonly door: string;
  readonly now: number;
  /** What waits with the operator of a closed door. */
  readonly objection: OwnObjection | null;
  readonly done: string | null;
  /** The address of what was shared just now: shown this once. */
  readonly address?: string | null | undefined;
  readonly typed?: TypedAtDoor | undefined;
  readonly errors?: FormErrors | undefined;
}

export const shareDays = [1, 7, 30, 90] as const;

/** A path as people read it; what does not decode stays as it is. */
export function shown(path: string): string {
  try {
    return decodeURI(path);
  } catch {
    return path;
  }
}

export function SharesSubject(props: DeviceDoorProps) {
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
        <Choices name="audience" chosen={audience} choices={choices} />
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
