/** The browsers that are spared the second step, each with the button that ends it. */

import type { TrustedBrowserView } from "../../workers/sign-in/trust.ts";
import { Time } from "../components/time.tsx";
import { sayDay } from "../words.ts";

const home = "/account/second-step";

interface TrustedProps {
  readonly trusted: readonly TrustedBrowserView[];
  readonly now: number;
  readonly on: boolean;
}

export function Trusted({ trusted, now, on }: TrustedProps) {
  return (
    <section class="stack" aria-labelledby="trusted">
      <h2 id="trusted">Browsers you trust</h2>
      {trusted.length === 0 ? (
        <p>
          {on
            ? "None. Tick “Trust this browser” at the second step, and that browser is not asked for it for 90 days."
            : "None. With a second step on, you can spare your own browsers from it."}
        </p>
      ) : (
        <>
          <ul class="rows">
            {trusted.map(({ id, client, network, current, seenAt, createdAt, expiresAt }) => (
              <li>
                <div>
                  <b>
                    {client} {current && <span class="tag">This browser</span>}
                  </b>
                  <small>
                    {network === null ? "" : `Trusted from the network ${network} · `}
                    used <Time at={seenAt} now={now} /> · since {sayDay(createdAt)} · until{" "}
                    {sayDay(expiresAt)}
                  </small>
                </div>
                <form method="post" action={`${home}/trusted/end`}>
                  <input type="hidden" name="browser" value={id} />
                  <button class="button plain small" type="submit">
                    Stop trusting<span class="hidden-text"> ({client})</span>
                  </button>
                </form>
              </li>
            ))}
          </ul>
          {trusted.length > 1 && (
            <form class="after-list" method="post" action={`${home}/trusted/end-all`}>
              <button class="button danger plain" type="submit">
                Stop trusting all of them
              </button>
            </form>
          )}
        </>
      )}
    </section>
  );
}
