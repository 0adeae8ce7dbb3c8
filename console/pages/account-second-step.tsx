/** The account center's part on second steps: what is on, setting one up, codes, trusted browsers. */

import type { StepPhone, StepSettings, TotpSetup } from "../../workers/sign-in/step-settings.ts";
import type { TrustedBrowserView } from "../../workers/sign-in/trust.ts";
import { AccountFrame } from "../account-nav.tsx";
import { Command, ErrorSummary, Field, type FormErrors, Notice } from "../components/form.tsx";
import { Icon } from "../components/icons.tsx";
import { Time } from "../components/time.tsx";
import { QrCode } from "../pictures/qr.tsx";
import { count, sayDay } from "../words.ts";

const home = "/account/second-step";

interface OverviewProps {
  readonly settings: StepSettings;
  readonly trusted: readonly TrustedBrowserView[];
  readonly now: number;
  readonly done: string | null;
}

export function StepOverviewPage({ settings, trusted, now, done }: OverviewProps) {
  const { totp, sms, phones, recoveryCodesLeft } = settings;
  const on = totp || sms !== null;
  return (
    <AccountFrame
      at="second-step"
      title="Second step"
      lead={
        on
          ? "Signing in takes your password, or another first step, and one of these."
          : "Ask for a second thing at sign-in, so that a stolen password opens nothing."
      }
      done={done}
    >
      <div class="stack-large">
        <ul class="rows">
          <StepRow
            name="Codes from an app"
            says={
              totp
                ? "Your app shows a new code every half minute."
                : "An app on your phone shows a new code every half minute. It works without a network."
            }
            kind="totp"
            on={totp}
            possible
          />
          <StepRow
            name="Codes by text message"
            says={smsSays(sms, phones)}
            kind="sms"
            on={sms !== null}
            possible={phones.length > 0}
          />
          {on && (
            <li>
              <div>
                <b>Recovery codes</b>
                <small>
                  {count(recoveryCodesLeft, "code")} left. Each lets you in once when your phone is
                  gone.
                </small>
              </div>
              <a class="button plain small" href={`${home}/codes`}>
                Make new ones
              </a>
            </li>
          )}
        </ul>
        <Trusted trusted={trusted} now={now} on={on} />
      </div>
    </AccountFrame>
  );
}

function smsSays(sms: StepPhone | null, phones: readonly StepPhone[]): string {
  if (sms !== null) return `Codes go to ${sms.number}.`;
  return phones.length > 0
    ? "We send a code to your phone. An app is safer: text messages can be redirected."
    : "We send a code to your phone. Add a phone number to your addresses first.";
}

function StepRow(props: {
  readonly name: string;
  readonly says: string;
  readonly kind: "totp" | "sms";
  readonly on: boolean;
  readonly possible: boolean;
}) {
  const { name, says, kind, on, possible } = props;
  return (
    <li>
      <div>
        <b>
          {name} {on && <span class="tag">On</span>}
        </b>
        <small>{says}</small>
      </div>
      {(on || possible) && (
        <a
          class={on ? "button plain small" : "button small"}
          href={on ? `${home}/off?kind=${kind}` : `${home}/${kind}`}
        >
          {on ? "Switch off" : "Set up"}
          <span class="hidden-text"> ({name})</span>
        </a>
      )}
    </li>
  );
}

interface TrustedProps {
  readonly trusted: readonly TrustedBrowserView[];
  readonly now: number;
  readonly on: boolean;
}

function Trusted({ trusted, now, on }: TrustedProps) {
  return (
    <section class="stack" aria-labelledby="trusted">
      <h2 id="trusted">Browsers you trust</h2>
      {trusted.length === 0 ? (
        <p>
          {on
            ? "None. Tick “Trust this browser” at the second step, and that browser is not asked for it for 90 days."
            : "None. With a second step on, you can spare your own browsers from it."}
        </p>
      ) : (
        <>
          <ul class="rows">
            {trusted.map(({ id, client, network, current, seenAt, createdAt, expiresAt }) => (
              <li>
                <div>
                  <b>
                    {client} {current && <span class="tag">This browser</span>}
                  </b>
                  <small>
                    {network === null ? "" : `Trusted from the network ${network} · `}
                    used <Time at={seenAt} now={now} /> · since {sayDay(createdAt)} · until{" "}
                    {sayDay(expiresAt)}
                  </small>
                </div>
                <form method="post" action={`${home}/trusted/end`}>
                  <input type="hidden" name="browser" value={id} />
                  <button class="button plain small" type="submit">
                    Stop trusting<span class="hidden-text"> ({client})</span>
                  </button>
                </form>
              </li>
            ))}
          </ul>
          {trusted.length > 1 && (
            <form class="after-list" method="post" action={`${home}/trusted/end-all`}>
              <button class="button danger plain" type="submit">
                Stop trusting all of them
              </button>
            </form>
          )}
        </>
      )}
    </section>
  );
}

interface TotpProps {
  readonly setUp: TotpSetup;
  readonly errors?: FormErrors | undefined;
}

/** Base32 in groups of four: people type it where a camera is of no use. */
const grouped = (secret: string): string => secret.replace(/.{4}(?=.)/g, "$& ");

export function TotpPage({ setUp, errors }: TotpProps) {
  return (
    <AccountFrame
      at="second-step"
      title="Codes from an app"
      lead="Any app for one-time codes will do: Aegis, 2FAS, Google Authenticator, your password manager."
    >
      <ErrorSummary errors={errors} />
      <ol class="steps">
        <li>
          <h3>Show this to your app</h3>
          <QrCode text={setUp.uri} label="QR code with the secret below" />
          <p>
            On this very phone? <a href={setUp.uri}>Open your app</a>. No camera? Type this secret:
          </p>
          <Command text={grouped(setUp.secret)} label="the secret" />
        </li>
        <li>
          <h3>Type the code that it shows</h3>
          <p>Only then does it count, so that you cannot lock yourself out.</p>
          <form class="form" method="post" action={`${home}/totp`} novalidate>
            <Code errors={errors} />
            <p class="actions">
              <button class="button" type="submit">
                Switch it on
              </button>
              <a class="button plain" href={home}>
                Not now
              </a>
            </p>
          </form>
        </li>
      </ol>
    </AccountFrame>
  );
}

function Code({ errors }: { errors: FormErrors | undefined }) {
  return (
    <Field
      name="code"
      label="The six digits"
      autocomplete="one-time-code"
      inputmode="numeric"
      class="mono"
      spellcheck={false}
      errors={errors}
    />
  );
}

interface SmsProps {
  readonly phones: readonly StepPhone[];
  /** True when a code was sent just now. */
  readonly sent: boolean;
  readonly mailPage: string | null;
  readonly errors?: FormErrors | undefined;
}

export function SmsPage({ phones, sent, mailPage, errors }: SmsProps) {
  return (
    <AccountFrame
      at="second-step"
      title="Codes by text message"
      lead="At each sign-in we send six digits to your phone."
    >
      <ErrorSummary errors={errors} />
      {sent && (
        <>
          <Notice tone="good">
            <p>
              A code is on its way to your phone.
              {mailPage !== null && (
                <>
                  {" "}
                  On this machine, messages stay here: <a href={mailPage}>show them</a>.
                </>
              )}
            </p>
          </Notice>
          <form class="form" method="post" action={`${home}/sms/code`} novalidate>
            <Code errors={errors} />
            <button class="button" type="submit">
              Switch it on
            </button>
          </form>
        </>
      )}
      {phones.length === 0 ? (
        <p>
          There is no phone number yet. <a href="/account/addresses">Add one</a> and come back.
        </p>
      ) : (
        <form class="form" method="post" action={`${home}/sms`} novalidate>
          <fieldset class="choices">
            <legend>{sent ? "Send a new code to" : "Which phone gets the codes"}</legend>
            {phones.map(({ id, number }, index) => (
              <label class="choice">
                <input type="radio" name="phone" value={id} checked={index === 0} />
                <b>{number}</b>
              </label>
            ))}
          </fieldset>
          <p class="actions">
            <button class={sent ? "button plain" : "button"} type="submit">
              Send a code
            </button>
            <a class="button plain" href={home}>
              Not now
            </a>
          </p>
        </form>
      )}
    </AccountFrame>
  );
}

interface CodesProps {
  /** Shown this once; null before they are made. */
  readonly codes: readonly string[] | null;
  readonly left: number;
  readonly done: string | null;
}

export function CodesPage({ codes, left, done }: CodesProps) {
  return (
    <AccountFrame
      at="second-step"
      title="Recovery codes"
      lead="For the day your phone is gone: each lets you in once, in place of the second step."
      done={done}
    >
      {codes === null ? (
        <form class="form" method="post" action={`${home}/codes`} novalidate>
          <p>
            You have {count(left, "code")} left. New ones take their place: the old ones stop
            working at once.
          </p>
          <p class="actions">
            <button class="button" type="submit">
              Make ten new codes
            </button>
            <a class="button plain" href={home}>
              Keep the old ones
            </a>
          </p>
        </form>
      ) : (
        <NewCodes codes={codes} />
      )}
    </AccountFrame>
  );
}

function NewCodes({ codes }: { codes: readonly string[] }) {
  const text = codes.join("\n");
  const file = encodeURIComponent(`Latchkey recovery codes\nEach works once.\n\n${text}\n`);
  return (
    <section class="stack secret" aria-labelledby="codes">
      <h2 id="codes">Keep these now</h2>
      <p>
        This page is the only one that ever shows them: we keep hashes, not codes. Print it, or keep
        them in your password manager; not on the phone they stand in for.
      </p>
      <Command text={text} label="the recovery codes" />
      <p class="actions">
        <a
          class="button plain"
          href={`data:text/plain;charset=utf-8,${file}`}
          download="latchkey-recovery-codes.txt"
        >
          <Icon name="arrow" />
          Save as a file
        </a>
        <a class="button" href={home}>
          I have them
        </a>
      </p>
    </section>
  );
}
