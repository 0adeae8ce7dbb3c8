/** A door that the operator closed: why, what still works, and the owner's objection to it. */

import type { Closure, DeviceDescription } from "../../durable-objects/device/rpc.ts";
import { limits } from "../../protocol/limits.ts";
import type { OwnObjection } from "../../workers/reports/objections.ts";
import { closedWhat, reportedAs } from "../../workers/reports/words.ts";
import { type FormErrors, Notice } from "../components/form.tsx";
import { Time } from "../components/time.tsx";
import { WordsField } from "../components/words-field.tsx";

/** Says on a page of the device that its door is closed; nothing while it is not. */
export function ClosedNotice({ device }: { device: DeviceDescription }) {
  const { closed } = device.access;
  if (closed === null) return null;
  return (
    <Notice tone="bad" class="page-notice">
      <p>
        <b>
          The operator closed {closed.extent === "all" ? "this door" : "the open part of this door"}
        </b>{" "}
        because {reportedAs[closed.reason]}.{" "}
        <a href={`/devices/${device.id}/door#closed`}>The reasons, and how to object</a>
      </p>
    </Notice>
  );
}

interface ClosedProps {
  readonly device: DeviceDescription;
  readonly closed: Closure;
  readonly objection: OwnObjection | null;
  readonly now: number;
  readonly typed?: string | undefined;
  readonly errors?: FormErrors | undefined;
}

export function ClosedSubject({ device, closed, objection, now, typed, errors }: ClosedProps) {
  return (
    <section class="subject" aria-labelledby="closed">
      <header>
        <h2 id="closed">Closed by the operator</h2>
        <p>
          <Time at={closed.at} now={now} />, because {reportedAs[closed.reason]}.
        </p>
      </header>
      <div class="subject-body">
        <p>{closedWhat[closed.extent]}</p>
        <h3>The operator’s reasons</h3>
        <p class="said" dir="auto">
          {closed.words}
        </p>
        {objection === null ? (
          <form
            class="form"
            method="post"
            action={`/devices/${device.id}/door/objection`}
            novalidate
          >
            <WordsField
              name="objection"
              label="If that is wrong, say why"
              hint="The operator reads it and looks at the door again. You are told what comes of it."
              value={typed}
              maxlength={limits.statementLength}
              errors={errors}
            />
            <p>
              <button class="button plain" type="submit">
                Send the objection
              </button>
            </p>
          </form>
        ) : (
          <>
            <h3>What you said to it</h3>
            <p class="said" dir="auto">
              {objection.words}
            </p>
            <p class="aside">
              With the operator since <Time at={objection.createdAt} now={now} />. You are told what
              comes of it.
            </p>
          </>
        )}
      </div>
    </section>
  );
}
