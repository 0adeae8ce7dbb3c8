/** Apps that sign a person in with Latchkey: what each may see, when it was used, and its end. */

import type { GrantView } from "../../workers/openid/grants.ts";
import { AccountFrame } from "../account-nav.tsx";
import { sayDay } from "../words.ts";
import { titles } from "./consent.tsx";

interface AppsProps {
  readonly grants: readonly GrantView[];
  /** Start of this day (UTC). */
  readonly today: number;
  readonly done: string | null;
}

export function AppsPage({ grants, today, done }: AppsProps) {
  return (
    <AccountFrame
      at="apps"
      title="Apps you sign in to with Latchkey"
      lead="Each knows you by a number of its own, and sees only what you allowed. End one, and it is out within a second."
      done={done}
    >
      {grants.length === 0 ? (
        <p>
          None so far. When an app or the page of a device offers “Sign in with Latchkey”, we ask
          you here first, and it appears in this list.
        </p>
      ) : (
        <ul class="rows">
          {grants.map((grant) => (
            <li>
              <div>
                <b>{grant.app}</b>
                <small>
                  {grant.on} ·{" "}
                  {grant.usedDay >= today ? "used today" : `last used ${sayDay(grant.usedDay)}`} ·
                  since {sayDay(grant.createdAt)}
                </small>
                <small>
                  Sees: {grant.scopes.map((scope) => titles[scope].toLowerCase()).join(", ")}.
                </small>
              </div>
              <form method="post" action="/account/apps/end">
                <input type="hidden" name="grant" value={grant.id} />
                <button class="button plain small" type="submit">
                  End it
                  <span class="hidden-text">
                    {" "}
                    ({grant.app}, {grant.on})
                  </span>
                </button>
              </form>
            </li>
          ))}
        </ul>
      )}
    </AccountFrame>
  );
}
