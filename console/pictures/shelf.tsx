/**
 * The shelf: what is held about a person as bars over time, one a class, each ending where it is
 * deleted. Today is the brass line. It is a table, so it reads as one; the bars are its second column.
 */

import type { ClassName } from "../../db/data-map/classes.ts";
import { DAY } from "../../protocol/limits.ts";
import type { Holding } from "../../workers/privacy/holdings.ts";
import { type AccountPart, partPage } from "../account-nav.tsx";
import { copiesMsOf } from "../pages/copies.ts";
import { count, sayDay, sayRelative } from "../words.ts";

const TODAY_PERCENT = 34;
const KEPT_PERCENT = 88;
/** Beyond these, distance is not drawn any further. */
const PAST = { base: DAY, max: 730 * DAY };
const FUTURE = { base: DAY, max: 180 * DAY };
const THINNEST_PERCENT = 0.8;

/** Where a moment stands on the shelf, in percent of its width: logarithmic from today both ways. */
export function place(at: number, now: number): number {
  const past = at < now;
  const { base, max } = past ? PAST : FUTURE;
  const share = Math.min(1, Math.log1p(Math.abs(at - now) / base) / Math.log1p(max / base));
  return past
    ? TODAY_PERCENT * (1 - share)
    : TODAY_PERCENT + (KEPT_PERCENT - TODAY_PERCENT) * share;
}

const ticks: readonly { readonly after: number; readonly label: string; readonly near?: true }[] = [
  { after: -365 * DAY, label: "a year ago" },
  { after: -30 * DAY, label: "month", near: true },
  { after: DAY, label: "day", near: true },
  { after: 7 * DAY, label: "week" },
  { after: 30 * DAY, label: "month" },
  { after: 180 * DAY, label: "half a year" },
];

interface ShelfProps {
  readonly holdings: readonly Holding[];
  readonly labels: ReadonlyMap<string, string>;
  readonly now: number;
}

export function Shelf({ holdings, labels, now }: ShelfProps) {
  return (
    <>
      <p class="key" aria-hidden="true">
        <span>
          <i /> held so far
        </span>
        <span class="kept">
          <i /> held on
        </span>
        <span class="fading">
          <i /> deleted, copies fading
        </span>
        <span class="now">
          <i /> today
        </span>
      </p>
      <svg class="hidden-text" aria-hidden="true" focusable="false">
        <linearGradient id="shelf-on">
          <stop class="shelf-stop" offset="0.75" />
          <stop class="shelf-stop" offset="1" stop-opacity="0.08" />
        </linearGradient>
      </svg>
      <table class="shelf">
        <caption class="hidden-text">
          What we hold about you, since when, until when, and where to end it
        </caption>
        <thead>
          <tr>
            <th scope="col">What</th>
            <th scope="col" class="axis">
              <span class="hidden-text">Since when and until when</span>
              <Axis now={now} />
            </th>
            <th scope="col">End it</th>
          </tr>
        </thead>
        {groupsOf(holdings, labels).map(({ title, rows }) => (
          <tbody>
            <tr class="shelf-group">
              <th scope="rowgroup" colspan={3}>
                {title}
              </th>
            </tr>
            {rows.map((held) => (
              <Row held={held} group={title} now={now} />
            ))}
          </tbody>
        ))}
      </table>
    </>
  );
}

function Axis({ now }: { now: number }) {
  return (
    <svg aria-hidden="true" focusable="false" height="24">
      {ticks.map(({ after, label, near }) => (
        <text
          class={near ? "shelf-label near" : "shelf-label"}
          x={percent(place(now + after, now))}
          y="16"
          text-anchor="middle"
        >
          {label}
        </text>
      ))}
      <text class="shelf-label now" x={percent(TODAY_PERCENT)} y="16" text-anchor="middle">
        today
      </text>
    </svg>
  );
}

interface Group {
  readonly title: string;
  readonly rows: readonly Holding[];
}

/** The account's own first, then each device's under its name. */
function groupsOf(holdings: readonly Holding[], labels: ReadonlyMap<string, string>): Group[] {
  const devices = [...new Set(holdings.map(({ deviceId }) => deviceId))].filter(
    (id) => id !== null,
  );
  const named = devices
    .map((id) => ({ title: labels.get(id) ?? id, rows: holdings.filter((h) => h.deviceId === id) }))
    .sort((a, b) => (a.title < b.title ? -1 : 1));
  const own = { title: "You", rows: holdings.filter((h) => h.deviceId === null) };
  return [own, ...named].filter(({ rows }) => rows.length > 0);
}

function Row({ held, group, now }: { held: Holding; group: string; now: number }) {
  const control = controlOf(held);
  return (
    <tr>
      <th scope="row">
        <details>
          <summary>{held.title}</summary>
          <dl>
            <dt>What</dt>
            <dd>{held.holds}</dd>
            <dt>Why</dt>
            <dd>{held.why}</dd>
            <dt>Who sees it</dt>
            <dd>{held.seenBy}</dd>
            <dt>What deletes it</dt>
            <dd>{held.deletedBy}</dd>
          </dl>
        </details>
        {held.count > 1 && <small>{count(held.count, "entry", "entries")}</small>}
      </th>
      <td class="shelf-bar">
        <Bar held={held} now={now} />
        <span class="shelf-words">{periodOf(held, now)}</span>
      </td>
      <td class="shelf-act">
        <a href={control.href}>
          {control.label}
          <span class="hidden-text">{`: ${held.title}, ${group}`}</span>
        </a>
      </td>
    </tr>
  );
}

function Bar({ held, now }: { held: Holding; now: number }) {
  const start = place(held.since ?? now, now);
  const end = held.until === null ? 100 : place(held.until, now);
  const gone = held.until === null ? 100 : place(held.until + copiesMsOf(held.name), now);
  return (
    <svg aria-hidden="true" focusable="false">
      <title>{`${held.holds}. ${held.why}. Seen by ${held.seenBy}.`}</title>
      {ticks.map(({ after }) => {
        const x = percent(place(now + after, now));
        return <line class="shelf-tick" x1={x} x2={x} y1="0" y2="100%" />;
      })}
      {held.until !== null && <Piece kind="fading" from={end} to={gone} />}
      <Piece kind={held.until === null ? "open" : "kept"} from={TODAY_PERCENT} to={end} />
      <Piece
        kind="held"
        from={Math.min(start, TODAY_PERCENT - THINNEST_PERCENT)}
        to={TODAY_PERCENT}
      />
      <line
        class="shelf-today"
        x1={percent(TODAY_PERCENT)}
        x2={percent(TODAY_PERCENT)}
        y1="0"
        y2="100%"
      />
    </svg>
  );
}

function Piece({
  kind,
  from,
  to,
}: {
  kind: "held" | "kept" | "open" | "fading";
  from: number;
  to: number;
}) {
  if (to <= from) return null;
  return (
    <rect
      class={`shelf-${kind}`}
      x={percent(from)}
      width={percent(to - from)}
      y="12"
      height="16"
      rx={kind === "fading" ? 0 : 3}
    />
  );
}

/** Since when and until when, in words. */
function periodOf(held: Holding, now: number): string {
  const since = held.since === null ? "" : `since ${sayDay(held.since)}, `;
  const until =
    held.until === null
      ? "until you end it"
      : held.until - now > 2 * DAY
        ? `until ${sayDay(held.until)}`
        : `gone ${sayRelative(held.until, now)}`;
  return since + until;
}

/** The part of the account center that ends a class, where it is not the whole account that does. */
const parts: Readonly<Partial<Record<ClassName, { part: AccountPart; label: string }>>> = {
  session: { part: "sessions", label: "End sessions" },
  "contact address": { part: "addresses", label: "Your addresses" },
  credential: { part: "password", label: "Your password" },
  passkey: { part: "passkeys", label: "Remove passkeys" },
  "second step": { part: "second-step", label: "Switch off" },
  "trusted browser": { part: "second-step", label: "End the trust" },
  "linked account": { part: "linked", label: "Unlink" },
  "allowed app": { part: "apps", label: "End apps" },
  "app code": { part: "apps", label: "End apps" },
  "app token": { part: "apps", label: "End apps" },
  profile: { part: "profile", label: "Clear it" },
  "personal token": { part: "tokens", label: "End tokens" },
};

/** The one place where a holding can be ended. */
export function controlOf(held: Pick<Holding, "name" | "feature" | "deviceId">): {
  readonly href: string;
  readonly label: string;
} {
  const device = held.deviceId === null ? "/devices" : `/devices/${held.deviceId}`;
  const own = parts[held.name];
  const page = own === undefined ? undefined : partPage(own.part);
  if (own !== undefined && page !== undefined) return { href: page, label: own.label };
  if (held.name === "contact" || held.name === "contact ask") {
    return { href: "/people", label: "Your contacts" };
  }
  if (held.name === "access") return { href: `${device}#access`, label: "Change the list" };
  switch (held.feature) {
    case "name":
    case "lan":
    case "link": {
      if (held.deviceId === null) return { href: "/devices", label: "Your devices" };
      return { href: `${device}/features/${held.feature}/off`, label: "Switch off" };
    }
    case "device":
      return held.deviceId === null
        ? { href: "/devices", label: "Your devices" }
        : { href: `${device}/unregister`, label: "Unregister" };
    case "account":
      if (held.deviceId !== null) return { href: `${device}/unregister`, label: "Unregister" };
      return { href: "/account/erase", label: "Erase account" };
  }
}

function percent(value: number): string {
  return `${Math.round(value * 100) / 100}%`;
}
