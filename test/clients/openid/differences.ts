/** The table of differences in docs/openid-conformance.md. */

export interface Difference {
  readonly theirs: string;
  readonly ours: string;
  readonly why: string;
}

/** Rows of four cells: the step, what oidc-provider answers, what Latchkey answers, why. */
export function differencesIn(page: string): Map<string, Difference> {
  const rows = page.matchAll(/^\| `([a-z]+: [^`]+)` +\| `([^`]*)` +\| `([^`]*)` +\| (.+?) *\|$/gm);
  return new Map(
    [...rows].map(([, step = "", theirs = "", ours = "", why = ""]) => [
      step,
      { theirs, ours, why },
    ]),
  );
}
