/** Domains of one's own that lead to a device: what to set, what DNS says of them, and what to do. */

import type { DomainStep, OwnDomain } from "../../durable-objects/device/domains-rpc.ts";
import type { DeviceDescription } from "../../durable-objects/device/rpc.ts";
import { DAY, limits } from "../../protocol/limits.ts";
import { DeviceHead } from "../components/device-head.tsx";
import { Done, ErrorSummary, Field, type FormErrors, Notice } from "../components/form.tsx";
import { Time } from "../components/time.tsx";
import { ConfirmPage } from "./confirm.tsx";

export interface DomainsPageProps {
  readonly device: DeviceDescription;
  /** Null while the name is off. */
  readonly domains: readonly OwnDomain[] | null;
  /** The device's name in DNS. */
  readonly host: string;
  /** False where the operator named no resolver. */
  readonly looks: boolean;
  readonly now: number;
  readonly done: string | null;
  readonly typed?: string | undefined;
  readonly errors?: FormErrors | undefined;
}

const days = (ms: number) => Math.round(ms / DAY);

export function DomainsPage(props: DomainsPageProps) {
  const { device, domains, done, errors } = props;
  return (
    <>
      <Done text={done} />
      <ErrorSummary errors={errors} />
      <DeviceHead device={device} title={`Domains of yours for ${device.label}`}>
        <p class="lead">A domain that you registered elsewhere can lead to your box as well.</p>
      </DeviceHead>
      {domains === null ? (
        <Notice tone="brass">
          <p>
            The name is off, and a domain leads to a name.{" "}
            <a href={`/devices/${device.id}#name`}>Switch it on</a>
          </p>
        </Notice>
      ) : (
        <>
          {domains.map((domain) => (
            <DomainSubject {...props} domain={domain} />
          ))}
          <AddSubject {...props} domains={domains} />
          <WorksSubject {...props} />
        </>
      )}
    </>
  );
}

type OneProps = DomainsPageProps & { readonly domain: OwnDomain };

function DomainSubject(props: OneProps) {
  const { device, domain, looks, now } = props;
  const { name, seen } = domain;
  const path = `/devices/${device.id}/domains`;
  return (
    <section class="subject" aria-labelledby={name}>
      <header>
        <h2 id={name} class="mono">
          {name}
        </h2>
        <p>
          {standing(domain)}{" "}
          {seen !== null && (
            <>
              Looked at <Time at={seen.at} now={now} />.
            </>
          )}
        </p>
      </header>
      <div class="subject-body">
        <p>{sentenceOf(props)}</p>
        {domain.lostAt !== null && (
          <Notice tone="bad">
            <p>
              It led here, and does not any more. It counts until{" "}
              <Time at={domain.lostAt + limits.domainGraceMs} now={now} />; if you did not change
              it, see who did.
            </p>
          </Notice>
        )}
        {(seen?.verdict !== "here" || !domain.certifiable) && <ToSet {...props} />}
        {seen !== null && <Asked steps={seen.steps} />}
        <div class="actions">
          {looks && (
            <form method="post" action={`${path}/look`}>
              <input type="hidden" name="domain" value={name} />
              <button class="button" type="submit">
                Look again<span class="hidden-text"> ({name})</span>
              </button>
            </form>
          )}
          <a class="button plain" href={`${path}/take-away?domain=${encodeURIComponent(name)}`}>
            Take it away<span class="hidden-text"> ({name})</span>
          </a>
        </div>
        <p class="aside">{whenOf(props)}</p>
      </div>
    </section>
  );
}

function standing({ since, seen }: OwnDomain): string {
  if (since === null) return "Does not lead here.";
  return seen?.verdict === "here" ? "Leads here." : "Led here when it was seen last.";
}

/** What was seen, and what to do about it. */
function sentenceOf({ domain, host, device }: OneProps): string {
  switch (domain.seen?.verdict) {
    case undefined:
      return "Nobody has looked yet.";
    case "here":
      return domain.certifiable
        ? "It leads to this box, and the box may be certified for it."
        : "It leads to this box. For https, set the second record too: then the box is certified for it.";
    case "unset":
      return "DNS knows no such record yet. Set the records below; it may take a while until they are seen.";
    case "elsewhere":
      return `It is another name for something that is not ${device.label}. Let it lead to ${host}.`;
    case "other-address":
      return `Its addresses are not those of ${host}. If your DNS service puts a proxy before it, switch that off.`;
    case "unproved":
      return "Its addresses are this box’s, but others may share them. The _acme-challenge record says that it is yours.";
    case "no-address":
      return `${host} has no address right now, so there is nothing to compare with.`;
    case "loop":
      return `It leads in a circle, or through more than ${limits.domainChain} names. Let it lead to ${host} itself.`;
    case "broken":
      return "The name servers of this domain fail. Ask whoever runs them.";
    case "silent":
      return "The resolver that we ask did not answer, or with what is no answer. Nothing is lost by that for some ten days; it is asked again.";
  }
}

function whenOf({ domain, looks, now }: OneProps) {
  if (!looks) return "Nobody looks at it here any more: the operator names no resolver.";
  if (domain.dueAt === null) return "It is not looked at again until you say so.";
  return (
    <>
      Looked at by itself again <Time at={Math.max(domain.dueAt, now)} now={now} />.
    </>
  );
}

function ToSet({ domain: { name }, host }: OneProps) {
  const records = [
    { name, kind: "CNAME", value: host },
    { name: `_acme-challenge.${name}`, kind: "CNAME", value: `_acme-challenge.${host}` },
  ];
  return (
    <div class="stack">
      <h3>Set this where your domain’s DNS is</h3>
      <ul class="rows">
        {records.map(({ kind, value, ...record }) => (
          <li>
            <div>
              <b>
                {kind} <span class="mono">{record.name}</span>
              </b>
              <small class="mono">{value}</small>
            </div>
          </li>
        ))}
      </ul>
      <p class="aside">
        If {name} is the whole of what you registered, no CNAME can stand there: take ALIAS or
        ANAME, where your DNS service has it, with the same value. A and AAAA with the addresses of{" "}
        <span class="mono">{host}</span> count too, and go stale when those change. The second
        record is needed then.
      </p>
    </div>
  );
}

const said: Readonly<Record<DomainStep["said"], string>> = {
  answer: "nothing of that kind",
  "no-name": "no such name",
  failed: "an error",
  silent: "no answer",
};

function Asked({ steps }: { steps: readonly DomainStep[] }) {
  return (
    <details>
      <summary>What we asked, and what came</summary>
      <ul class="rows">
        {steps.map(({ name, type, values, ...step }) => (
          <li>
            <div>
              <b>
                {type} <span class="mono">{name}</span>
              </b>
              {values.length === 0 ? (
                <small>{said[step.said]}</small>
              ) : (
                values.map((value) => <small class="mono">{value}</small>)
              )}
            </div>
          </li>
        ))}
      </ul>
    </details>
  );
}

function AddSubject(props: DomainsPageProps & { readonly domains: readonly OwnDomain[] }) {
  const { device, domains, host, looks, typed, errors } = props;
  const isFull = domains.length >= limits.domainsPerDevice;
  return (
    <section class="subject" aria-labelledby="add">
      <header>
        <h2 id="add">{domains.length === 0 ? "Add a domain" : "One more"}</h2>
        <p>It stays where it is: you set one or two records there, and we look whether they are.</p>
      </header>
      <div class="subject-body">
        {domains.length === 0 && (
          <p class="aside">
            None yet. Say <span class="mono">cloud.example.org</span>, let it lead to{" "}
            <span class="mono">{host}</span> with a CNAME record, and it follows your home’s address
            as that does.
          </p>
        )}
        {!looks && (
          <p>
            Nobody looks at domains here: whoever runs this named no resolver. A CNAME record works
            all the same; a certificate for the domain is then for a program of yours to get.
          </p>
        )}
        {looks && isFull && (
          <p class="aside">There are {limits.domainsPerDevice}, as many as a device can have.</p>
        )}
        {looks && !isFull && (
          <form class="form" method="post" action={`/devices/${device.id}/domains`} novalidate>
            <Field
              name="domain"
              label="Your domain"
              class="mono"
              value={typed}
              autocomplete="off"
              spellcheck={false}
              maxlength={254}
              hint="The whole of it, such as cloud.example.org."
              errors={errors}
            />
            <p class="actions">
              <button class="button" type="submit">
                Add it
              </button>
            </p>
          </form>
        )}
      </div>
    </section>
  );
}

function WorksSubject({ device }: DomainsPageProps) {
  return (
    <section class="subject" aria-labelledby="works">
      <header>
        <h2 id="works">What works with it</h2>
        <p>And what does not.</p>
      </header>
      <div class="subject-body">
        <ul>
          <li>The domain reaches the box directly, as its name does.</li>
          <li>
            A box that has{" "}
            <a href={`/devices/${device.id}/certificate`}>a certificate ordered by us</a> gets one
            for the domain too, by itself, within half a day; at once with{" "}
            <code>latchkey certificate</code>.
          </li>
          <li>
            The door does not answer at it: whom you let in, shares and the way through our relay
            are at the device’s own names only.
          </li>
        </ul>
        <p class="aside">
          A domain that led here is looked at every day. When it does not any more, we write to you,
          and after {days(limits.domainGraceMs)} days it counts no more. The resolver that is asked
          learns the domain, not whose it is.
        </p>
      </div>
    </section>
  );
}

export function TakeAwayPage({
  device,
  domain,
}: {
  readonly device: DeviceDescription;
  readonly domain: OwnDomain;
}) {
  const path = `/devices/${device.id}/domains`;
  return (
    <ConfirmPage
      title={`Take ${domain.name} away?`}
      lead="We forget it, and what we saw of it."
      going={[
        { what: "Looking where it leads", when: "At once. Nobody writes to you about it." },
        {
          what: `Certificates for ${domain.name}`,
          when: "The one that the box has counts until it ends, and the next is without it.",
        },
      ]}
      staying={["What DNS says of it: remove the records there, or it goes on leading here."]}
      action={`${path}/take-away`}
      fields={{ domain: domain.name }}
      button={`Take ${domain.name} away`}
      back={{ href: path, label: `Domains of yours for ${device.label}` }}
    />
  );
}
