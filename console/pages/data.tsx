/** What is held about a person: the shelf, a copy of all of it, and the page before it is erased. */

import type { Holding } from "../../workers/privacy/holdings.ts";
import { ErrorSummary, type FormErrors } from "../components/form.tsx";
import { Icon } from "../components/icons.tsx";
import { Shelf } from "../pictures/shelf.tsx";
import { ConfirmPage, type Going } from "./confirm.tsx";
import { copiesOf } from "./copies.ts";

interface DataProps {
  readonly holdings: readonly Holding[];
  readonly labels: ReadonlyMap<string, string>;
  readonly now: number;
  readonly errors?: FormErrors | undefined;
}

export function DataPage({ holdings, labels, now, errors }: DataProps) {
  return (
    <>
      <header class="page-head">
        <div>
          <h1>What we hold about you</h1>
          <p class="lead">
            Drawn from your own rows, right now. Each bar ends where it is deleted by itself; what
            runs off the edge stays until you end it.
          </p>
        </div>
      </header>
      <ErrorSummary errors={errors} />
      <p class="jumps actions">
        <a href="#export">Take it with you</a>
        <a href="#erase">Leave</a>
        <a href="/privacy">What we may hold of anybody, and why</a>
      </p>
      <section id="shelf" class="shelf-frame" aria-label="The shelf">
        <Shelf holdings={holdings} labels={labels} now={now} />
      </section>
      <section class="subject" aria-labelledby="export">
        <header>
          <h2 id="export">Take it with you</h2>
          <p>A copy of everything, made while you wait.</p>
        </header>
        <div class="subject-body">
          <p>
            The archive has a page to read and a file for programs. It goes straight to you: we keep
            no copy of it, so keep yours safe. Passwords, keys and codes are named in it, not shown.
            If you came in more than 15 minutes ago, we ask first whether it is you.
          </p>
          <form method="post" action="/account/data/export">
            <button class="button" type="submit" data-command="Download everything held about you">
              <Icon name="copy" />
              Download everything
            </button>
          </form>
        </div>
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
  /** Asked for, where the account has one. */
  readonly password: boolean;
  readonly errors?: FormErrors | undefined;
}

export function ErasePage({ holdings, devices, password, errors }: EraseProps) {
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
      back={{ href: "/account/data", label: "Privacy" }}
      password={password}
      errors={errors}
    />
  );
}
