/** Recovery codes: how many are left, and new ones, shown once. */

import { AccountFrame } from "../account-nav.tsx";
import { Command } from "../components/form.tsx";
import { Icon } from "../components/icons.tsx";
import { count } from "../words.ts";

const home = "/account/second-step";

interface CodesProps {
  /** Shown this once; null before they are made. */
  readonly codes: readonly string[] | null;
  readonly left: number;
  readonly done: string | null;
}

export function CodesPage({ codes, left, done }: CodesProps) {
  return (
    <AccountFrame
      at="second-step"
      title="Recovery codes"
      lead="For the day your phone is gone: each lets you in once, in place of the second step."
      done={done}
    >
      {codes === null ? (
        <form class="form" method="post" action={`${home}/codes`} novalidate>
          <p>
            You have {count(left, "code")} left. New ones take their place: the old ones stop
            working at once.
          </p>
          <p class="actions">
            <button class="button" type="submit">
              Make ten new codes
            </button>
            <a class="button plain" href={home}>
              Keep the old ones
            </a>
          </p>
        </form>
      ) : (
        <NewCodes codes={codes} />
      )}
    </AccountFrame>
  );
}

function NewCodes({ codes }: { codes: readonly string[] }) {
  const text = codes.join("\n");
  const file = encodeURIComponent(`Latchkey recovery codes\nEach works once.\n\n${text}\n`);
  return (
    <section class="stack secret" aria-labelledby="codes">
      <h2 id="codes">Keep these now</h2>
      <p>
        This page is the only one that ever shows them: we keep hashes, not codes. Print it, or keep
        them in your password manager; not on the phone they stand in for.
      </p>
      <Command text={text} label="the recovery codes" />
      <p class="actions">
        <a
          class="button plain"
          href={`data:text/plain;charset=utf-8,${file}`}
          download="latchkey-recovery-codes.txt"
        >
          <Icon name="arrow" />
          Save as a file
        </a>
        <a class="button" href={home}>
          I have them
        </a>
      </p>
    </section>
  );
}
