/**
 * The parts of the account center: their names, where they are, and the frame that every part stands
 * in. A part is offered as soon as its route is mounted (`offerParts`), so none leads nowhere.
 */

import type { Child } from "hono/jsx";
import { createContext, useContext } from "hono/jsx";
import type { Overview } from "../workers/account/overview.ts";
import { Done } from "./components/form.tsx";
import { Icon, type IconName } from "./components/icons.tsx";
import { RailLink } from "./components/rail-link.tsx";
import { Time } from "./components/time.tsx";
import { type PartState, partState } from "./part-states.ts";

/** What the parts are about, in the order of the overview. */
const groups = {
  you: "Who you are",
  in: "How you get in",
  who: "What is let in now",
  know: "What is known of it",
} as const;

export const accountParts = [
  {
    part: "profile",
    group: "you",
    href: "/account/profile",
    icon: "person",
    name: "Profile",
    says: "Your name and photo, and who may see them.",
  },
  {
    part: "addresses",
    group: "you",
    href: "/account/addresses",
    icon: "mail",
    name: "Addresses",
    says: "E-mails and phones: where we reach you.",
  },
  {
    part: "password",
    group: "in",
    href: "/account/password",
    icon: "lock",
    name: "Password",
    says: "Change it, or choose one.",
  },
  {
    part: "passkeys",
    group: "in",
    href: "/account/passkeys",
    icon: "key",
    name: "Passkeys",
    says: "Sign in with a finger, a face or a key on your ring.",
  },
  {
    part: "second-step",
    group: "in",
    href: "/account/second-step",
    icon: "phone",
    name: "Second step",
    says: "Ask for more than a password, and trust your own browsers.",
  },
  {
    part: "linked",
    group: "in",
    href: "/account/linked",
    icon: "link",
    name: "Linked accounts",
    says: "Accounts elsewhere that let you in here.",
  },
  {
    part: "sessions",
    group: "who",
    href: "/sessions",
    icon: "sessions",
    name: "Sessions",
    says: "Where you are signed in.",
  },
  {
    part: "apps",
    group: "who",
    href: "/account/apps",
    icon: "grid",
    name: "Apps",
    says: "What signs you in with Latchkey.",
  },
  {
    part: "tokens",
    group: "who",
    href: "/account/tokens",
    icon: "terminal",
    name: "Access tokens",
    says: "For your own programs.",
  },
  {
    part: "activity",
    group: "know",
    href: "/account/activity",
    icon: "history",
    name: "Activity",
    says: "What happened to your account, when, and from where.",
  },
  {
    part: "data",
    group: "know",
    href: "/account/data",
    icon: "shield",
    name: "Privacy",
    says: "What we hold about you. Take it with you, or have it erased.",
  },
] as const satisfies readonly {
  part: string;
  group: keyof typeof groups;
  href: string;
  icon: IconName;
  name: string;
  says: string;
}[];

export type AccountPart = (typeof accountParts)[number]["part"];

const offered = new Set<string>();

/** Says once, while the routes are put together, which pages there are. */
export function offerParts(routes: Iterable<string>): void {
  for (const path of routes) offered.add(path);
}

/** Where a part's page is, if there is one. */
export function partPage(part: AccountPart): string | undefined {
  const href = accountParts.find((one) => one.part === part)?.href;
  return href !== undefined && offered.has(href) ? href : undefined;
}

/** What the operator's choices leave of the parts. */
export interface Offers {
  /** True where some account elsewhere lets people in. */
  readonly elsewhere: boolean;
}

export const OffersContext = createContext<Offers>({ elsewhere: false });

/** The parts that have a page here, by what they are about. */
function groupedParts({ elsewhere }: Offers) {
  const parts = accountParts.filter(
    ({ part, href }) => offered.has(href) && (part !== "linked" || elsewhere),
  );
  return Object.entries(groups).map(([id, title]) => ({
    id,
    title,
    parts: parts.filter(({ group }) => group === id),
  }));
}

interface CardsProps {
  readonly overview: Overview;
  readonly now: number;
}

/** The overview's list of parts, each with what it is for and how it stands. */
export function PartCards({ overview, now }: CardsProps) {
  const { elsewhere } = useContext(OffersContext);
  return (
    <div class="part-groups">
      {groupedParts({ elsewhere: elsewhere || overview.linked > 0 }).map(({ id, title, parts }) => (
        <section aria-labelledby={`parts-${id}`}>
          <h2 id={`parts-${id}`}>{title}</h2>
          <ul class="parts">
            {parts.map(({ part, href, icon, name, says }) => (
              <li>
                <a class="part-card" href={href} data-command={name}>
                  <Icon name={icon} />
                  <span>
                    <b>{name}</b>
                    <small>{says}</small>
                    <PartLine state={partState(part, overview)} now={now} />
                  </span>
                </a>
              </li>
            ))}
          </ul>
        </section>
      ))}
    </div>
  );
}

function PartLine({ state, now }: { state: PartState; now: number }) {
  const { text, warns, at } = state;
  return (
    <span class={warns ? "part-state warns" : "part-state"}>
      {warns && <Icon name="warning" />}
      <span>
        {text}
        {at !== undefined && (
          <>
            , <Time at={at} now={now} />
          </>
        )}
      </span>
    </span>
  );
}

interface FrameProps {
  readonly at: AccountPart;
  /** The page's one heading: a sentence. */
  readonly title: string;
  readonly lead?: Child;
  /** What the form before this page did; null for nothing. */
  readonly done?: string | null;
  readonly children: Child;
}

/** One part: the way back, the other parts beside it, its heading, its content. */
export function AccountFrame({ at, title, lead, done, children }: FrameProps) {
  const { elsewhere } = useContext(OffersContext);
  return (
    <div class="account">
      <nav class="account-nav" aria-label="Account">
        <a class="crumb" href="/account">
          Your account
        </a>
        {groupedParts({ elsewhere: elsewhere || at === "linked" }).map(({ title, parts }) => (
          <ul aria-label={title}>
            {parts
              .filter(({ part }) => part !== "data")
              .map(({ part, href, icon, name }) => (
                <li>
                  <RailLink href={href} icon={icon} name={name} current={part === at} />
                </li>
              ))}
          </ul>
        ))}
      </nav>
      <div class="account-part">
        <Done text={done ?? null} />
        <header class="page-head">
          <div>
            <h1>{title}</h1>
            {lead !== undefined && <p class="lead">{lead}</p>}
          </div>
        </header>
        {children}
      </div>
    </div>
  );
}
