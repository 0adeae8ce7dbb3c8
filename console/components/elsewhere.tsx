/** Ways in with an account elsewhere. */

/** A provider of accounts elsewhere, as it is offered. */
export interface Elsewhere {
  readonly id: string;
  readonly title: string;
}

/** Ways in with an account elsewhere: words only, for a provider's picture would tell it of every visitor. */
export function ElsewhereLinks({
  providers,
  returnTo,
}: {
  providers: readonly Elsewhere[];
  returnTo?: string | null;
}) {
  if (providers.length === 0) return null;
  const query = returnTo == null ? "" : `?return=${encodeURIComponent(returnTo)}`;
  return (
    <section class="elsewhere" aria-labelledby="elsewhere">
      <h2 id="elsewhere">Or with an account elsewhere</h2>
      <ul>
        {providers.map(({ id, title }) => (
          <li>
            <a class="button plain wide" href={`/sign-in/with/${id}${query}`}>
              Continue with {title}
            </a>
          </li>
        ))}
      </ul>
      <p class="hint">
        {providers.length === 1 ? "It learns" : "The one you choose learns"} that you sign in here,
        under its own terms. We keep no key of it.
      </p>
    </section>
  );
}
