/**
 * The two frames of a page: the house (signed in: rail or bottom bar) and the street (public). Plain
 * data in, markup out.
 */

import type { Child } from "hono/jsx";
import { Icon, type IconName, Mark } from "./components/icons.tsx";
import { RailLink } from "./components/rail-link.tsx";
import { names } from "./dist/names.ts";

export type Place = "devices" | "people" | "privacy" | "account";

export interface PageOptions {
  /** Names the page in the tab; the product's name is added. */
  readonly title: string;
  /** The rail's entry that this page belongs to. */
  readonly at?: Place | undefined;
}

interface FrameProps extends PageOptions {
  readonly signedIn: boolean;
  readonly nonce: string;
  /** The time zone that its reader chose; null: the browser's own. */
  readonly zone: string | null;
  readonly children: Child;
}

const places: readonly { place: Place; href: string; icon: IconName; name: string }[] = [
  { place: "devices", href: "/devices", icon: "device", name: "Devices" },
  { place: "people", href: "/people", icon: "people", name: "People" },
  { place: "privacy", href: "/account/data", icon: "shield", name: "Privacy" },
  { place: "account", href: "/account", icon: "person", name: "Account" },
];

/** Where a built file is served. */
const asset = (name: keyof typeof names): string => `/assets/${names[name]}`;

/** A whole document around `children`. */
export function Page({ title, at, signedIn, nonce, zone, children }: FrameProps) {
  return (
    <html lang="en" dir="ltr" data-zone={zone ?? undefined}>
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <title>{title} · Latchkey</title>
        <meta name="color-scheme" content="light dark" />
        <meta name="theme-color" content="#faf8f4" media="(prefers-color-scheme: light)" />
        <meta name="theme-color" content="#121513" media="(prefers-color-scheme: dark)" />
        <link
          rel="preload"
          href={asset("figtree-latin-wght-normal.woff2")}
          as="font"
          type="font/woff2"
          crossorigin=""
        />
        <link rel="stylesheet" href={asset("console.css")} />
        <link rel="icon" href={asset("icon.svg")} type="image/svg+xml" />
        <script type="module" src={asset("console.js")} nonce={nonce} />
      </head>
      <body>
        <a class="skip" href="#content">
          Skip to the content
        </a>
        {signedIn ? <House at={at}>{children}</House> : <Street>{children}</Street>}
      </body>
    </html>
  );
}

function House({ at, children }: { at?: Place | undefined; children: Child }) {
  return (
    <div class="house">
      <div class="rail">
        <a class="wordmark" href="/devices">
          <Mark />
          Latchkey
        </a>
        <nav aria-label="Main">
          <ul class="rail-list">
            {places.map(({ place, href, icon, name }) => (
              <li>
                <RailLink href={href} icon={icon} name={name} current={place === at} />
              </li>
            ))}
          </ul>
        </nav>
        <div class="rail-foot">
          <p class="rail-hint" data-palette-hint hidden>
            Press <kbd>/</kbd> to go anywhere
          </p>
          <form method="post" action="/sign-out">
            <button class="rail-link" type="submit" data-command="Sign out">
              <Icon name="leave" />
              <span>Sign out</span>
            </button>
          </form>
        </div>
      </div>
      <main class="room" id="content" tabindex={-1}>
        {children}
      </main>
    </div>
  );
}

function Street({ children }: { children: Child }) {
  return (
    <>
      <header class="street-bar">
        <a class="wordmark" href="/">
          <Mark />
          Latchkey
        </a>
        <a href="/privacy" data-command="Privacy">
          Privacy
        </a>
        <a href="/sign-in" data-command="Sign in">
          Sign in
        </a>
      </header>
      <main class="street" id="content" tabindex={-1}>
        {children}
      </main>
      <footer class="street-foot">
        <div>
          <p>Latchkey, the cloud half of a box you keep at home.</p>
          <a href="/privacy">What we hold, and for how long</a>
        </div>
      </footer>
    </>
  );
}
