/** Moments: relative to read, exact on hover, kept true by the browser. */

import { sayExact, sayRelative } from "../words.ts";

interface TimeProps {
  readonly at: number;
  readonly now: number;
  /** The live island writes a new moment here. */
  readonly bind?: string;
}

export function Time({ at, now, bind }: TimeProps) {
  return (
    <time datetime={new Date(at).toISOString()} title={sayExact(at)} data-relative data-bind={bind}>
      {sayRelative(at, now)}
    </time>
  );
}
