/**
 * The operator's minimum age (KID-1). Every way to open an account asks here before it does anything
 * else: the age is compared once and kept nowhere, for those who pass and for those who do not. That
 * an account exists says that its owner passed; no birth date and no flag is held.
 */

import type { Config } from "../config.ts";
import { Problem } from "../problem.ts";

const OLDEST = 150;

/** An age in whole years as somebody typed it; undefined when it is none. */
export function ageOf(text: string): number | undefined {
  const age = /^\s*\d{1,3}\s*$/.test(text) ? Number(text) : undefined;
  return age !== undefined && age <= OLDEST ? age : undefined;
}

/**
 * @param age in whole years; undefined when it was not said
 * @throws Problem `age-missing` where an age is asked for, `unknown-field` where none is (PRI-1),
 *   `too-young` below the operator's minimum
 */
export function checkAge(config: Pick<Config, "minimumAge">, age: number | undefined): void {
  const { minimumAge } = config;
  if (minimumAge === null) {
    if (age !== undefined) throw new Problem("unknown-field", "age");
    return;
  }
  if (age === undefined || !Number.isInteger(age) || age < 0 || age > OLDEST) {
    throw new Problem("age-missing", "age");
  }
  if (age < minimumAge) throw new Problem("too-young");
}
