/** Moments: relative to read, exact on hover, kept true by the browser. */

import { useContext } from "hono/jsx";
import { sayExact, sayRelative } from "../words.ts";
import { ZoneContext } from "../zone.ts";

interface TimeProps {
  readonly at: number;
  readonly now: number;
  /** The live island writes a new moment here. */
  readonly bind?: string;
}

export function Time({ at, now, bind }: TimeProps) {
  const exact = sayExact(at, useContext(ZoneContext));
  return (
    <time datetime={new Date(at).toISOString()} title={exact} data-relative data-bind={bind}>
      {sayRelative(at, now)}
    </time>
  );
}

/** A moment to the minute, in the zone that its reader chose. */
export function ExactTime({ at }: { at: number }) {
  return <time datetime={new Date(at).toISOString()}>{sayExact(at, useContext(ZoneContext))}</time>;
}
