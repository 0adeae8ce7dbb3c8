/**
 * The log gate: a line leaves with the fields that the data map declares, in the shape it declares,
 * or without them (ANO-5, CON-14). A log never brings a request down, so a refused field is dropped
 * and counted instead of thrown.
 */

import { logMap } from "../../db/data-map/outside.ts";
import type { Log } from "../ports.ts";

type Shape = (typeof logMap)[keyof typeof logMap]["shape"];

/** A word has no digit and no `_`, `@` or `.`, so no identifier, token or address fits in one. */
const fits: Readonly<Record<Shape, (value: unknown) => boolean>> = {
  word: (value) => typeof value === "string" && /^[A-Za-z][A-Za-z-]{0,39}$/.test(value),
  template: (value) =>
    typeof value === "string" && /^[A-Z]{3,7} (?:\/(?::?[a-zA-Z-]*|\{[a-zA-Z]+\}))+$/.test(value),
  number: (value) => typeof value === "number" && Number.isFinite(value),
};

/** Writes each line as JSON through `write`, without what is not declared. */
export function logGate(write: (line: string) => void): Log {
  return (line) => {
    const kept: Record<string, unknown> = {};
    let refused = 0;
    for (const [field, value] of Object.entries(line)) {
      const rule = Object.hasOwn(logMap, field) ? logMap[field as keyof typeof logMap] : null;
      if (rule !== null && fits[rule.shape](value)) kept[field] = value;
      else refused++;
    }
    write(JSON.stringify(refused === 0 ? kept : { ...kept, refused }));
  };
}
