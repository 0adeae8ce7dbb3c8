/** People one knows here: asks, contacts, who is blocked, and how to find each other at all. */

import type { Child } from "hono/jsx";
import type { Known } from "../../workers/people/contacts.ts";
import { photoPath } from "../../workers/people/routes.ts";
import type { VisibleProfile } from "../../workers/people/visible.ts";
import { Avatar } from "../components/avatar.tsx";
import { Command, Done, ErrorSummary, Field, type FormErrors } from "../components/form.tsx";
import { Icon } from "../components/icons.tsx";
import { Time } from "../components/time.tsx";
import { sayDay } from "../words.ts";

interface PeopleProps {
  readonly me: string;
  readonly known: readonly Known[];
  readonly seen: ReadonlyMap<string, VisibleProfile>;
  readonly now: number;
  readonly done: string | null;
  readonly typed?: string | undefined;
  readonly errors?: FormErrors | undefined;
}

export function PeoplePage({ me, known, seen, now, done, typed, errors }: PeopleProps) {
  const those = (relation: Known["relation"]) => known.filter((one) => one.relation === relation);
  const [contacts, asking, asked, blocked] = [
    those("contact"),
    those("asking"),
    those("asked"),
    those("blocked"),
  ];
  return (
    <>
      <Done text={done} />
      <header class="page-head">
        <div>
          <h1>People</h1>
          <p class="lead">
            Nobody is found here by a name, a number or a mail address. You know each other only
            when one asks by Latchkey ID and the other says yes.
          </p>
        </div>
      </header>
      <ErrorSummary errors={errors} />
      {asking.length > 0 && (
        <Group id="asking" title="They ask you" says="Until you say yes they see nothing of you.">
          <List people={asking} seen={seen}>
            {({ accountId, expiresAt }) => ({
              note: expiresAt !== null && (
                <>
                  Ends by itself <Time at={expiresAt} now={now} />
                </>
              ),
              acts: (
                <>
                  <Act act="accept" person={accountId} main>
                    Accept
                  </Act>
                  <Act act="decline" person={accountId}>
                    Decline
                  </Act>
                  <Act act="block" person={accountId} danger>
                    Block
                  </Act>
                </>
              ),
            })}
          </List>
        </Group>
      )}
      <Group
        id="contacts"
        title="Your contacts"
        says="They see of you what you show to contacts, and you of them what they do."
      >
        {contacts.length === 0 ? (
          <Empty />
        ) : (
          <List people={contacts} seen={seen}>
            {({ accountId, since }) => ({
              note: `Contact since ${sayDay(since)}`,
              acts: (
                <>
                  <Act act="remove" person={accountId}>
                    Remove
                  </Act>
                  <Act act="block" person={accountId} danger>
                    Block
                  </Act>
                </>
              ),
            })}
          </List>
        )}
      </Group>
      <Group
        id="find"
        title="Find each other"
        says="An ID says nothing about who has it. Tell the other person that it is you who asks."
      >
        <div class="field full">
          <b>Your Latchkey ID, to give away</b>
          <Command text={me} label="your Latchkey ID" />
        </div>
        <form class="form" method="post" action="/people/ask" novalidate>
          <Field
            name="account"
            label="Ask somebody by their Latchkey ID"
            class="mono"
            value={typed}
            autocomplete="off"
            spellcheck={false}
            hint="It looks like acc_home_ and sixteen letters or digits. We do not say whether there is such a person."
            errors={errors}
          />
          <p>
            <button class="button" type="submit">
              Ask
            </button>
          </p>
        </form>
      </Group>
      {asked.length > 0 && (
        <Group
          id="asked"
          title="You asked"
          says="It waits for their answer. No answer is also one."
        >
          <List people={asked} seen={seen}>
            {({ accountId, expiresAt }) => ({
              note: expiresAt !== null && (
                <>
                  Ends by itself <Time at={expiresAt} now={now} />
                </>
              ),
              acts: (
                <Act act="remove" person={accountId}>
                  Take it back
                </Act>
              ),
            })}
          </List>
        </Group>
      )}
      {blocked.length > 0 && (
        <Group
          id="blocked"
          title="Blocked"
          says="They see nothing of you, and you hear no ask of theirs."
        >
          <List people={blocked} seen={seen}>
            {({ accountId, since }) => ({
              note: `Since ${sayDay(since)}`,
              acts: (
                <Act act="unblock" person={accountId}>
                  Unblock
                </Act>
              ),
            })}
          </List>
        </Group>
      )}
    </>
  );
}

function Empty() {
  return (
    <ol class="steps">
      <li>
        <h3>Give somebody your ID</h3>
        <p>It stands below. Send it the way you talk anyway.</p>
      </li>
      <li>
        <h3>Or ask by theirs</h3>
        <p>They find your ask on this page, for thirty days.</p>
      </li>
      <li>
        <h3>When both agree you are contacts</h3>
        <p>
          You see each other’s name and photo, as far as <a href="/account/profile">your profile</a>{" "}
          and theirs allow, and can let each other in to devices.
        </p>
      </li>
    </ol>
  );
}

interface GroupProps {
  readonly id: string;
  readonly title: string;
  readonly says: string;
  readonly children: Child;
}

function Group({ id, title, says, children }: GroupProps) {
  return (
    <section class="subject" aria-labelledby={id}>
      <header>
        <h2 id={id}>{title}</h2>
        <p>{says}</p>
      </header>
      <div class="subject-body">{children}</div>
    </section>
  );
}

interface ListProps {
  readonly people: readonly Known[];
  readonly seen: ReadonlyMap<string, VisibleProfile>;
  readonly children: (one: Known) => { readonly note: Child; readonly acts: Child };
}

function List({ people, seen, children }: ListProps) {
  return (
    <ul class="rows known">
      {people.map((one) => {
        const { note, acts } = children(one);
        const shown = seen.get(one.accountId);
        return (
          <li>
            <div class="person">
              <Avatar photo={shown?.photo ? photoPath(one.accountId) : null} />
              <div>
                {shown?.fields.name !== undefined && (
                  <b>
                    <a href={`/people/${one.accountId}`}>
                      <bdi>{shown.fields.name}</bdi>
                    </a>
                  </b>
                )}
                <code>{one.accountId}</code>
                <small>{note}</small>
              </div>
            </div>
            <div class="actions">{acts}</div>
          </li>
        );
      })}
    </ul>
  );
}

interface ActProps {
  readonly act: "accept" | "decline" | "remove" | "block" | "unblock";
  readonly person: string;
  readonly main?: boolean;
  readonly danger?: boolean;
  readonly children: string;
}

function Act({ act, person, main, danger, children }: ActProps) {
  const look = main ? "button small" : `button plain small${danger ? " danger" : ""}`;
  return (
    <form method="post" action="/people/act">
      <input type="hidden" name="account" value={person} />
      <button class={look} type="submit" name="do" value={act}>
        {children}
        <span class="hidden-text"> {person}</span>
      </button>
    </form>
  );
}

const words: readonly ["about" | "language" | "time_zone", string][] = [
  ["about", "About"],
  ["language", "Language"],
  ["time_zone", "Time zone"],
];

interface PersonProps {
  readonly seen: VisibleProfile;
  readonly self: boolean;
  readonly signedIn: boolean;
}

/** What one person shows to whoever looks. */
export function PersonPage({ seen, self, signedIn }: PersonProps) {
  const { accountId, fields, photo } = seen;
  return (
    <div class="readable">
      {signedIn && (
        <a class="crumb" href="/people">
          People
        </a>
      )}
      <header class="person-head">
        <Avatar photo={photo ? photoPath(accountId) : null} large />
        <div>
          <h1>{fields.name === undefined ? "No name shown" : <bdi>{fields.name}</bdi>}</h1>
          <p>
            <code>{accountId}</code>
          </p>
        </div>
      </header>
      <dl class="facts">
        {words.flatMap(([field, title]) =>
          fields[field] === undefined
            ? []
            : [
                <dt>{title}</dt>,
                <dd>
                  <bdi>{fields[field]}</bdi>
                </dd>,
              ],
        )}
      </dl>
      {self && (
        <p class="aside after-list">
          <Icon name="person" /> This is you, with everything you said.{" "}
          <a href="/account/profile">Change it, or who sees what</a>.
        </p>
      )}
    </div>
  );
}
