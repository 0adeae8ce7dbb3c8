/** The certificate of a device's name, as its owner sees it. */

import type { DeviceDescription } from "../../durable-objects/device/rpc.ts";
import type { CertificateStatus } from "../../protocol/certificates.ts";
import { type RevocationReason, refusedOf } from "../../workers/certificates/revocation.ts";
import type { CertificateView } from "../../workers/certificates/service.ts";
import { DeviceHead } from "../components/device-head.tsx";
import { Choices, Command, Done, Notice } from "../components/form.tsx";
import { Time } from "../components/time.tsx";
import { count, sayDay } from "../words.ts";

interface Props {
  readonly device: DeviceDescription;
  /** Null while the name is off. */
  readonly view: CertificateView | null;
  readonly status: CertificateStatus;
  /** Its name in DNS. */
  readonly host: string;
  readonly origin: string;
  /** True where CAA records of the owner's keep that authority out. */
  readonly isKeptOut: boolean;
  /** True where the operator named an authority that we order from. */
  readonly orders: boolean;
  readonly now: number;
  readonly done: string | null;
}

export function CertificatePage(props: Props) {
  const { device, host, done, view } = props;
  return (
    <>
      <Done text={done} />
      <DeviceHead device={device} title={`The certificate of ${device.label}`}>
        <p class="lead mono">{host}</p>
      </DeviceHead>
      {view === null ? (
        <Notice tone="brass">
          <p>
            The name is off, and only a name can be certified.{" "}
            <a href={`/devices/${device.id}#name`}>Switch it on</a>
          </p>
        </Notice>
      ) : (
        <>
          {props.orders && <OrderedSubject {...props} view={view} />}
          <OwnSubject {...props} />
        </>
      )}
    </>
  );
}

function OrderedSubject(props: Props & { view: CertificateView }) {
  const { device, view, status, now } = props;
  const { current, order } = view;
  const refused = refusedOf(view, now);
  return (
    <section class="subject" aria-labelledby="ordered">
      <header>
        <h2 id="ordered">Ordered by us</h2>
        <p>The box makes the key and keeps it; we order, and the box renews by itself.</p>
      </header>
      <div class="subject-body">
        <p>{sentenceOf(status, view)}</p>
        {props.isKeptOut && (
          <Notice tone="brass">
            <p>
              <a href={`/devices/${device.id}/records`}>CAA records of yours</a> say who may certify
              the name, and the authority that we order from is not seen among them: it will refuse
              the next certificate. Add it there, or let only the one we order from, below: then it
              stands beside yours.
            </p>
          </Notice>
        )}
        {order?.problem != null && (
          <p class="aside">
            The authority said: <span class="mono">{order.problem}</span>
          </p>
        )}
        {current !== null && (
          <dl class="facts">
            <dt>For</dt>
            <dd class="mono">{current.names.join(", ")}</dd>
            <dt>Good until</dt>
            <dd>{sayDay(current.notAfter)}</dd>
            {current.revokedAt === null ? (
              <>
                <dt>Renewed about</dt>
                <dd>{sayDay(current.renewAt)}</dd>
              </>
            ) : (
              <>
                <dt>Revoked</dt>
                <dd>
                  <Time at={current.revokedAt} now={now} />
                </dd>
              </>
            )}
          </dl>
        )}
        {refused.length > 0 && (
          <Notice tone="brass">
            <p>
              The authority refused to revoke {refused.length === 1 ? "a certificate" : "some"}.
              Whoever has {refused.length === 1 ? "its key" : "their keys"} can show it until its
              end:
            </p>
            <ul>
              {refused.map(({ names, notAfter }) => (
                <li>
                  <span class="mono">{names.join(", ")}</span>, until {sayDay(notAfter)}
                </li>
              ))}
            </ul>
          </Notice>
        )}
        {(current === null || status === "failed") && (
          <>
            <p>On the box, for its name alone or with every name below it:</p>
            <Command text="latchkey certificate" label="the command" />
            <Command text="latchkey certificate --wildcard" label="the command with a wildcard" />
          </>
        )}
        {current !== null && current.revokedAt === null && (
          <p>
            <a href={`/devices/${device.id}/certificate/revoke`}>Revoke it</a>
          </p>
        )}
        {(current !== null || view.caa !== null) && <Authorities {...props} />}
      </div>
    </section>
  );
}

function sentenceOf(status: CertificateStatus, { queue, current }: CertificateView): string {
  switch (status) {
    case "none":
      return current === null
        ? "There is none yet."
        : "It was revoked. The box gets another one when it asks next.";
    case "waiting":
      return queue === null
        ? "It is tried again by itself in a while."
        : `It waits for its turn: authorities certify so many names of a zone a week. Before it ${queue === 1 ? "is" : "are"} ${count(queue, "other")}.`;
    case "under-way":
      return "The authority looks whether the name is this box’s. That takes less than a minute.";
    case "ready":
      return "The name is certified.";
    case "failed":
      return "The authority did not certify it. Try again on the box once you know why.";
  }
}

function Authorities({ device, view }: Props & { view: CertificateView }) {
  const isPinned = view.caa !== null;
  return (
    <form class="form" method="post" action={`/devices/${device.id}/certificate/authorities`}>
      <h3>Who else may certify the name</h3>
      <p>
        {isPinned
          ? "Nobody, unless CAA records of yours let them: DNS says that only our account at our authority may. If the box also orders for itself, let others in."
          : "Every authority that is shown that the name is yours. If only we order for the box, shut others out."}
      </p>
      <input type="hidden" name="any" value={isPinned ? "yes" : "no"} />
      <p>
        <button class="button plain" type="submit">
          {isPinned ? "Let every authority" : "Only the one we order from"}
        </button>
      </p>
    </form>
  );
}

function OwnSubject({ device, host, origin, view }: Props) {
  const lego = [
    `HTTPREQ_ENDPOINT=${origin}/acme`,
    `HTTPREQ_USERNAME=${host}`,
    "HTTPREQ_PASSWORD=…",
    "lego --dns httpreq --email you@example.org",
    `  --domains ${host}`,
    `  --domains '*.${host}' run`,
  ].join(" \\\n");
  return (
    <section class="subject" aria-labelledby="own">
      <header>
        <h2 id="own">Ordered by a program of yours</h2>
        <p>It keeps its account and key; we put into DNS what the authority wants to see.</p>
      </header>
      <div class="subject-body">
        <p>
          <a href={`/devices/${device.id}/name`}>Make a password</a> that may get certificates, and
          give it to lego, certbot, dehydrated, acme.sh, Caddy or Traefik. With lego:
        </p>
        <Command text={lego} label="the lego command" />
        {view?.caa != null && (
          <p class="aside">
            DNS says that only our account may certify the name. Let every authority first, above.
          </p>
        )}
      </div>
    </section>
  );
}

const reasons: readonly (readonly [RevocationReason, string, string])[] = [
  ["superseded", "There is another one", "Or there will be: the box gets a new one."],
  ["key-compromise", "Somebody else may have the key", "The box was stolen, or its files copied."],
  ["cessation", "The name is not used any more", "Nothing of mine answers there."],
  ["unspecified", "Something else", "No reason is published."],
];

export function RevokePage({ device, host }: Pick<Props, "device" | "host">) {
  const path = `/devices/${device.id}/certificate`;
  return (
    <div class="narrow stack-large">
      <header>
        <h1>Revoke the certificate of {host}?</h1>
        <p class="lead">
          Browsers are told not to trust it any more, nor those before it that still count. It
          cannot be taken back; the box gets a new one, with a new key, when it asks next.
        </p>
      </header>
      <form class="form" method="post" action={`${path}/revoke`}>
        <fieldset class="choices">
          <legend>Why</legend>
          <Choices name="reason" chosen="superseded" choices={reasons} />
        </fieldset>
        <p class="actions">
          <button class="button" type="submit">
            Revoke it
          </button>
          <a href={path}>Keep it</a>
        </p>
      </form>
    </div>
  );
}
