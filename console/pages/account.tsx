/** A person's own pages: where they are signed in, and who they are here. */

import type { Overview } from "../../workers/account/overview.ts";
import type { SessionView } from "../../workers/sign-in/sessions.ts";
import { AccountFrame, PartCards } from "../account-nav.tsx";
import { Command } from "../components/form.tsx";
import { Time } from "../components/time.tsx";
import { sayDay } from "../words.ts";

interface SessionsProps {
  readonly sessions: readonly SessionView[];
  readonly current: string;
  readonly now: number;
  readonly done: string | null;
}

export function SessionsPage({ sessions, current, now, done }: SessionsProps) {
  return (
    <AccountFrame
      at="sessions"
      title="Where you are signed in"
      lead="One you do not know? End it, and whoever it was is out at once."
      done={done}
    >
      <ul class="rows">
        {sessions.map((session) => (
          <li>
            <div>
              <b>
                {session.client} {session.id === current && <span class="tag">This browser</span>}
              </b>
              <small>
                {session.network === null ? "" : `From the network ${session.network} · `}
                used <Time at={session.seenAt} now={now} /> · since {sayDay(session.createdAt)}
              </small>
              <small>
                Ends by itself <Time at={session.expiresAt} now={now} /> if it is not used.
              </small>
            </div>
            <form method="post" action="/sessions/end">
              <input type="hidden" name="session" value={session.id} />
              <button class="button plain small" type="submit">
                {session.id === current ? "Sign out here" : "End it"}
                <span class="hidden-text"> ({session.client})</span>
              </button>
            </form>
          </li>
        ))}
      </ul>
      {sessions.length > 1 && (
        <form class="after-list" method="post" action="/sessions/end-others">
          <button class="button danger plain" type="submit" data-command="End all other sessions">
            {sessions.length === 2
              ? "End the other session"
              : `End the other ${sessions.length - 1} sessions`}
          </button>
        </form>
      )}
    </AccountFrame>
  );
}

interface AccountProps {
  readonly overview: Overview;
  readonly now: number;
}

export function AccountPage({ overview, now }: AccountProps) {
  return (
    <>
      <header class="page-head">
        <div>
          <h1>Your account</h1>
          <p class="lead">{overview.address}</p>
        </div>
      </header>
      <PartCards overview={overview} now={now} />
      <section class="subject" aria-labelledby="you">
        <header>
          <h2 id="you">Who you are here</h2>
          <p>Give the ID to someone who wants to let you in. It says nothing about you.</p>
        </header>
        <div class="subject-body">
          <div class="field full">
            <b>Latchkey ID</b>
            <Command text={overview.accountId} label="your Latchkey ID" />
          </div>
          <dl class="facts">
            <dt>Lives in</dt>
            <dd>{overview.regionTitle}</dd>
            <dt>Since</dt>
            <dd>{sayDay(overview.createdAt)}</dd>
          </dl>
        </div>
      </section>
    </>
  );
}
