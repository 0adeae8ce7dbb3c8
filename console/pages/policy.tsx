/** The public policy: what is held, why, for how long, who sees it, what deletes it. All from the map. */

import type { Policy, PolicyClass } from "../../workers/privacy/policy.ts";
import { count } from "../words.ts";

type PolicyFeature = Policy["features"][number];

export function PolicyPage({ policy, signedIn }: { policy: Policy; signedIn: boolean }) {
  return (
    <>
      <header class="page-head">
        <div>
          <h1>What we hold, why, and for how long</h1>
          <p class="lead">
            This page is printed from the same declarations that the program runs on. What is not
            listed here cannot be stored: a test fails before such a program could be released.{" "}
            <a href="/api/policy">The same for programs</a>
          </p>
        </div>
        {signedIn && (
          <a class="button" href="/account/data#shelf">
            What we hold about you
          </a>
        )}
      </header>
      <InShort policy={policy} />
      <div class="policy">
        <Contents policy={policy} />
        <div>
          {policy.features.map((feature) => (
            <FeaturePart feature={feature} />
          ))}
          <Cookies policy={policy} />
          <Recipients policy={policy} />
          <Places policy={policy} />
        </div>
      </div>
    </>
  );
}

/** The page on one screen: a line for each service, each leading to its part. */
function InShort({ policy }: { policy: Policy }) {
  const { features, cookies, recipients, regions } = policy;
  const lines = [
    ...features.map(({ feature, title, says, optional, classes }) => ({
      ...{ id: feature, title, says },
      more: `${count(classes.length, "kind")} of data · ${optional ? "off until you switch it on" : "while you have one"}`,
    })),
    {
      ...{ id: "cookies", title: "Cookies" },
      says: "Only those that keep you safe. None measures you.",
      more: count(cookies.length, "cookie"),
    },
    {
      ...{ id: "recipients", title: "Who else gets anything" },
      says: "Nobody but those who must, to do what you asked for.",
      more: count(recipients.length, "recipient"),
    },
    {
      ...{ id: "places", title: "Where it lives" },
      says: "In the region you chose at sign-up, and in no other.",
      more: count(regions.length, "region"),
    },
  ];
  return (
    <nav class="in-short" aria-labelledby="in-short">
      <h2 id="in-short">In short</h2>
      <ul>
        {lines.map(({ id, title, says, more }) => (
          <li>
            <a href={`#${id}`}>{title}</a>
            <span>{says}</span>
            <small>{more}</small>
          </li>
        ))}
      </ul>
    </nav>
  );
}

function Contents({ policy }: { policy: Policy }) {
  return (
    <nav class="contents" aria-label="On this page">
      <b>On this page</b>
      <ul>
        {policy.features.map(({ feature, title }) => (
          <li>
            <a href={`#${feature}`}>{title}</a>
          </li>
        ))}
        <li>
          <a href="#cookies">Cookies</a>
        </li>
        <li>
          <a href="#recipients">Who else gets anything</a>
        </li>
        <li>
          <a href="#places">Where it lives</a>
        </li>
      </ul>
    </nav>
  );
}

const ends: readonly [PolicyClass["ends"], string][] = [
  ["by you", "Stays until something ends it"],
  ["by itself", "Goes by itself after some days"],
  ["within a day", "On its way: gone within a day"],
];

function FeaturePart({
  feature: { feature, title, optional, classes },
}: {
  feature: PolicyFeature;
}) {
  const groups = ends
    .map(([end, words]) => ({ words, some: classes.filter((entry) => entry.ends === end) }))
    .filter(({ some }) => some.length > 0);
  return (
    <section class="policy-part" id={feature} aria-labelledby={`${feature}-title`}>
      <h2 id={`${feature}-title`}>{title}</h2>
      <p class="aside">
        {optional
          ? "Off until you switch it on. Switching it off deletes what stands here."
          : "Comes with what it is named for, and goes with it."}{" "}
        Open a line for why, who sees it and what deletes it.
      </p>
      {groups.map(({ words, some }) => (
        <div class="classes">
          <p>{words}</p>
          {some.map((entry) => (
            <ClassEntry entry={entry} />
          ))}
        </div>
      ))}
    </section>
  );
}

/** A line that opens. Whoever comes by its anchor finds it open: the anchor is inside. */
function ClassEntry({ entry }: { entry: PolicyClass }) {
  return (
    <details class="class">
      <summary>
        <h3>{entry.title}</h3>
        <small>{sentence(entry.live)}</small>
      </summary>
      <div class="class-body" id={entry.name.replaceAll(" ", "-")}>
        <p>{sentence(entry.holds)}</p>
        <dl class="facts">
          <dt>Why</dt>
          <dd>
            {sentence(entry.why)} <span class="aside">({entry.basis})</span>
          </dd>
          <dt>How long</dt>
          <dd>
            {sentence(entry.live)} <span class="aside">Copies: {entry.copies}.</span>
          </dd>
          <dt>Who sees it</dt>
          <dd>{sentence(entry.seenBy)}</dd>
          <dt>What deletes it</dt>
          <dd>{sentence(entry.deletedBy)}</dd>
          <dt>Where</dt>
          <dd>{sentence(entry.place)}</dd>
        </dl>
      </div>
    </details>
  );
}

function Cookies({ policy }: { policy: Policy }) {
  return (
    <section class="policy-part" id="cookies" aria-labelledby="cookies-title">
      <h2 id="cookies-title">Cookies</h2>
      <p class="aside">
        These and no others, all of them needed to keep you safe. None measures you, none is anyone
        else’s. If your browser refuses them, every public page still works; only signing in does
        not.
      </p>
      {policy.cookies.map(({ name, purpose, lifetime }) => (
        <article class="class plain">
          <h3 class="mono">{name}</h3>
          <p>
            {sentence(purpose)} <span class="aside">Lasts {lifetime}.</span>
          </p>
        </article>
      ))}
    </section>
  );
}

function Recipients({ policy }: { policy: Policy }) {
  return (
    <section class="policy-part" id="recipients" aria-labelledby="recipients-title">
      <h2 id="recipients-title">Who else gets anything</h2>
      <p class="aside">Everything that leaves the house, to whom, field by field.</p>
      {policy.recipients.map(({ recipient, why, fields }) => (
        <article class="class plain">
          <h3>{sentence(recipient)}</h3>
          <p>{sentence(why)}</p>
          <dl class="facts">
            <dt>Gets</dt>
            <dd>{fields.join(", ")}</dd>
          </dl>
        </article>
      ))}
    </section>
  );
}

function Places({ policy }: { policy: Policy }) {
  return (
    <section class="policy-part" id="places" aria-labelledby="places-title">
      <h2 id="places-title">Where it lives</h2>
      <p class="aside">
        Each account lives in one region, chosen at sign-up, and its rows are in no other.
      </p>
      {policy.regions.map(({ title }) => (
        <article class="class plain">
          <h3>{title}</h3>
        </article>
      ))}
    </section>
  );
}

/** The map's phrases begin small and end open; a page speaks in sentences. */
function sentence(text: string): string {
  return `${text.charAt(0).toUpperCase()}${text.slice(1)}${/[.!?]$/.test(text) ? "" : "."}`;
}
