/** Signing in a program that has no browser: its code, what it asks for, and what was answered. */

import { limits } from "../../protocol/limits.ts";
import type { Claims } from "../../workers/openid/claims.ts";
import type { Scope } from "../../workers/openid/scopes.ts";
import { ErrorSummary, Field, type FormErrors } from "../components/form.tsx";
import { count } from "../words.ts";
import { WhatItSees } from "./consent.tsx";

interface CodeProps {
  readonly code: string;
  readonly errors?: FormErrors | undefined;
}

export function DeviceCodePage({ code, errors }: CodeProps) {
  return (
    <div class="narrow stack-large">
      <header>
        <h1>Sign in a device</h1>
        <p class="lead">
          A television, a command line, a box without a screen of its own: it shows you a code.
        </p>
      </header>
      <ErrorSummary errors={errors} />
      <form class="form" method="get" action="/device" novalidate>
        <Field
          name="user_code"
          label="Code"
          class="mono code"
          value={code}
          maxlength={16}
          autocomplete="off"
          spellcheck={false}
          autofocus
          hint="Eight letters. Hyphens and small letters are fine."
          errors={errors}
        />
        <p class="actions">
          <button class="button" type="submit">
            Go on
          </button>
          <a href="/account">Not now</a>
        </p>
      </form>
      <p class="aside">
        Did somebody send you a code, or read one out to you? Then it is their device that would be
        signed in as you. Go on only for a device in front of you.
      </p>
    </div>
  );
}

interface ConsentProps {
  readonly app: string;
  readonly code: string;
  readonly scopes: readonly Scope[];
  readonly claims: Claims;
  readonly minutesLeft: number;
  /** What was typed as the device's name. */
  readonly name: string;
  readonly errors?: FormErrors | undefined;
}

export function DeviceConsentPage(props: ConsentProps) {
  const { app, code, scopes, claims, minutesLeft, name, errors } = props;
  return (
    <div class="narrow stack-large consent">
      <header>
        <h1>Sign in to {app} on a device?</h1>
      </header>
      <ErrorSummary errors={errors} />
      <div class="secret">
        <p>The device in front of you shows this code. Compare the two before you go on.</p>
        <p class="fingerprint mono">{code.toUpperCase()}</p>
        <p class="aside">
          Another one, or no device in front of you? Someone may want to be signed in as you: say
          no. The code works for {count(minutesLeft, "more minute", "more minutes")}.
        </p>
      </div>
      <WhatItSees scopes={scopes} claims={claims} />
      <form class="form" method="post" action="/device" novalidate>
        <input type="hidden" name="user_code" value={code} />
        <Field
          name="name"
          label="Name the device, if you like"
          value={name}
          maxlength={limits.grantNameLength}
          autocomplete="off"
          hint="You find it by this name under “Apps” in your account, where you can end it."
          errors={errors}
        />
        <p class="actions">
          <button class="button" type="submit" name="answer" value="allow">
            Sign in
          </button>
          <button class="button plain" type="submit" name="answer" value="deny">
            No
          </button>
        </p>
      </form>
    </div>
  );
}

export function AnsweredPage({ allowed }: { allowed: boolean }) {
  return (
    <div class="narrow stack">
      <h1>{allowed ? "Signed in" : "It stays out"}</h1>
      <p>
        {allowed
          ? "The device goes on by itself within a few seconds. You can close this page."
          : "The device is told that you said no. Nothing about you was shown to it."}
      </p>
      <p>
        <a href="/account/apps">Apps you sign in to with Latchkey</a>
      </p>
    </div>
  );
}
