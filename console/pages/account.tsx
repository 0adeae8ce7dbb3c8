/** A person's own pages: where they are signed in, who they are here, the shelf, and erasing it all. */

import type { Profile } from "../../workers/account/account.ts";
import type { Holding } from "../../workers/privacy/holdings.ts";
import type { SessionView } from "../../workers/sign-in/sessions.ts";
import { AccountFrame, PartCards } from "../account-nav.tsx";
import { Command, type FormErrors } from "../components/form.tsx";
import { Icon } from "../components/icons.tsx";
import { Time } from "../components/time.tsx";
import { Shelf } from "../pictures/shelf.tsx";
import { count, sayDay } from "../words.ts";
import { ConfirmPage, type Going } from "./confirm.tsx";
import { copiesOf } from "./copies.ts";

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
            End the other {count(sessions.length - 1, "session")}
          </button>
        </form>
      )}
    </AccountFrame>
  );
}

interface AccountProps {
  readonly profile: Profile;
  readonly holdings: readonly Holding[];
  readonly labels: ReadonlyMap<string, string>;
  readonly now: number;
}

export function AccountPage({ profile, holdings, labels, now }: AccountProps) {
  return (
    <>
      <header class="page-head">
        <div>
          <h1>Your account</h1>
          <p class="lead">{profile.address}</p>
        </div>
      </header>
      <PartCards />
      <section class="subject" aria-labelledby="you">
        <header>
          <h2 id="you">Who you are here</h2>
          <p>Give the ID to someone who wants to let you in. It says nothing about you.</p>
        </header>
        <div class="subject-body">
          <div class="field full">
            <b>Latchkey ID</b>
            <Command text={profile.accountId} label="your Latchkey ID" />
          </div>
          <dl class="facts">
            <dt>Lives in</dt>
            <dd>{profile.regionTitle}</dd>
            <dt>Since</dt>
            <dd>{sayDay(profile.createdAt)}</dd>
          </dl>
        </div>
      </section>
      <section class="shelf-part" id="shelf" aria-labelledby="shelf-title">
        <header>
          <h2 id="shelf-title">What we hold about you</h2>
          <p class="lead">
            Drawn from your own rows, right now. Each bar ends where it is deleted by itself; what
            runs off the edge stays until you end it.
          </p>
        </header>
        <Shelf holdings={holdings} labels={labels} now={now} />
      </section>
      <section class="subject" aria-labelledby="erase">
        <header>
          <h2 id="erase">Leave</h2>
          <p>Erasing is final, and it reaches every store.</p>
        </header>
        <div class="subject-body">
          <p>
            Your sealed data becomes unreadable at once, everywhere, because its key is destroyed.
            Your devices are unregistered. The next page names everything before it happens.
          </p>
          <a class="button danger plain" href="/account/erase" data-command="Erase the account">
            <Icon name="trash" />
            Erase this account
          </a>
        </div>
      </section>
    </>
  );
}

interface EraseProps {
  readonly holdings: readonly Holding[];
  readonly devices: readonly string[];
  readonly errors?: FormErrors | undefined;
}

export function ErasePage({ holdings, devices, errors }: EraseProps) {
  const classes = new Map<string, Holding>(holdings.map((held) => [held.name, held]));
  const going: Going[] = [...classes.values()].map(({ name, title }) => ({
    what: title,
    when: `At once. ${copiesOf(name)}`,
  }));
  const own: Going[] = devices.map((label) => ({
    what: `The device ${label}`,
    when: "Unregistered at once: its door, its name, its list. The name is held for 180 days, so that nobody takes it over.",
  }));
  return (
    <ConfirmPage
      title="Erase your account?"
      lead="Nobody can bring it back, not even we. You can open a new one with the same address at any time."
      going={[...own, ...going]}
      staying={[
        "What is on your boxes at home. We never had it.",
        "A proof that the erasure was finished, with a random number and no name, for 210 days.",
      ]}
      action="/account/erase"
      button="Erase everything"
      back={{ href: "/account", label: "Your account" }}
      password
      errors={errors}
    />
  );
}
