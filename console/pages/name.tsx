/** The name of a device in detail: what may speak for it, and what happened to it. */

import type { NameEvent } from "../../durable-objects/device/rpc.ts";
import { DAY, limits } from "../../protocol/limits.ts";
import { DeviceHead } from "../components/device-head.tsx";
import { Done, ErrorSummary, Notice } from "../components/form.tsx";
import { Time } from "../components/time.tsx";
import { type NamePageProps, TokensSubject } from "./name-tokens.tsx";

export type { TypedAtName } from "./name-tokens.tsx";

export function NamePage(props: NamePageProps) {
  const { device, host, done, errors } = props;
  return (
    <>
      <Done text={done} />
      <ErrorSummary errors={errors} />
      <DeviceHead device={device} title={`The name of ${device.label}`}>
        <p class="lead mono">{host}</p>
      </DeviceHead>
      {device.features.name ? (
        <>
          <TokensSubject {...props} />
          <HistorySubject {...props} />
        </>
      ) : (
        <Notice tone="brass">
          <p>
            The name is off, so there is nothing to speak for.{" "}
            <a href={`/devices/${device.id}#name`}>Switch it on</a>
          </p>
        </Notice>
      )}
    </>
  );
}

const verdicts: Readonly<Record<NameEvent["verdict"], string>> = {
  good: "changed",
  nochg: "was so already",
  badauth: "was refused",
  nohost: "was refused",
  dnserr: "was refused: no public name may show what was sent, or it was no address",
  abuse: "was refused: it asks too often",
  ended: "has a password less: nobody had used it for half a year",
  "911": "had to wait: too many changes in a short time",
};

function HistorySubject({ events, now }: NamePageProps) {
  return (
    <section class="subject" aria-labelledby="history">
      <header>
        <h2 id="history">What happened</h2>
        <p>
          Of the last {Math.round(limits.nameHistoryMs / DAY)} days. Which addresses they were is
          never kept.
        </p>
      </header>
      <div class="subject-body">
        {events.length === 0 ? (
          <p class="aside">
            Nothing yet. A change of the address stands here, and an update that was refused; one
            that changes nothing leaves no trace.
          </p>
        ) : (
          <ul class="rows">
            {events.map((event) => (
              <li>
                <div>
                  <b>{sayEvent(event)}</b>
                  <small>
                    {sayClient(event)} · <Time at={event.at} now={now} />
                  </small>
                </div>
              </li>
            ))}
          </ul>
        )}
      </div>
    </section>
  );
}

function sayEvent({ verdict, families }: NameEvent): string {
  const what = families.map((family) => (family === "ipv4" ? "IPv4" : "IPv6")).join(" and ");
  return `${what || "The name"} ${verdicts[verdict]}`;
}

function sayClient({ client, token, verdict }: NameEvent): string {
  if (verdict === "ended") return token === "" ? "It had no name" : `It was “${token}”`;
  if (client === "device") return "The device’s own connection";
  const program = client || "A program we do not know";
  return token === "" ? program : `${program}, with “${token}”`;
}
