/** Showing again who one is, before what changes how one signs in. */

import { ErrorSummary, type FormErrors } from "../components/form.tsx";
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
  readonly way: TypedWay;
  /** True when a code was sent just now. */
  readonly sent: boolean;
  readonly returnTo: string;
  readonly mailPage: string | null;
  readonly errors?: FormErrors | undefined;
}

export function ConfirmAgainPage({ ways, way, sent, returnTo, mailPage, errors }: Props) {
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
      {isSent(way) && (
        <SendCode
          way={way}
          action="/confirm/send"
          returnTo={returnTo}
          sent={sent}
          mailPage={mailPage}
        />
      )}
      {(!isSent(way) || sent) && (
        <WayForm action="/confirm" way={way} returnTo={returnTo} errors={errors} button="Go on" />
      )}
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
