/** The account center's part on the password: changing it, the first one, doing without. */

import { limits } from "../../protocol/limits.ts";
import { AccountFrame } from "../account-nav.tsx";
import { ErrorSummary, Field, type FormErrors, Notice } from "../components/form.tsx";
import { ExactTime } from "../components/time.tsx";

interface Props {
  readonly has: boolean;
  /** True when who asks showed a moment ago who they are. */
  readonly fresh: boolean;
  /** Somebody waits to get in without the second step. */
  readonly recovery: { readonly opensAt: number } | null;
  readonly done: string | null;
  readonly errors?: FormErrors | undefined;
}

const home = "/account/password";

export function PasswordPage({ has, fresh, recovery, done, errors }: Props) {
  return (
    <AccountFrame
      at="password"
      title={has ? "Change your password" : "Choose a password"}
      lead={
        has
          ? "Every other session ends, and no browser is trusted anymore."
          : "You sign in without one. You may have one as well."
      }
      done={done}
    >
      <div class="stack-large">
        {recovery !== null && <Waiting opensAt={recovery.opensAt} />}
        <ErrorSummary errors={errors} />
        {has || fresh ? <Change has={has} fresh={fresh} errors={errors} /> : <Confirm />}
        {has && <Without />}
      </div>
    </AccountFrame>
  );
}

function Waiting({ opensAt }: { opensAt: number }) {
  return (
    <Notice tone="bad">
      <p>
        Somebody asked to get in without your second step. It opens on <ExactTime at={opensAt} />,
        unless it is stopped.
      </p>
      <form method="post" action={`${home}/stop-recovery`}>
        <button class="button danger small" type="submit">
          Stop it
        </button>
      </form>
    </Notice>
  );
}

interface ChangeProps {
  readonly has: boolean;
  readonly fresh: boolean;
  readonly errors: FormErrors | undefined;
}

function Change({ has, fresh, errors }: ChangeProps) {
  return (
    <form class="form" method="post" action={home} novalidate>
      {has && !fresh && (
        <Field
          name="old_password"
          label="Your password until now"
          type="password"
          autocomplete="current-password"
          errors={errors}
        />
      )}
      <Field
        name="password"
        label="New password"
        type="password"
        autocomplete="new-password"
        errors={errors}
        hint={`At least ${limits.passwordMinLength} characters, and none that is known from a breach. A few words you can remember are fine.`}
      />
      <p class="actions">
        <button class="button" type="submit">
          {has ? "Change it" : "Use this password"}
        </button>
        {has && (
          <a class="button plain" href="/forgot">
            I forgot it
          </a>
        )}
      </p>
    </form>
  );
}

function Confirm() {
  return (
    <div class="stack">
      <p class="hint">A password opens your account, so we ask first whether it is you.</p>
      <p class="actions">
        <a class="button" href={`/confirm?return=${encodeURIComponent(home)}`}>
          It is me
        </a>
      </p>
    </div>
  );
}

function Without() {
  return (
    <section class="stack" aria-labelledby="without">
      <h2 id="without">Do without</h2>
      <p>
        With a passkey or a linked account you need no password. What is not there, nobody guesses.
      </p>
      <form method="post" action={`${home}/remove`}>
        <button class="button danger plain" type="submit">
          Remove the password
        </button>
      </form>
    </section>
  );
}
