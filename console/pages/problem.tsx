/** What stands there when something cannot be: why, and what to do next. Never "Oops". */

import { type ProblemCode, problems } from "../../workers/problem.ts";

interface Advice {
  /** Where the table's title is too dry for a page. */
  readonly heading?: string;
  readonly next: string;
  readonly href?: string;
  readonly label?: string;
}

const advice: Partial<Record<ProblemCode, Advice>> = {
  "not-found": {
    next: "The address may be mistyped, or what stood here was deleted. Deleted means deleted: we could not show it even if we wanted to.",
  },
  "too-young": {
    heading: "This needs a grown-up",
    next: "Nothing you typed was kept. A parent or guardian can open an account in their own name, add the box there, and use it together with you.",
  },
  "cross-site": {
    next: "The form you sent came from another site, or your browser hid where it came from. Nothing was changed. Open the page here and try again.",
  },
  "link-expired": {
    next: "Links in our mails work once and for 15 minutes, so that an old mail opens nothing. Nothing about you was kept.",
    href: "/sign-up",
    label: "Ask for a new link",
  },
  "sign-in-expired": {
    next: "The first step holds for ten minutes, and for one second step. Nothing was changed.",
    href: "/sign-in",
    label: "Begin again",
  },
  "contact-taken": {
    next: "This address got its account another way since you asked. Sign in with the password of that account.",
    href: "/sign-in",
    label: "Sign in",
  },
  "elsewhere-expired": {
    next: "You came here without having set out in this browser, or long ago, or for the second time. Nothing was changed. Begin again.",
    href: "/sign-in",
    label: "Sign in",
  },
  "provider-declined": {
    next: "You said no there, or it did not let you in. Nothing was kept, and nothing here has changed.",
    href: "/sign-in",
    label: "Sign in another way",
  },
  "provider-answer": {
    next: "It was meant for somebody else, was used before, or was changed on its way. Nobody was let in, and nothing was kept.",
    href: "/sign-in",
    label: "Begin again",
  },
  "provider-unavailable": {
    next: "It is their side, not yours. Nothing was kept. Try again in a minute, or sign in another way.",
    href: "/sign-in",
    label: "Sign in another way",
  },
  "identity-taken": {
    next: "An account elsewhere lets you into one account here. Sign in with it, unlink it there, and link it again where you want it.",
    href: "/sign-in",
    label: "Sign in",
  },
  "identity-differs": {
    next: "You signed in there with another account than the one this began with. Sign out there, or choose the right one, and try again.",
  },
  "too-many-tries": {
    next: "This protects you from someone who guesses. Nothing is locked: wait ten minutes and it works again.",
  },
  "code-expired": {
    next: "Codes work for ten minutes. Run the enroll command on the device again and it shows a new one.",
    href: "/devices/add",
    label: "Enter another code",
  },
  forbidden: {
    heading: "This door is not open to you",
    next: "You are signed in, but its owner has not let you in. Ask them to put your Latchkey ID on their list; it stands on your account page.",
    href: "/account",
    label: "Show my ID",
  },
  "mail-failed": {
    next: "The mail server did not take our message. Nothing was kept; try again in a minute.",
    href: "/sign-up",
    label: "Try again",
  },
  unavailable: {
    next: "Your data is where it was. Try again in a minute.",
  },
  internal: {
    next: "This is our fault, not yours. What you saw before still stands. Try again; we were told that it happened, but not who you are.",
  },
};

const fallback: Advice = { next: "Nothing was changed. Go back and try again." };

export function ProblemPage({ code, signedIn }: { code: ProblemCode; signedIn: boolean }) {
  const { status, title } = problems[code];
  const { heading, next, href, label } = advice[code] ?? fallback;
  return (
    <div class="narrow stack">
      <p class="aside mono">{status}</p>
      <h1>{heading ?? title}</h1>
      <p>{next}</p>
      <p class="actions">
        {href !== undefined && (
          <a class="button" href={href}>
            {label}
          </a>
        )}
        <a
          class={href === undefined ? "button" : "button plain"}
          href={signedIn ? "/devices" : "/"}
        >
          {signedIn ? "Your devices" : "Front page"}
        </a>
      </p>
    </div>
  );
}

/** Every problem the API reports, for whoever follows the link in one. */
export function ProblemsPage() {
  return (
    <div class="readable">
      <header class="page-head">
        <div>
          <h1>Problems</h1>
          <p class="lead">
            What a program gets in <code>code</code> when something was refused, as{" "}
            <code>application/problem+json</code>.
          </p>
        </div>
      </header>
      <dl class="facts problems">
        {Object.entries(problems).map(([code, { status, title }]) => (
          <>
            <dt id={code}>
              <code>{code}</code> <span class="aside">{status}</span>
            </dt>
            <dd>{title}.</dd>
          </>
        ))}
      </dl>
    </div>
  );
}
