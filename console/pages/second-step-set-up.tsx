/** Setting a second step up: a code app, or a phone that gets text messages. */

import type { StepPhone, TotpSetup } from "../../workers/sign-in/step-settings.ts";
import { AccountFrame } from "../account-nav.tsx";
import { Command, ErrorSummary, Field, type FormErrors, Notice } from "../components/form.tsx";
import { QrCode } from "../pictures/qr.tsx";

const home = "/account/second-step";

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
          <Notice tone="good" focus>
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
