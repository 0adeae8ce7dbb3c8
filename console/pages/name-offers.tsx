/** Names that go from one person to another: giving one, taking one, and what waits for an answer. */

import type { DeviceDescription } from "../../durable-objects/device/rpc.ts";
import { DAY, limits } from "../../protocol/limits.ts";
import type { Offer } from "../../workers/name/offers.ts";
import { Done, ErrorSummary, type FormErrors } from "../components/form.tsx";
import { sayDay } from "../words.ts";

interface OffersPageProps {
  readonly me: string;
  readonly offers: readonly Offer[];
  readonly devices: readonly DeviceDescription[];
  readonly ddnsZone: string;
  /** What somebody calls themself, or their Latchkey ID. */
  readonly nameOf: (accountId: string) => string;
  readonly done: string | null;
  readonly errors?: FormErrors | undefined;
}

export function OffersPage(props: OffersPageProps) {
  const { me, offers, done, errors } = props;
  const [mine, theirs] = [offers.filter(({ to }) => to === me), offers.filter((o) => o.to !== me)];
  return (
    <>
      <Done text={done} />
      <ErrorSummary errors={errors} />
      <header class="page-head">
        <div>
          <a class="crumb" href="/devices">
            Your devices
          </a>
          <h1>Names that change hands</h1>
          <p class="lead">A contact can give you a name, and you can give one of yours.</p>
        </div>
      </header>
      <section class="subject" aria-labelledby="offered">
        <header>
          <h2 id="offered">Offered to you</h2>
          <p>A name you take is one name more of a device of yours. Nothing else comes with it.</p>
        </header>
        <div class="subject-body">
          {mine.length === 0 ? (
            <p class="aside">
              Nothing. A contact who has a device offers you a name on its page; it waits here for{" "}
              {Math.round(limits.nameOfferMs / DAY)} days.
            </p>
          ) : (
            <ul class="rows">
              {mine.map((offer) => (
                <OfferRow {...props} offer={offer} />
              ))}
            </ul>
          )}
        </div>
      </section>
      <section class="subject" aria-labelledby="offering">
        <header>
          <h2 id="offering">You offer</h2>
          <p>Until somebody takes it, the name is yours and works as before.</p>
        </header>
        <div class="subject-body">
          {theirs.length === 0 ? (
            <p class="aside">Nothing. You give a name away on the page of its device’s names.</p>
          ) : (
            <ul class="rows">
              {theirs.map((offer) => (
                <li>
                  <div>
                    <b>{offer.label}</b>
                    <small>
                      To {props.nameOf(offer.to)} · until {sayDay(offer.expiresAt)}
                    </small>
                  </div>
                  <EndForm offer={offer} word="Withdraw" />
                </li>
              ))}
            </ul>
          )}
        </div>
      </section>
    </>
  );
}

function OfferRow({ offer, devices, ddnsZone, nameOf }: OffersPageProps & { offer: Offer }) {
  const free = devices.filter(({ labels }) => labels.length < limits.labelsPerDevice);
  const field = `device-${offer.id}`;
  return (
    <li>
      <div>
        <b>{offer.label}</b>
        <small class="mono">
          {offer.label}.{ddnsZone}
        </small>
        <small>
          From {nameOf(offer.from)} · until {sayDay(offer.expiresAt)}
        </small>
        <small>
          What we certified for it is revoked when you take it. A certificate that its box got by
          itself we cannot take back: it may work for up to 90 days more.
        </small>
        <small>
          Browsers that visited it bring your box what the service before left in them, such as
          cookies of a sign-in. A service of yours should believe none that it did not make.
        </small>
      </div>
      {free.length === 0 ? (
        <p class="aside">You need a device that has room for a name.</p>
      ) : (
        <form class="form" method="post" action="/names/take">
          <input type="hidden" name="offer" value={offer.id} />
          <div class="field">
            <label for={field}>For which device</label>
            <select class="input" id={field} name="device">
              {free.map(({ id, label }) => (
                <option value={id}>{label}</option>
              ))}
            </select>
          </div>
          <button class="button small" type="submit">
            Take it<span class="hidden-text"> ({offer.label})</span>
          </button>
        </form>
      )}
      <EndForm offer={offer} word="Decline" />
    </li>
  );
}

function EndForm({ offer, word }: { readonly offer: Offer; readonly word: string }) {
  return (
    <form method="post" action="/names/end">
      <input type="hidden" name="offer" value={offer.id} />
      <button class="button plain small" type="submit">
        {word}
        <span class="hidden-text"> ({offer.label})</span>
      </button>
    </form>
  );
}

interface GivePageProps {
  readonly device: DeviceDescription;
  readonly label: string;
  readonly ddnsZone: string;
  readonly contacts: readonly { readonly id: string; readonly name: string }[];
  readonly errors?: FormErrors | undefined;
}

/** Before a name is offered: to whom, and what it means. */
export function GivePage({ device, label, ddnsZone, contacts, errors }: GivePageProps) {
  const path = `/devices/${device.id}/names`;
  return (
    <div class="readable stack-large">
      <header>
        <a class="crumb" href={path}>
          The names of {device.label}
        </a>
        <h1>Give {label} to somebody?</h1>
        <p class="lead">
          They are asked first. Once they took it, <code>{`${label}.${ddnsZone}`}</code> is theirs,
          and you cannot take it back.
        </p>
      </header>
      <ErrorSummary errors={errors} />
      <section class="stack">
        <h2>What happens then</h2>
        <ul>
          <li>It leads to their device, and its door is theirs: links to it reach them.</li>
          <li>What we certified for it is revoked. {device.label} keeps its other names.</li>
          <li>Your addresses, passwords, shares and history stay yours: none of it goes along.</li>
          <li>
            Domains of yours that lead to it lead to their device then, and it can be certified for
            them: set them anew first.
          </li>
          <li>
            Browsers that visited it send their device what your service left in them, such as a
            sign-in: sign everybody out there first.
          </li>
        </ul>
      </section>
      {contacts.length === 0 ? (
        <p class="aside">
          You have no contacts yet. <a href="/people">Find somebody</a> first: both of you agree.
        </p>
      ) : (
        <form class="form" method="post" action={`${path}/give`} novalidate>
          <input type="hidden" name="label" value={label} />
          <div class="field">
            <label for="to">To</label>
            <select class="input" id="to" name="to">
              {contacts.map(({ id, name }) => (
                <option value={id}>{name}</option>
              ))}
            </select>
          </div>
          <p class="actions">
            <button class="button danger" type="submit">
              Offer {label}
            </button>
            <a class="button plain" href={path}>
              Keep it
            </a>
          </p>
        </form>
      )}
    </div>
  );
}
