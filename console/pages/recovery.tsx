/** Getting back in: a forgotten password, a lost second step, a change of address that is taken back. */

import { span } from "../../db/data-map/periods.ts";
import { limits } from "../../protocol/limits.ts";
import type { LostStep } from "../../workers/sign-in/lost-step.ts";
import { AddressField, CodeField, MessagesHere } from "../components/address.tsx";
import { ErrorSummary, Field, type FormErrors, Notice } from "../components/form.tsx";
import { ExactTime, Time } from "../components/time.tsx";

interface ForgotProps {
  readonly phones: boolean;
  readonly address?: string | undefined;
  readonly errors?: FormErrors | undefined;
}

export function ForgotPage({ phones, address, errors }: ForgotProps) {
  return (
    <div class="narrow stack">
      <header>
        <h1>Forgotten your password?</h1>
        <p class="lead">
          Say where we reach you. If that address has an account, we send a message there that lets
          you choose a new one.
        </p>
      </header>
      <ErrorSummary errors={errors} />
      <form class="form" method="post" action="/forgot" novalidate>
        <AddressField phones={phones} value={address} errors={errors} />
        <button class="button wide" type="submit">
          Send me the message
        </button>
      </form>
      <p class="aside">
        Your password stays what it is until you choose another. It came back to you?{" "}
        <a href="/sign-in">Sign in</a>.
      </p>
    </div>
  );
}

export function ForgotSentPage({
  mailPage,
  minutes,
}: {
  mailPage: string | null;
  minutes: number;
}) {
  return (
    <div class="narrow stack">
      <header>
        <h1>Look in your mail</h1>
        <p class="lead">
          If that address has an account, a link is on its way. It works once, within {minutes}{" "}
          minutes.
        </p>
      </header>
      <MessagesHere mailPage={mailPage} />
      <p class="aside">
        Nothing there? Look among the spam, check the spelling, and <a href="/forgot">ask again</a>.
        We tell nobody whether an address has an account.
      </p>
    </div>
  );
}

interface NewPasswordProps {
  readonly token: string;
  readonly byPhone: boolean;
  /** True after a change of address was taken back. */
  readonly undone: boolean;
  readonly mailPage: string | null;
  readonly errors?: FormErrors | undefined;
}

export function NewPasswordPage({ token, byPhone, undone, mailPage, errors }: NewPasswordProps) {
  return (
    <div class="narrow stack">
      {undone && (
        <Notice tone="good" focus>
          <p>
            It is taken back. Every session is over, the old password opens nothing, and passkeys,
            linked accounts, apps and access tokens that were added lately are gone. Once you are
            in, look through those that are left.
          </p>
        </Notice>
      )}
      <header>
        <h1>Choose a new password</h1>
        <p class="lead">
          {byPhone
            ? "If your number has an account, a code is on its way to your phone."
            : "You are signed in with it right after; every other session ends."}
        </p>
      </header>
      <ErrorSummary errors={errors} />
      {byPhone && <MessagesHere mailPage={mailPage} />}
      <form class="form" method="post" action="/forgot/new" novalidate>
        <input type="hidden" name="token" value={token} />
        {byPhone && <input type="hidden" name="by" value="phone" />}
        {byPhone && <CodeField errors={errors} />}
        <Field
          name="password"
          label="New password"
          type="password"
          autocomplete="new-password"
          errors={errors}
          hint={`At least ${limits.passwordMinLength} characters. A few words you can remember are fine.`}
        />
        <button class="button wide" type="submit">
          Use this password
        </button>
      </form>
      <p class="aside">
        Every browser you trusted is asked for the second step again, if you have one.
      </p>
    </div>
  );
}

/** Mail scanners open links; only a person presses the button. */
export function UndoPage({ token }: { token: string }) {
  return (
    <div class="narrow stack">
      <header>
        <h1>Take the change back?</h1>
        <p class="lead">If somebody else changed the address of your account, this undoes it.</p>
      </header>
      <ul>
        <li>Notices go to this address again, and it is where you sign in.</li>
        <li>Addresses that were added lately are removed.</li>
        <li>Every session ends, and no browser is trusted anymore.</li>
        <li>The password opens nothing from then on; you choose a new one.</li>
      </ul>
      <form class="form" method="post" action="/undo" novalidate>
        <input type="hidden" name="token" value={token} />
        <button class="button wide" type="submit">
          Take it back
        </button>
      </form>
      <p class="aside">It was you who changed it? Close this page, and nothing happens.</p>
    </div>
  );
}

interface LostProps {
  readonly running: LostStep | null;
  readonly sent: boolean;
  readonly now: number;
  readonly mailPage: string | null;
  readonly errors?: FormErrors | undefined;
}

export function LostPage({ running, sent, now, mailPage, errors }: LostProps) {
  return (
    <div class="narrow stack">
      <header>
        <h1>You cannot take the second step?</h1>
        <p class="lead">
          A recovery code takes its place: <a href="/sign-in/second-step">go back</a> and type one.
          Without any, you can wait.
        </p>
      </header>
      <ErrorSummary errors={errors} />
      {sent && (
        <Notice tone="good" focus>
          <p>
            The link is in your mail. Open it in this browser within {limits.challengeMs / 60_000}{" "}
            minutes.
          </p>
        </Notice>
      )}
      {sent && <MessagesHere mailPage={mailPage} />}
      <LostState running={running} now={now} />
    </div>
  );
}

function LostState({ running, now }: { running: LostStep | null; now: number }) {
  if (running === null) {
    return (
      <>
        <p>
          We write to every address and phone of your account, so that it could be stopped were it
          not you. After {span(limits.recoveryWaitMs)} you sign in again, we send you a link, and
          the link switches the second step off.
        </p>
        <LostForm button="Begin to wait" />
      </>
    );
  }
  if (running.opensAt > now) {
    return (
      <p>
        The wait has begun, and every address and phone of your account is told. It is over on{" "}
        <ExactTime at={running.opensAt} />. Come back then, sign in with your first step, and follow
        “I cannot take this step” once more. A sign-in with the second step stops it.
      </p>
    );
  }
  return (
    <>
      <p>
        The wait is over. It stays open until <Time at={running.expiresAt} now={now} />.
      </p>
      <LostForm button="Send me the link" />
    </>
  );
}

function LostForm({ button }: { button: string }) {
  return (
    <form class="form" method="post" action="/sign-in/lost" novalidate>
      <button class="button wide" type="submit">
        {button}
      </button>
    </form>
  );
}

interface FinishProps {
  readonly token: string;
  readonly byPhone: boolean;
  readonly mailPage: string | null;
  readonly errors?: FormErrors | undefined;
}

export function FinishPage({ token, byPhone, mailPage, errors }: FinishProps) {
  return (
    <div class="narrow stack">
      <header>
        <h1>Switch the second step off?</h1>
        <p class="lead">
          You are signed in right after. Every other session ends, and no browser is trusted
          anymore.
        </p>
      </header>
      <ErrorSummary errors={errors} />
      {byPhone && <MessagesHere mailPage={mailPage} />}
      <form class="form" method="post" action="/recovery/finish" novalidate>
        <input type="hidden" name="token" value={token} />
        {byPhone && <input type="hidden" name="by" value="phone" />}
        {byPhone && <CodeField errors={errors} />}
        <button class="button wide" type="submit">
          Switch it off and sign in
        </button>
      </form>
      <p class="aside">
        This works in the browser that took the first step a moment ago. It took too long?{" "}
        <a href="/sign-in">Sign in</a> again, then open the link once more.
      </p>
    </div>
  );
}

export function StopPage({ token }: { token: string }) {
  return (
    <div class="narrow stack">
      <header>
        <h1>Was it not you?</h1>
        <p class="lead">
          Somebody who can take the first step of your sign-in asked to get in without the second.
        </p>
      </header>
      <form class="form" method="post" action="/recovery/stop" novalidate>
        <input type="hidden" name="token" value={token} />
        <button class="button wide" type="submit">
          Stop it
        </button>
      </form>
      <p class="aside">It was you? Close this page, and nothing happens.</p>
    </div>
  );
}

export function StoppedPage() {
  return (
    <div class="narrow stack">
      <header>
        <h1>It is stopped</h1>
        <p class="lead">Nobody gets in without your second step.</p>
      </header>
      <p>
        Whoever asked knows your password, or reads your mail. Change your password now, and look
        who else can get at your mailbox.
      </p>
      <p class="actions">
        <a class="button" href="/account/password">
          Change the password
        </a>
      </p>
    </div>
  );
}

export function ExpiredPage({ again }: { again: string }) {
  return (
    <div class="narrow stack">
      <header>
        <h1>This link opens nothing anymore</h1>
        <p class="lead">
          It was used, is too old, or what it was for has changed. Nothing happened just now.
        </p>
      </header>
      <p class="actions">
        <a class="button" href={again}>
          {again === "/forgot" ? "Ask for a new one" : "Sign in"}
        </a>
      </p>
    </div>
  );
}
