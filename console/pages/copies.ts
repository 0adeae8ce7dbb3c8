/** What becomes of copies of a class once it is deleted, as the data map says. */

import { type ClassName, classes } from "../../db/data-map/classes.ts";
import type { DataClass } from "../../db/data-map/data-class.ts";
import { copiesInWords } from "../../workers/privacy/policy.ts";

/** One sentence. */
export function copiesOf(name: ClassName): string {
  const words = copiesInWords(classes[name]);
  return `${words.charAt(0).toUpperCase()}${words.slice(1)}.`;
}

/** How long copies outlast the data, in milliseconds. */
export function copiesMsOf(name: ClassName): number {
  return (classes[name] as DataClass).copiesMs;
}
