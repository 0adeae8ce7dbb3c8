/** Signing out by an app's wish: the question, why it leads nowhere, and that it is done. */

import type { LogoutReason } from "../../workers/openid/logout.ts";

interface LogoutProps {
  /** The app that asks; null when nobody we know does. */
  readonly app: string | null;
  /** The request, which comes back with the answer. */
  readonly request: string;
}

export function LogoutPage({ app, request }: LogoutProps) {
  return (
    <div class="narrow stack">
      <h1>Sign out of Latchkey?</h1>
      <p>
        {app === null ? "You were sent here to sign out." : <b>{app}</b>}
        {app !== null && " asks whether you want to sign out here, too."} This browser is then
        signed out of Latchkey and of every door it opened. Apps that you allowed stay allowed.
      </p>
      <form method="post" action="/oauth/logout/confirm">
        <input type="hidden" name="request" value={request} />
        <p class="actions">
          <button class="button" type="submit">
            Sign out
          </button>
          <a class="button plain" href="/devices">
            Stay signed in
          </a>
        </p>
      </form>
    </div>
  );
}

const reasons: Readonly<Record<LogoutReason, string>> = {
  "hint-unknown": "The request names a sign-in that is not one of ours.",
  "client-unknown": "This Latchkey does not know the app that sent you.",
  "client-other": "The request names two different apps.",
  "redirect-unknown": "The request wants to go on to an address that is not one of the app’s own.",
  repeated: "The request says a thing twice.",
};

/** Nothing here leads to the address that was asked for: it may be anybody's. */
export function LogoutRefusedPage({ reason }: { reason: LogoutReason }) {
  return (
    <div class="narrow stack">
      <h1>This sign-out cannot go on</h1>
      <p>{reasons[reason]} So we do not send you anywhere, and you are signed in as before.</p>
      <p>
        To sign out, use the button in your account. Tell the people who run the app:{" "}
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

export function SignedOutPage() {
  return (
    <div class="narrow stack">
      <h1>You are signed out</h1>
      <p>Nobody is signed in to Latchkey in this browser.</p>
      <p class="actions">
        <a class="button" href="/sign-in">
          Sign in
        </a>
      </p>
    </div>
  );
}
