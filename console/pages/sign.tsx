/** Coming in: sign-up, the mail on its way, its link, sign-in. */

import { ErrorSummary, Field, type FormErrors, Notice } from "../components/form.tsx";
import { Icon } from "../components/icons.tsx";
import { PasskeyForm } from "../components/passkey.tsx";

interface Region {
  readonly id: string;
  readonly title: string;
}

interface SignUpTyped {
  readonly address: string;
  readonly region: string;
  readonly age: string;
}

interface SignUpProps {
  /** True where text messages can be sent. */
  readonly phones: boolean;
  readonly regions: readonly Region[];
  /** The operator set a minimum age. */
  readonly asksAge: boolean;
  readonly minLength: number;
  readonly providers: readonly Elsewhere[];
  readonly typed?: SignUpTyped | undefined;
  readonly errors?: FormErrors | undefined;
}

/** How the field for an address is called. */
const addressLabel = (phones: boolean): string =>
  phones ? "E-mail address or phone number" : "E-mail address";

interface AddressFieldProps {
  readonly phones: boolean;
  readonly autocomplete?: string;
  readonly value?: string | undefined;
  readonly errors?: FormErrors | undefined;
  readonly hint?: string;
}

/** Where somebody is reached, and what they sign in with. */
export function AddressField({ phones, autocomplete = "username", ...rest }: AddressFieldProps) {
  return (
    <Field
      name="address"
      label={addressLabel(phones)}
      type={phones ? "text" : "email"}
      inputmode="email"
      autocomplete={autocomplete}
      spellcheck={false}
      {...rest}
    />
  );
}

/** A provider of accounts elsewhere, as it is offered. */
export interface Elsewhere {
  readonly id: string;
  readonly title: string;
}

/** Ways in with an account elsewhere: words only, for a provider's picture would tell it of every visitor. */
export function ElsewhereLinks({
  providers,
  returnTo,
}: {
  providers: readonly Elsewhere[];
  returnTo?: string | null;
}) {
  if (providers.length === 0) return null;
  const query = returnTo == null ? "" : `?return=${encodeURIComponent(returnTo)}`;
  return (
    <section class="elsewhere" aria-labelledby="elsewhere">
      <h2 id="elsewhere">Or with an account elsewhere</h2>
      <ul>
        {providers.map(({ id, title }) => (
          <li>
            <a class="button plain wide" href={`/sign-in/with/${id}${query}`}>
              Continue with {title}
            </a>
          </li>
        ))}
      </ul>
      <p class="hint">
        {providers.length === 1 ? "It learns" : "The one you choose learns"} that you sign in here,
        under its own terms. We keep no key of it.
      </p>
    </section>
  );
}

export function SignUpPage(props: SignUpProps) {
  const { phones, regions, asksAge, minLength, providers, typed, errors } = props;
  return (
    <div class="narrow stack">
      <header>
        <h1>Open an account</h1>
        <p class="lead">An address to reach you and a password. That is all we ask for.</p>
      </header>
      <ErrorSummary errors={errors} />
      <form class="form" method="post" action="/sign-up" novalidate>
        <AddressField
          phones={phones}
          value={typed?.address}
          errors={errors}
          hint={
            phones
              ? "We send one message to check that it is yours. A number begins with its country code, such as +49."
              : "We send one mail to check that it is yours."
          }
        />
        <Field
          name="password"
          label="Password"
          type="password"
          autocomplete="new-password"
          errors={errors}
          hint={`At least ${minLength} characters. A few words you can remember are fine.`}
        />
        {asksAge && <AgeField typed={typed?.age} errors={errors} />}
        {regions.length > 1 && <RegionChoice regions={regions} chosen={typed?.region} />}
        <button class="button wide" type="submit">
          {phones ? "Send me the message" : "Send me the mail"}
        </button>
      </form>
      <ElsewhereLinks providers={providers} />
      <p class="aside">
        By opening an account you let us hold what the <a href="/privacy">privacy page</a> lists
        under “Account”, and no more. You have one already? <a href="/sign-in">Sign in</a>.
      </p>
    </div>
  );
}

/** Asked neutrally: it does not say which answer opens the account. Every sign-up form has it. */
export function AgeField({
  typed,
  errors,
}: {
  typed: string | undefined;
  errors: FormErrors | undefined;
}) {
  return (
    <Field
      name="age"
      label="How old are you?"
      autocomplete="off"
      inputmode="numeric"
      maxlength={3}
      class="short"
      value={typed}
      errors={errors}
      hint="In whole years. We look at it once and keep it nowhere."
    />
  );
}

export function RegionChoice({
  regions,
  chosen,
}: {
  regions: readonly Region[];
  chosen: string | undefined;
}) {
  return (
    <fieldset class="choices">
      <legend>Where your data lives</legend>
      <p class="hint">It stays there. You can see it on your account page at any time.</p>
      {regions.map(({ id, title }, index) => (
        <label class="choice">
          <input
            type="radio"
            name="region"
            value={id}
            checked={chosen ? chosen === id : index === 0}
          />
          <b>{title}</b>
        </label>
      ))}
    </fieldset>
  );
}

/** Where messages go on a Latchkey for trying out; nothing where they are really sent. */
export function MessagesHere({ mailPage }: { mailPage: string | null }) {
  if (mailPage === null) return null;
  return (
    <Notice tone="brass">
      <p>
        This is a Latchkey for trying out: messages stay on this machine.{" "}
        <a href={mailPage}>Show the messages</a>
      </p>
    </Notice>
  );
}

export function MailSentPage({ mailPage, minutes }: { mailPage: string | null; minutes: number }) {
  return (
    <div class="narrow stack">
      <header>
        <h1>Look in your mail</h1>
        <p class="lead">
          We sent you a link. It works once, within {minutes} minutes. Until you open it there is no
          account, and after that we forget the address.
        </p>
      </header>
      <MessagesHere mailPage={mailPage} />
      <p class="aside">
        Nothing there? Look among the spam, check the spelling, and{" "}
        <a href="/sign-up">ask for the mail again</a>.
      </p>
    </div>
  );
}

interface CodeProps {
  readonly token: string;
  readonly minutes: number;
  readonly mailPage: string | null;
  readonly errors?: FormErrors | undefined;
}

/** The code that came as a text message; the page holds what it belongs to. */
export function CodePage({ token, minutes, mailPage, errors }: CodeProps) {
  return (
    <div class="narrow stack">
      <header>
        <h1>Look at your phone</h1>
        <p class="lead">
          We sent it a text message. If it has a code, type it here within {minutes} minutes. Until
          then there is no account.
        </p>
      </header>
      <ErrorSummary errors={errors} />
      <MessagesHere mailPage={mailPage} />
      <form class="form" method="post" action="/sign-up/code" novalidate>
        <input type="hidden" name="token" value={token} />
        <CodeField errors={errors} />
        <button class="button wide" type="submit">
          <Icon name="key" />
          Open my account
        </button>
      </form>
      <p class="aside">
        No message? Check the number, and <a href="/sign-up">ask for it again</a>.
      </p>
    </div>
  );
}

/** Six digits that came in a message. */
export function CodeField({ errors }: { errors: FormErrors | undefined }) {
  return (
    <Field
      name="code"
      label="The code from the message"
      autocomplete="one-time-code"
      inputmode="numeric"
      class="mono"
      spellcheck={false}
      errors={errors}
    />
  );
}

interface VerifyProps {
  readonly token: string;
  readonly errors?: FormErrors | undefined;
}

/**
 * Mail scanners open links; only a person presses the button, and only who began the sign-up knows
 * its password.
 */
export function VerifyPage({ token, errors }: VerifyProps) {
  return (
    <div class="narrow stack">
      <header>
        <h1>This is your address</h1>
        <p class="lead">Now show that you asked for the account. You are signed in right after.</p>
      </header>
      <ErrorSummary errors={errors} />
      <form class="form" method="post" action="/verify" novalidate>
        <input type="hidden" name="token" value={token} />
        <Field
          name="password"
          label="The password you chose"
          type="password"
          autocomplete="current-password"
          errors={errors}
        />
        <button class="button wide" type="submit">
          <Icon name="key" />
          Open my account
        </button>
      </form>
      <p class="aside">
        You did not ask for it? Close this page, and nothing happens. The password does not come to
        mind? <a href="/sign-up">Ask for a new mail</a> with another one.
      </p>
    </div>
  );
}

interface SignInProps {
  readonly phones: boolean;
  readonly returnTo: string | null;
  /** The label of the device whose door asked. */
  readonly door?: string | null;
  /** The name of the app that asked. */
  readonly app?: string | null;
  readonly erased?: boolean;
  readonly providers: readonly Elsewhere[];
  readonly typed?: { readonly address: string } | undefined;
  readonly errors?: FormErrors | undefined;
}

export function SignInPage(props: SignInProps) {
  const { phones, returnTo, door, app, erased, providers, typed, errors } = props;
  return (
    <div class="narrow stack">
      {erased && (
        <Notice tone="good">
          <p>Your account is erased. Nobody can sign in to it anymore.</p>
        </Notice>
      )}
      <header>
        <h1>Sign in</h1>
        {door != null && (
          <p class="lead">
            The door of <b class="mono">{door}</b> opens for people its owner let in. Show who you
            are, and we take you there.
          </p>
        )}
        {app != null && (
          <p class="lead">
            <b>{app}</b> wants to know who you are. It never sees your password.
          </p>
        )}
      </header>
      <ErrorSummary errors={errors} />
      <form class="form" method="post" action="/sign-in" novalidate>
        {returnTo !== null && <input type="hidden" name="return" value={returnTo} />}
        <AddressField
          phones={phones}
          autocomplete="username webauthn"
          value={typed?.address}
          errors={errors}
        />
        <Field
          name="password"
          label="Password"
          type="password"
          autocomplete="current-password"
          errors={errors}
        />
        <button class="button wide" type="submit">
          Sign in
        </button>
      </form>
      <PasskeyForm
        does="get"
        action="/sign-in"
        options="/api/sign-in/passkey/options"
        button="Use a passkey"
        plain
        autofill
        fields={{ return: returnTo }}
      />
      <ElsewhereLinks providers={providers} returnTo={returnTo} />
      <p class="aside">
        <a href="/forgot">Forgotten your password?</a> Signing in sets one cookie, which keeps you
        signed in until you close the browser. New here? <a href="/sign-up">Open an account</a>.
      </p>
    </div>
  );
}
