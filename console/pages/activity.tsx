/** What happened to an account, one sentence each: what, when, from which browser and roughly where. */

import {
  type ActivityCursor,
  type ActivityEntry,
  cursorText,
} from "../../workers/account/activity.ts";
import { AccountFrame } from "../account-nav.tsx";
import { sayAbout, sayEvent, sayPlace } from "../activity-words.ts";
import { Notice } from "../components/form.tsx";
import { ExactTime, Time } from "../components/time.tsx";

interface ActivityProps {
  readonly entries: readonly ActivityEntry[];
  /** Of people, by their Latchkey IDs. */
  readonly names: ReadonlyMap<string, string>;
  readonly next: ActivityCursor | null;
  /** True on the pages after the first. */
  readonly older: boolean;
  readonly days: number;
  readonly now: number;
}

export function ActivityPage({ entries, names, next, older, days, now }: ActivityProps) {
  return (
    <AccountFrame
      at="activity"
      title="What happened to your account"
      lead={`Only you see this. Each line goes by itself after ${days} days.`}
    >
      <Notice tone="brass" class="page-notice">
        <p>
          <b>Something was not you?</b> <a href="/sessions">End the sessions you do not know</a>,
          then <a href="/account/password">change your password</a>.
        </p>
      </Notice>
      {entries.length === 0 ? (
        <p class="aside">Nothing{older ? " older" : ""}.</p>
      ) : (
        <ul class="rows events">
          {entries.map((entry) => (
            <Entry entry={entry} names={names} now={now} />
          ))}
        </ul>
      )}
      <p class="actions after-list">
        {older && <a href="/account/activity">Back to the latest</a>}
        {next !== null && (
          <a class="button plain" href={`/account/activity?before=${cursorText(next)}`}>
            Older
          </a>
        )}
      </p>
    </AccountFrame>
  );
}

interface EntryProps extends Pick<ActivityProps, "names" | "now"> {
  readonly entry: ActivityEntry;
}

function Entry({ entry, names, now }: EntryProps) {
  const about = sayAbout(entry.about, names);
  const where = [
    entry.client,
    entry.place === null ? null : sayPlace(entry.place),
    entry.network === null ? null : `network ${entry.network}`,
  ].filter((one) => one !== null);
  return (
    <li>
      <div>
        <b>{sayEvent(entry.event)}</b>
        {about !== null && (
          <small>
            <bdi>
              {about.href === undefined ? about.text : <a href={about.href}>{about.text}</a>}
            </bdi>
          </small>
        )}
        <small>{where.join(" · ")}</small>
      </div>
      <small class="event-time">
        <Time at={entry.at} now={now} />
        <br />
        <ExactTime at={entry.at} />
      </small>
    </li>
  );
}
