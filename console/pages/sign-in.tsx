/** Coming in with an account: the first step. */

import { AddressField } from "../components/address.tsx";
import { type Elsewhere, ElsewhereLinks } from "../components/elsewhere.tsx";
import { ErrorSummary, Field, type FormErrors, Notice } from "../components/form.tsx";
import { PasskeyForm } from "../components/passkey.tsx";

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
        <Notice tone="good" focus>
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
