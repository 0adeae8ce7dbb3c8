/** Showing again who one is, before what changes how one signs in. */

import type { Elsewhere } from "../components/elsewhere.tsx";
import { ErrorSummary, type FormErrors } from "../components/form.tsx";
import { PasskeyForm } from "../components/passkey.tsx";
import {
  isSent,
  OtherWays,
  SendCode,
  type TypedWay,
  WayForm,
  wayName,
} from "../components/ways.tsx";

interface Props {
  /** What the account can show, the usual first. */
  readonly ways: readonly TypedWay[];
  /** Null when there is nothing to type. */
  readonly way: TypedWay | null;
  /** True when a passkey would do. */
  readonly passkey: boolean;
  /** Accounts elsewhere that are linked: signing in there anew would do. */
  readonly elsewhere: readonly Elsewhere[];
  /** True when a code was sent just now. */
  readonly sent: boolean;
  readonly returnTo: string;
  readonly mailPage: string | null;
  readonly errors?: FormErrors | undefined;
}

export function ConfirmAgainPage(props: Props) {
  const { ways, way, passkey, elsewhere, sent, returnTo, mailPage, errors } = props;
  return (
    <div class="narrow stack-large">
      <header>
        <h1>Show that it is you</h1>
        <p class="lead">
          What comes next changes how your account is opened. We ask again, so that nobody does it
          at a screen you left open. Then it holds for 15 minutes.
        </p>
      </header>
      <ErrorSummary errors={errors} />
      {way !== null && isSent(way) && (
        <SendCode
          way={way}
          action="/confirm/send"
          returnTo={returnTo}
          sent={sent}
          mailPage={mailPage}
        />
      )}
      {way !== null && (!isSent(way) || sent) && (
        <WayForm action="/confirm" way={way} returnTo={returnTo} errors={errors} button="Go on" />
      )}
      {passkey && (
        <PasskeyForm
          does="get"
          action="/confirm"
          options="/api/sessions/current/confirm/passkey/options"
          button="Use a passkey"
          plain={way !== null}
          fields={{ way: "passkey", return: returnTo }}
          missing={
            way === null ? "This needs scripts, and the device with your passkey." : undefined
          }
        />
      )}
      {elsewhere.map(({ id, title }) => (
        <form method="post" action={`/confirm/with/${id}`}>
          <input type="hidden" name="return" value={returnTo} />
          <button class="button plain wide" type="submit">
            Sign in at {title} anew
          </button>
        </form>
      ))}
      <OtherWays
        ways={ways
          .filter((other) => other !== way)
          .map((other) => ({ way: other, name: wayName(other) }))}
        path="/confirm"
        returnTo={returnTo}
      />
      <p class="aside">
        <a href="/account">Back to your account</a>; nothing has changed.
      </p>
    </div>
  );
}
