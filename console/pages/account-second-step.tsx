/** The account center's part on second steps: what is on. */

import type { StepPhone, StepSettings } from "../../workers/sign-in/step-settings.ts";
import type { TrustedBrowserView } from "../../workers/sign-in/trust.ts";
import { AccountFrame } from "../account-nav.tsx";
import { count } from "../words.ts";
import { Trusted } from "./trusted-browsers.tsx";

const home = "/account/second-step";

interface OverviewProps {
  readonly settings: StepSettings;
  readonly trusted: readonly TrustedBrowserView[];
  readonly now: number;
  readonly done: string | null;
}

export function StepOverviewPage({ settings, trusted, now, done }: OverviewProps) {
  const { totp, sms, phones, recoveryCodesLeft } = settings;
  const on = totp || sms !== null;
  return (
    <AccountFrame
      at="second-step"
      title="Second step"
      lead={
        on
          ? "Signing in takes your password, or another first step, and one of these."
          : "Ask for a second thing at sign-in, so that a stolen password opens nothing."
      }
      done={done}
    >
      <div class="stack-large">
        <ul class="rows">
          <StepRow
            name="Codes from an app"
            says={
              totp
                ? "Your app shows a new code every half minute."
                : "An app on your phone shows a new code every half minute. It works without a network."
            }
            kind="totp"
            on={totp}
            possible
          />
          <StepRow
            name="Codes by text message"
            says={smsSays(sms, phones)}
            kind="sms"
            on={sms !== null}
            possible={phones.length > 0}
          />
          {on && (
            <li>
              <div>
                <b>Recovery codes</b>
                <small>
                  {count(recoveryCodesLeft, "code")} left. Each lets you in once when your phone is
                  gone.
                </small>
              </div>
              <a class="button plain small" href={`${home}/codes`}>
                Make new ones
              </a>
            </li>
          )}
        </ul>
        <Trusted trusted={trusted} now={now} on={on} />
      </div>
    </AccountFrame>
  );
}

function smsSays(sms: StepPhone | null, phones: readonly StepPhone[]): string {
  if (sms !== null) return `Codes go to ${sms.number}.`;
  return phones.length > 0
    ? "We send a code to your phone. An app is safer: text messages can be redirected."
    : "We send a code to your phone. Add a phone number to your addresses first.";
}

function StepRow(props: {
  readonly name: string;
  readonly says: string;
  readonly kind: "totp" | "sms";
  readonly on: boolean;
  readonly possible: boolean;
}) {
  const { name, says, kind, on, possible } = props;
  return (
    <li>
      <div>
        <b>
          {name} {on && <span class="tag">On</span>}
        </b>
        <small>{says}</small>
      </div>
      {(on || possible) && (
        <a
          class={on ? "button plain small" : "button small"}
          href={on ? `${home}/off?kind=${kind}` : `${home}/${kind}`}
        >
          {on ? "Switch off" : "Set up"}
          <span class="hidden-text"> ({name})</span>
        </a>
      )}
    </li>
  );
}
