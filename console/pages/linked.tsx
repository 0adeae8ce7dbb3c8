/** Pages of accounts elsewhere: the way there, opening an account with one, and the list of them. */

import type { LinkedView } from "../../workers/linked/linked.ts";
import { AccountFrame } from "../account-nav.tsx";
import type { Elsewhere } from "../components/elsewhere.tsx";
import { ErrorSummary, Field, type FormErrors } from "../components/form.tsx";
import { Icon } from "../components/icons.tsx";
import { sayDay } from "../words.ts";
import { AgeField, RegionChoice } from "./sign-up.tsx";

/** Shown for the moment until the browser goes on by itself. */
export function OnTheWayPage({ href, to }: { href: string; to: string }) {
  return (
    <div class="narrow stack">
      <h1>One moment</h1>
      <p class="lead">You are taken on by itself. If nothing happens:</p>
      <p class="actions">
        <a class="button" href={href}>
          Continue to {to}
        </a>
      </p>
    </div>
  );
}

interface LinkedSignUpProps {
  readonly provider: Elsewhere;
  readonly identity: {
    readonly name: string | null;
    readonly email: string | null;
    readonly emailChecked: boolean;
  };
  readonly regions: readonly { readonly id: string; readonly title: string }[];
  readonly asksAge: boolean;
  /** How long the way here is remembered. */
  readonly minutes: number;
  readonly typed?:
    | { readonly address: string; readonly region: string; readonly age: string }
    | undefined;
  readonly errors?: FormErrors | undefined;
}

export function LinkedSignUpPage(props: LinkedSignUpProps) {
  const { provider, identity, regions, asksAge, minutes, typed, errors } = props;
  const hint =
    identity.email === null
      ? "We send one mail to check that it is yours."
      : identity.emailChecked
        ? `${provider.title} has checked this one. To another we send a mail.`
        : "We send one mail to check that it is yours; then you come back with the same account.";
  return (
    <div class="narrow stack">
      <header>
        <h1>Open an account with {provider.title}?</h1>
        <p class="lead">
          {identity.name === null ? "You are" : `You are ${identity.name}`} at {provider.title}, and
          no account here knows it yet.
        </p>
      </header>
      <ErrorSummary errors={errors} />
      <form class="form" method="post" action={`/sign-up/with/${provider.id}`} novalidate>
        <Field
          name="address"
          label="E-mail address"
          type="email"
          autocomplete="email"
          spellcheck={false}
          value={typed?.address ?? identity.email ?? undefined}
          errors={errors}
          hint={hint}
        />
        {asksAge && <AgeField typed={typed?.age} errors={errors} />}
        {regions.length > 1 && <RegionChoice regions={regions} chosen={typed?.region} />}
        <button class="button wide" type="submit">
          Open my account
        </button>
      </form>
      <p class="aside">
        We keep what {provider.title} calls you: its identifier, your name and your address there,
        sealed under a key of your own. Nothing is kept before you press the button, and this page
        works for {minutes} minutes. You have an account here? <a href="/sign-in">Sign in</a> the
        usual way, and link {provider.title} on your account page.
      </p>
    </div>
  );
}

/** Mail scanners open links; only a person presses the button, and only the right one comes back. */
export function LinkedVerifyPage({ provider, token }: { provider: Elsewhere; token: string }) {
  return (
    <div class="narrow stack">
      <header>
        <h1>This is your address</h1>
        <p class="lead">
          Now show that you asked for the account: sign in at {provider.title} once more. You are
          signed in here right after.
        </p>
      </header>
      <form class="form" method="post" action={`/sign-up/with/${provider.id}/verify`}>
        <input type="hidden" name="token" value={token} />
        <button class="button wide" type="submit">
          <Icon name="key" />
          Continue with {provider.title}
        </button>
      </form>
      <p class="aside">You did not ask for it? Close this page, and nothing happens.</p>
    </div>
  );
}

interface LinkedProps {
  readonly linked: readonly LinkedView[];
  /** What the operator offers. */
  readonly providers: readonly Elsewhere[];
  readonly done: string | null;
}

export function LinkedPage({ linked, providers, done }: LinkedProps) {
  return (
    <AccountFrame
      at="linked"
      title="Linked accounts"
      lead="Accounts elsewhere that let you in here. We keep what they call you, and no key of theirs."
      done={done}
    >
      {linked.length > 0 && (
        <ul class="rows">
          {linked.map((one) => (
            <li>
              <div>
                <b>{one.title}</b>
                <small>{[one.name, one.email].filter((text) => text !== null).join(" · ")}</small>
                <small>
                  Linked {sayDay(one.linkedAt)} ·{" "}
                  {one.usedDay === null ? "not used yet" : `last used ${sayDay(one.usedDay)}`}
                </small>
              </div>
              <form method="post" action="/account/linked/remove">
                <input type="hidden" name="linked" value={one.id} />
                <button class="button plain small" type="submit">
                  Unlink
                  <span class="hidden-text"> {one.title}</span>
                </button>
              </form>
            </li>
          ))}
        </ul>
      )}
      {linked.length === 0 && providers.length > 0 && (
        <p>
          None yet. Link one, and you can sign in with it; the provider then learns when you do. It
          never finds your account by your address: only what you link here lets you in.
        </p>
      )}
      {linked.length === 0 && providers.length === 0 && (
        <p>
          Nothing can be linked here: whoever runs this Latchkey has not set up any provider of
          accounts elsewhere. You come in with your <a href="/account/password">password</a> or a{" "}
          <a href="/account/passkeys">passkey</a>.
        </p>
      )}
      {providers.length > 0 && (
        <section class="elsewhere after-list" aria-labelledby="add">
          <h2 id="add">Link {linked.length === 0 ? "one" : "another"}</h2>
          <ul>
            {providers.map(({ id, title }) => (
              <li>
                <form method="post" action="/account/linked/add">
                  <input type="hidden" name="provider" value={id} />
                  <button class="button plain" type="submit">
                    Link {title}
                  </button>
                </form>
              </li>
            ))}
          </ul>
          <p class="hint">
            Its own terms apply there. Unlinking ends the sessions elsewhere that it opened.
          </p>
        </section>
      )}
    </AccountFrame>
  );
}
