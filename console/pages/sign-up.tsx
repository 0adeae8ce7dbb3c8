/** Opening an account: sign-up, the message on its way, its link or its code. */

import { AddressField, CodeField, MessagesHere } from "../components/address.tsx";
import { type Elsewhere, ElsewhereLinks } from "../components/elsewhere.tsx";
import { ErrorSummary, Field, type FormErrors } from "../components/form.tsx";
import { Icon } from "../components/icons.tsx";

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
