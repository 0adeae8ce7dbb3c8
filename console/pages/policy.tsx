/** The public policy: what is held, why, for how long, who sees it, what deletes it. All from the map. */

import type { Policy, PolicyClass } from "../../workers/privacy/policy.ts";

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
      <div class="policy">
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
        <div>
          {policy.features.map(({ feature, title, optional, classes }) => (
            <section class="policy-part" id={feature} aria-labelledby={`${feature}-title`}>
              <h2 id={`${feature}-title`}>{title}</h2>
              <p class="aside">
                {optional
                  ? "Off until you switch it on. Switching it off deletes what stands here."
                  : "Comes with what it is named for, and goes with it."}
              </p>
              {classes.map((entry) => (
                <ClassEntry entry={entry} />
              ))}
            </section>
          ))}
          <Cookies policy={policy} />
          <Recipients policy={policy} />
          <Places policy={policy} />
        </div>
      </div>
    </>
  );
}

function ClassEntry({ entry }: { entry: PolicyClass }) {
  return (
    <article class="class" id={entry.name.replaceAll(" ", "-")}>
      <h3>{entry.title}</h3>
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
    </article>
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
        <article class="class">
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
        <article class="class">
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
        <article class="class">
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
