/**
 * The pages at a device's door, served on the device's own host: they carry their style with them,
 * ask nothing of the console's origin, and say nothing of a device but the word the visitor typed.
 */

import { raw } from "hono/html";
import type { Child } from "hono/jsx";
import { doorPaths } from "../../durable-objects/device/door.ts";
import type { DoorFacts, DoorPages } from "../../workers/link/pages.ts";
import { count } from "../words.ts";

/** The console's colors without its fonts: nothing is fetched from another host. */
const style = `
:root{color-scheme:light dark;--paper:#faf8f4;--ink:#1d211f;--quiet:#545a56;--line:#e4dfd6;--door:#1e5b4f;--brass:#a97b1e;--key:#e3bd70;--off:#8b8f8a;--danger:#a8402f}
@media(prefers-color-scheme:dark){:root{--paper:#121513;--ink:#e9e7e1;--quiet:#aeb3ad;--line:#2a2f2c;--door:#6fb8a6;--brass:#d9ae5a;--key:#121513;--off:#7b817c;--danger:#e07a66}}
*{box-sizing:border-box}
body{margin:0;min-height:100vh;display:grid;grid-template-rows:1fr auto;background:var(--paper);color:var(--ink);font:400 1.0625rem/1.55 system-ui,-apple-system,"Segoe UI","Noto Sans",sans-serif;overflow-wrap:anywhere}
main{max-width:32rem;margin:auto;padding:3rem 1.5rem;display:grid;gap:1.25rem}
svg{width:5rem;height:6.25rem}
.frame{fill:none;stroke:var(--line);stroke-width:3}
.leaf{fill:var(--door)}.leaf.off{fill:var(--off)}
.key{fill:var(--key)}
h1{margin:0;font-size:1.728rem;line-height:1.2;letter-spacing:-.02em;text-wrap:balance}
p{margin:0}.quiet{color:var(--quiet)}
a{color:var(--door);text-underline-offset:.2em}
.button{display:inline-block;min-height:2.75rem;padding:.6rem 1.25rem;border-radius:10px;background:var(--door);color:var(--paper);font-weight:600;text-decoration:none}
:focus-visible{outline:3px solid var(--brass);outline-offset:3px;border-radius:10px}
form{display:grid;gap:1rem;justify-items:start}
label{display:grid;gap:.35rem;font-weight:600}
input{min-height:2.75rem;padding:.5rem .75rem;border:1px solid var(--quiet);border-radius:10px;background:transparent;color:inherit;font:inherit}
button.button{border:0;font-family:inherit;font-size:inherit;cursor:pointer}
.wrong{padding:.75rem 1rem;border:1px solid var(--danger);border-radius:10px}
footer{padding:1.25rem 1.5rem;border-top:1px solid var(--line);color:var(--quiet);font-size:.9375rem;text-align:center}
`;

interface DoorProps {
  readonly facts: DoorFacts;
  readonly title: string;
  /** The door is painted when something stands behind it. */
  readonly painted?: boolean;
  readonly children: Child;
}

function Door({ facts, title, painted, children }: DoorProps) {
  return (
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <meta name="robots" content="noindex" />
        <meta name="color-scheme" content="light dark" />
        <title>{title}</title>
        <link rel="icon" href="data:," />
        <style nonce={facts.nonce}>{raw(style)}</style>
      </head>
      <body>
        <main>
          <svg viewBox="0 0 80 100" aria-hidden="true" focusable="false">
            <path class="frame" d="M6 98V38a34 34 0 0 1 68 0v60z" />
            <path class={painted ? "leaf" : "leaf off"} d="M13 98V38a27 27 0 0 1 54 0v60z" />
            <path class="key" d="M40 48a8 8 0 0 0-4 15l-3 15h14l-3-15a8 8 0 0 0-4-15z" />
          </svg>
          <h1>{title}</h1>
          {children}
        </main>
        <footer>
          A door by <a href={facts.console}>Latchkey</a>. What passes through it is never stored.
        </footer>
      </body>
    </html>
  );
}

/** For whoever finds harm behind a door. It says which device, and not what was looked at. */
function Report({ facts }: { facts: DoorFacts }) {
  return (
    <p class="quiet">
      Does this page do harm?{" "}
      <a href={`${facts.console}/report?door=${encodeURIComponent(facts.label)}`}>
        Report this page
      </a>
    </p>
  );
}

function wait(seconds: number): string {
  if (seconds < 120) return count(seconds, "second");
  return seconds < 7200
    ? count(Math.ceil(seconds / 60), "minute")
    : count(Math.ceil(seconds / 3600), "hour");
}

function Again({ facts }: { facts: DoorFacts }) {
  return (
    <>
      <p>
        {/* biome-ignore lint/a11y/useValidAnchor: the empty reference is this very address (RFC 3986 §4.4) */}
        <a class="button" href="">
          Try again
        </a>
      </p>
      {facts.retryAfter !== null && (
        <p class="quiet">Give it about {wait(facts.retryAfter)} first.</p>
      )}
    </>
  );
}

function document(content: Child): string {
  return `<!doctype html>${String(content)}`;
}

export const doorPages: DoorPages = {
  unknown: (facts) =>
    document(
      <Door facts={facts} title="There is no door here">
        <p>
          {facts.label === ""
            ? "This address names no device"
            : `Nobody’s device is called ${facts.label}`}
          , or its owner has switched the door off.
        </p>
        <p class="quiet">If someone gave you this address, ask them to look at it once more.</p>
      </Door>,
    ),
  offline: (facts) =>
    document(
      <Door facts={facts} title={`${facts.label} is not connected right now`}>
        <p>
          The door is here; the box behind it is not. It may be switched off, moving, or without
          internet. Nothing you sent was kept.
        </p>
        <Again facts={facts} />
      </Door>,
    ),
  forbidden: (facts) =>
    document(
      <Door facts={facts} title="This door is not open to you" painted>
        <p>You are signed in, but the owner of {facts.label} has not let you in.</p>
        <p class="quiet">
          Ask them to put your Latchkey ID on their list. It stands on{" "}
          <a href={`${facts.console}/account`}>your account page</a>. If they have just let you in,{" "}
          <a href="/.well-known/latchkey/leave">come in anew</a>.
        </p>
      </Door>,
    ),
  closed: (facts) =>
    document(
      <Door facts={facts} title="This door is closed">
        <p>
          The operator of Latchkey closed it because of what was reported about {facts.label}. If
          its owner lets you in by name, you may still{" "}
          <a href={doorPaths.signIn}>sign in and come in</a>.
        </p>
        <p class="quiet">
          Are you its owner? Your device’s page in <a href={`${facts.console}/devices`}>Latchkey</a>{" "}
          says why and how to object.
        </p>
        <Report facts={facts} />
      </Door>,
    ),
  first: (facts) =>
    document(
      <Door facts={facts} title={`This is ${facts.label}, somebody’s own device`} painted>
        <p>
          Whoever owns it opened this page to everyone. It is not a page of Latchkey, and nobody has
          looked at what it shows.
        </p>
        <p>
          <b>Type no password here that you use anywhere else</b>, also if the page looks like one
          you know.
        </p>
        <form method="post" action={facts.form?.action}>
          <input type="hidden" name="to" value={facts.form?.to ?? "/"} />
          <button class="button" type="submit">
            Go on to {facts.label}
          </button>
        </form>
        <p class="quiet">This browser is not asked again for some months.</p>
        <Report facts={facts} />
      </Door>,
    ),
  share: (facts) =>
    document(
      <Door facts={facts} title="Somebody shares something with you" painted>
        {facts.form?.isWrong && (
          <p class="wrong" role="alert">
            This link leads nowhere any more
            {facts.form.isLocked ? ", or the password is not right" : ""}. Ask whoever sent it to
            you.
          </p>
        )}
        <p>
          It lies on {facts.label}, a device of their own, and comes from there. It is not a page of
          Latchkey, and nobody has looked at what it shows. Whoever has this link can open it: pass
          it on only if they would.
        </p>
        <form method="post" action={facts.form?.action}>
          {facts.form?.isLocked && (
            <label>
              Password of this link
              <input type="password" name="password" autocomplete="off" required />
            </label>
          )}
          <button class="button" type="submit">
            Open it
          </button>
        </form>
        <Report facts={facts} />
      </Door>,
    ),
  "bad-code": (facts) =>
    document(
      <Door facts={facts} title="That way in is used up" painted>
        <p>
          The step from signing in to this door works once, within a minute, and only in the browser
          that asked.
        </p>
        <p>
          <a class="button" href="/">
            Take it again
          </a>
        </p>
      </Door>,
    ),
  "cross-site": (facts) =>
    document(
      <Door facts={facts} title="This came from another site" painted>
        <p>
          Another page tried to use your visit at {facts.label}. Nothing reached the device. Open
          the page here and do it yourself.
        </p>
        <p>
          <a class="button" href="/">
            Open the page
          </a>
        </p>
      </Door>,
    ),
  failed: (facts) =>
    document(
      <Door facts={facts} title={`${facts.label} did not answer`} painted>
        <p>
          The box is connected, but the page behind it broke off. If you were sending something,
          look whether it arrived before you send it again.
        </p>
        <Again facts={facts} />
      </Door>,
    ),
  timeout: (facts) =>
    document(
      <Door facts={facts} title={`${facts.label} takes too long`} painted>
        <p>
          The box is connected, but its page has not begun to answer. If you were sending something,
          look whether it arrived before you send it again.
        </p>
        <Again facts={facts} />
      </Door>,
    ),
  busy: (facts) =>
    document(
      <Door facts={facts} title={`${facts.label} is busy`} painted>
        <p>It is answering as much at once as it can. Nothing of this request reached it.</p>
        <Again facts={facts} />
      </Door>,
    ),
  spent: (facts) =>
    document(
      <Door facts={facts} title={`${facts.label} has reached its limit`} painted>
        <p>
          Whoever runs this service limits how much may pass through one door, and this one has
          carried that much. Nothing of this request reached the device.
        </p>
        <Again facts={facts} />
      </Door>,
    ),
  "too-fast": (facts) =>
    document(
      <Door facts={facts} title="That was a lot from you" painted>
        <p>
          One visitor may ask for so much at this door, and you, or others in your network, have.
          Nothing of this request reached the device.
        </p>
        <Again facts={facts} />
      </Door>,
    ),
  "too-long": (facts) =>
    document(
      <Door facts={facts} title="This address is too long" painted>
        <p>It is longer than the door passes on. Nothing reached {facts.label}.</p>
      </Door>,
    ),
  "too-large": (facts) =>
    document(
      <Door facts={facts} title="This is too much for one upload" painted>
        <p>
          One request can carry {inMegabytes(facts.uploadBytes)} through this door. Nothing of it
          reached {facts.label}.
        </p>
        <p>
          Upload smaller files, or use a program that uploads in parts. At home, {facts.label}{" "}
          itself has no such limit.
        </p>
      </Door>,
    ),
  upgrade: (facts) =>
    document(
      <Door facts={facts} title="This kind of connection cannot pass" painted>
        <p>The program on {facts.label} is older than this: a newer one passes WebSockets on.</p>
      </Door>,
    ),
  left: (facts) =>
    document(
      <Door facts={facts} title="You have left">
        <p>This browser is no longer let in at {facts.label}.</p>
        <p>
          <a class="button" href="/">
            Come in again
          </a>
        </p>
      </Door>,
    ),
};

/** Bytes for people: whole megabytes, of a million each. */
function inMegabytes(bytes: number | null): string {
  return bytes === null ? "any amount" : `${Math.floor(bytes / 1_000_000)} MB`;
}
