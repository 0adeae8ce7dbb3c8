/** A document that is not shown, and the word for it. */

import type { Failure } from "./messages.ts";

export class Unshown extends Error {
  readonly why: Failure;

  constructor(why: Failure) {
    super(why);
    this.why = why;
  }
}
