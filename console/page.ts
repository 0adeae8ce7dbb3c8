/**
 * From a route to a page: the frame, the headers, and where a refusal becomes a page instead of
 * problem+json. It never decides anything about accounts or devices.
 */

import { HTTPException } from "hono/http-exception";
import type { Child } from "hono/jsx";
import { jsx } from "hono/jsx";
import type { ContentfulStatusCode } from "hono/utils/http-status";
import { base64url } from "../protocol/tokens.ts";
import type { Ctx } from "../workers/http.ts";
import { preferenceOf } from "../workers/people/locale.ts";
import { Problem, type ProblemCode, problems } from "../workers/problem.ts";
import { OffersContext } from "./account-nav.tsx";
import type { Refusal } from "./forms.ts";
import { pageHeaders } from "./headers.ts";
import { Page, type PageOptions } from "./layout.tsx";
import { ProblemPage } from "./pages/problem.tsx";
import { ZoneContext } from "./zone.ts";

const NONCE_BYTES = 16;

export interface ReplyOptions extends PageOptions {
  readonly status?: number | undefined;
  /** What a form on this page was refused for: the title and the status say it too. */
  readonly refusal?: Refusal | null | undefined;
  /** A door's origin that a form on this page ends at. */
  readonly formTarget?: string | undefined;
  /** Origins that this page asks: a device of its reader, at home or by its name. */
  readonly connectTo?: readonly string[] | undefined;
}

/** Answers with `content` in its frame: the house when someone is signed in, else the street. */
export function page(c: Ctx, options: ReplyOptions, content: Child): Response {
  const nonce = base64url(c.env.random.bytes(NONCE_BYTES));
  const signedIn = Boolean(c.get("accountId"));
  const { at, refusal } = options;
  const title = refusal ? refusedTitle(options.title) : options.title;
  const zone = preferenceOf(c).timeZone;
  const whole = jsx(Page, { title, at, signedIn, nonce, zone }, content as never);
  const elsewhere = c.env.config.identityProviders.length > 0;
  const offering = jsx(OffersContext.Provider, { value: { elsewhere } }, whole as never);
  const markup = jsx(ZoneContext.Provider, { value: zone ?? "UTC" }, offering as never).toString();
  // By the context: cookies that were set before stand in the context.
  const status = (refusal?.status ?? options.status ?? 200) as ContentfulStatusCode;
  const { origin } = c.env.config;
  const { formTarget, connectTo } = options;
  const headers = pageHeaders({ nonce, origin, formTarget, connectTo });
  return c.body(`<!doctype html>${markup}`, status, headers);
}

/** The first words that a screen reader says of a page: that its form was refused. */
function refusedTitle(title: string): string {
  return `Error: ${title.charAt(0).toLowerCase()}${title.slice(1)}`;
}

/** After a form: the browser fetches `path` anew (Post/Redirect/Get). */
export function seeOther(c: Ctx, path: string): Response {
  return c.redirect(path, 303);
}

/** A refusal as a page. Who is not signed in, or must show who they are, does so and comes back. */
export function pageOnError(error: Error, c: Ctx): Response {
  if (error instanceof Problem) {
    if (error.code === "not-signed-in") return seeOther(c, signInPath(c));
    if (error.code === "confirm-first") return seeOther(c, confirmPath(c));
    return problemPage(c, error.code);
  }
  if (error instanceof HTTPException) {
    return problemPage(c, error.status === 403 ? "cross-site" : "bad-request");
  }
  c.env.log({ event: "internal-error", code: error.name });
  return problemPage(c, "internal");
}

/** The page that says why something was refused and what to do next. */
export function problemPage(c: Ctx, code: ProblemCode): Response {
  const { status, title } = problems[code];
  const signedIn = Boolean(c.get("accountId"));
  return page(c, { title, status }, jsx(ProblemPage, { code, signedIn }));
}

function signInPath(c: Ctx): string {
  const { pathname, search } = new URL(c.req.url);
  if (c.req.method !== "GET") return "/sign-in";
  return `/sign-in?return=${encodeURIComponent(pathname + search)}`;
}

/**
 * The page that asks again who it is, and comes back. A form's content does not come along, so a page
 * whose forms need it asks before it shows them; what a form is sent to leads to its page when fetched.
 */
function confirmPath(c: Ctx): string {
  const { pathname, search } = new URL(c.req.url);
  return `/confirm?return=${encodeURIComponent(pathname + search)}`;
}
