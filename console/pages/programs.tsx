/** What still gets in after a new password or a recovery: access tokens and apps, and their end. */

import type { Program } from "../../workers/account/programs.ts";
import { AccountFrame } from "../account-nav.tsx";
import { Icon } from "../components/icons.tsx";
import { sayDay } from "../words.ts";

interface Props {
  readonly programs: readonly Program[];
  /** How its reader came back in; empty for who came by a link. */
  readonly after: string;
  /** Where they go on; null: nowhere in particular. */
  readonly onward: string | null;
  readonly done: string | null;
}

const leads: Readonly<Record<string, string>> = {
  reset:
    "Your password is new, every other session ended, and no browser is trusted anymore. These do not use the password, so they still get in.",
  recovered:
    "Your second step is off, every other session ended, and no browser is trusted anymore. These use neither, so they still get in.",
};
const LEAD =
  "Access tokens and apps do not use your password. Each gets in until you end it, or its time is over.";

export function ProgramsPage({ programs, after, onward, done }: Props) {
  return (
    <AccountFrame
      at="tokens"
      title="What still gets in"
      lead={Object.hasOwn(leads, after) ? leads[after] : LEAD}
      done={done}
    >
      <div class="stack-large">
        {programs.length === 0 ? (
          <p>
            Nothing. You made no <a href="/account/tokens">access token</a> that works now, and
            signed in to no <a href="/account/apps">app</a> with Latchkey.
          </p>
        ) : (
          <>
            <ul class="rows">
              {programs.map((program) => (
                <Row {...program} />
              ))}
            </ul>
            <form class="stack" method="post" action="/account/programs/end">
              <p>
                Do you know all of them? If not, or if somebody else was in your account, end them.
                A program of yours then needs a new token, and an app asks you again.
              </p>
              <p class="actions">
                <button class="button danger" type="submit">
                  End them all
                </button>
                {onward !== null && (
                  <a class="button plain" href={onward}>
                    I know them: go on
                  </a>
                )}
              </p>
            </form>
          </>
        )}
      </div>
    </AccountFrame>
  );
}

function Row({ kind, name, on, usedDay }: Program) {
  const used = usedDay === null ? "not used yet" : `last used ${sayDay(usedDay)}`;
  return (
    <li>
      <div>
        <b>
          <Icon name={kind === "token" ? "terminal" : "grid"} /> {name}
        </b>
        <small>{kind === "token" ? `Access token · ${used}` : `App on ${on} · ${used}`}</small>
      </div>
      <a class="button plain small" href={kind === "token" ? "/account/tokens" : "/account/apps"}>
        Look at it
        <span class="hidden-text"> ({name})</span>
      </a>
    </li>
  );
}
