/** The second step of a sign-in. */

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
  readonly way: TypedWay;
  /** True when a passkey would do as well. */
  readonly passkey: boolean;
  /** True when a code was sent just now. */
  readonly sent: boolean;
  readonly returnTo: string | null;
  readonly trust: boolean;
  readonly mailPage: string | null;
  readonly errors?: FormErrors | undefined;
}

const path = "/sign-in/second-step";

export function SecondStepPage(props: Props) {
  const { ways, way, passkey, sent, returnTo, trust, mailPage, errors } = props;
  return (
    <div class="narrow stack-large">
      <header>
        <h1>One more step</h1>
        <p class="lead">Your account asks for two things when you sign in. This is the second.</p>
      </header>
      <ErrorSummary errors={errors} />
      {isSent(way) && (
        <SendCode
          way={way}
          action={`${path}/send`}
          returnTo={returnTo}
          sent={sent}
          mailPage={mailPage}
        />
      )}
      {(!isSent(way) || sent) && (
        <WayForm action={path} way={way} returnTo={returnTo} errors={errors} button="Sign in">
          <Trust checked={trust} />
        </WayForm>
      )}
      {passkey && (
        <PasskeyForm
          does="get"
          action={path}
          options="/api/sign-in/second-step/passkey/options"
          button="Use a passkey"
          plain
          fields={{ way: "passkey", return: returnTo }}
        />
      )}
      <OtherWays
        ways={ways
          .filter((other) => other !== way)
          .map((other) => ({ way: other, name: wayName(other) }))}
        path={path}
        returnTo={returnTo}
      />
      <p class="aside">
        <a href="/sign-in/lost">I cannot take this step</a>. Not you, or changed your mind?{" "}
        <a href="/sign-in">Begin again</a>.
      </p>
    </div>
  );
}

function Trust({ checked }: { checked: boolean }) {
  return (
    <label class="choice">
      <input type="checkbox" name="trust" value="yes" checked={checked} />
      <span>
        <b>Trust this browser</b>
        <small>
          It is not asked for the second step for 90 days. Only where nobody else can get at it.
        </small>
      </span>
    </label>
  );
}
