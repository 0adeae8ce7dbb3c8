/** Signing in to an app with Latchkey: what it asks for, and why a request for it leads nowhere. */

import { span } from "../../db/data-map/periods.ts";
import { limits } from "../../protocol/limits.ts";
import type { Claims } from "../../workers/openid/claims.ts";
import type { PageReason } from "../../workers/openid/rules.ts";
import type { Scope } from "../../workers/openid/scopes.ts";
import { Icon, type IconName } from "../components/icons.tsx";

interface ConsentProps {
  /** The app's name. */
  readonly app: string;
  /** True for a device of somebody's, which the operator did not look at. */
  readonly device: boolean;
  /** The address that the signed-in person knows themself by. */
  readonly as: string;
  readonly scopes: readonly Scope[];
  /** What the app would get now. */
  readonly claims: Claims;
  /** Where the answer goes: a host, or a scheme. */
  readonly goesTo: string;
  /** The request, which comes back with the answer. */
  readonly request: string;
}

export function ConsentPage(props: ConsentProps) {
  const { app, device, as, scopes, claims, goesTo, request } = props;
  return (
    <div class="narrow stack-large consent">
      <header>
        <h1>Sign in to {app}?</h1>
        <p class="lead">
          You are signed in here as <b>{as}</b>.
        </p>
      </header>
      <section class="stack">
        <WhatItSees scopes={scopes} claims={claims} />
        <p class="aside">
          The answer goes to <b class="mono">{goesTo}</b>
          {device ? ", a device that somebody keeps at home" : ""}. It never sees your password, and
          you can end this at any time under “Apps” in your account.
        </p>
      </section>
      <form class="stack" method="post" action="/oauth/consent">
        <input type="hidden" name="request" value={request} />
        <p class="actions">
          <button class="button" type="submit" name="answer" value="allow">
            Sign in
          </button>
          <button class="button plain" type="submit" name="answer" value="deny">
            No, go back
          </button>
        </p>
        <p>
          <button class="button plain small" type="submit" name="answer" value="switch">
            <Icon name="person" />
            Use another account
          </button>
        </p>
      </form>
    </div>
  );
}

/** Every scope in plain words, with what it gives away right now. */
export function WhatItSees({ scopes, claims }: Pick<ConsentProps, "scopes" | "claims">) {
  return (
    <div class="stack">
      <h2>What it gets to see</h2>
      <ul class="gone asks">
        {scopes.map((scope) => (
          <li>
            <Icon name={icons[scope]} />
            <div>
              <b>{titles[scope]}</b>
              <small>{valueNow(scope, claims)}</small>
            </div>
          </li>
        ))}
      </ul>
    </div>
  );
}

const icons: Readonly<Record<Scope, IconName>> = {
  openid: "key",
  profile: "person",
  email: "mail",
  phone: "phone",
  offline_access: "history",
};

/** Each scope in plain words. */
export const titles: Readonly<Record<Scope, string>> = {
  openid: "That it is you",
  profile: "Your profile",
  email: "Your e-mail address",
  phone: "Your phone number",
  offline_access: "All of this also while you are away",
};

/** What a scope gives away right now. */
function valueNow(scope: Scope, claims: Claims): string {
  switch (scope) {
    case "openid":
      return "As a number that only this app knows you by, and how and when you signed in.";
    case "profile": {
      const held = [claims.name, claims.locale, claims.zoneinfo].filter((value) => value);
      return held.length === 0 ? "You have not said anything there." : held.join(" · ");
    }
    case "email":
      return claims.email ?? "You have none here, so it gets none.";
    case "phone":
      return claims.phone_number ?? "You have none here, so it gets none.";
    case "offline_access":
      return `It stays signed in until you end it: ${span(limits.refreshIdleMs)} without use, and ${span(limits.refreshMaxMs)} at most.`;
  }
}

const reasons: Readonly<Record<PageReason, string>> = {
  "client-missing": "The request does not say which app it is from.",
  "client-unknown": "This Latchkey does not know the app that sent you.",
  "redirect-missing": "The request does not say where to go back to.",
  "redirect-unknown":
    "The request wants to go back to an address that is not one of the app’s own.",
  repeated: "The request says two different things about where to go back to.",
};

/** Nothing here leads to the address that was asked for: it may be anybody's (RFC 9700 §4.11). */
export function BadRequestPage({ reason }: { reason: PageReason }) {
  return (
    <div class="narrow stack">
      <h1>This sign-in cannot go on</h1>
      <p>{reasons[reason]} So we do not send you anywhere, and nobody learned who you are.</p>
      <p>
        Go back to the app and try again. If it happens again, tell the people who run it:{" "}
        <code>{reason}</code>.
      </p>
      <p class="actions">
        <a class="button" href="/">
          Front page
        </a>
      </p>
    </div>
  );
}
