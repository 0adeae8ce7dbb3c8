/** Who may come in at a device's door: only its owner, people on a list, everyone. */

import type { AccessMode } from "../../durable-objects/device/rpc.ts";
import { Choices, Field, type FormErrors } from "../components/form.tsx";
import { Icon } from "../components/icons.tsx";
import type { DeviceProps } from "./device-subject.tsx";

const modes: readonly (readonly [AccessMode, string, string])[] = [
  ["owner", "Only me", "Others are asked to sign in, and then told that they may not come in."],
  [
    "listed",
    "People I list",
    "They sign in with their own Latchkey account. They can open the page; they change nothing here.",
  ],
  [
    "contacts",
    "My contacts",
    "Everybody who is a contact of yours, for as long as they are one. They sign in with their own account.",
  ],
  [
    "everyone",
    "Everyone",
    "Anyone who has the address sees the page, without signing in. Choose it only if the page asks for a password itself, or is meant for the world.",
  ],
];

export function AccessSubject({ device, typed, errors }: DeviceProps) {
  const { mode: chosen, people } = device.access;
  return (
    <section class="subject" aria-labelledby="access">
      <header>
        <h2 id="access">Who may come in</h2>
        <p>It holds at once: who may no longer come in is out of the door with the next click.</p>
      </header>
      <div class="subject-body">
        <form class="form" method="post" action={`/devices/${device.id}/access`}>
          <fieldset class="choices" aria-labelledby="access">
            <Choices name="mode" chosen={chosen} choices={modes} />
          </fieldset>
          <p>
            <button class="button plain" type="submit">
              Save who may come in
            </button>
          </p>
        </form>
        <p>
          <a href={`/devices/${device.id}/door`}>Rules for paths, and sharing one file or folder</a>
        </p>
        {(chosen === "listed" || people.length > 0) && (
          <People device={device} typed={typed} errors={errors} />
        )}
      </div>
    </section>
  );
}

function People({
  device,
  typed,
  errors,
}: Pick<DeviceProps, "device"> & {
  typed: DeviceProps["typed"];
  errors: FormErrors | undefined;
}) {
  const path = `/devices/${device.id}/people`;
  const { mode, people } = device.access;
  return (
    <div class="stack people">
      <h3>People on the list</h3>
      {mode !== "listed" && (
        <p class="aside">The list is kept, but it counts only with “People I list”.</p>
      )}
      {people.length === 0 ? (
        <p class="aside">
          Nobody yet. Ask for their Latchkey ID; it stands on their account page and says nothing
          about them.
        </p>
      ) : (
        <ul class="rows">
          {people.map((person) => (
            <li>
              <div>
                <code>{person}</code>
              </div>
              <form method="post" action={`${path}/remove`}>
                <input type="hidden" name="person" value={person} />
                <button class="button plain small" type="submit">
                  Take off the list<span class="hidden-text"> {person}</span>
                </button>
              </form>
            </li>
          ))}
        </ul>
      )}
      <form class="form" method="post" action={path} novalidate>
        <Field
          name="person"
          label="Latchkey ID"
          class="mono"
          value={typed?.person}
          autocomplete="off"
          spellcheck={false}
          hint="It looks like acc_home_ and sixteen letters or digits."
          errors={errors}
        />
        <p>
          <button class="button plain" type="submit">
            <Icon name="plus" />
            Put on the list
          </button>
        </p>
      </form>
    </div>
  );
}
