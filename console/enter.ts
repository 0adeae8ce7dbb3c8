/** After a way in: where its outcome leads a browser. */

import type { Ctx } from "../workers/http.ts";
import type { SignInOutcome } from "../workers/sign-in/complete.ts";
import { keepOutcome } from "../workers/sign-in/hand-over.ts";
import { seeOther } from "./page.ts";

/** Goes in, or to the page of the second step, which goes on to the same path. */
export function enter(c: Ctx, outcome: SignInOutcome, path: string): Response {
  keepOutcome(c, outcome);
  if (outcome.kind === "signed-in") return seeOther(c, path);
  return seeOther(c, `/sign-in/second-step?return=${encodeURIComponent(path)}`);
}
