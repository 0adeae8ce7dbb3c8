/**
 * A step of the protocol script: what a client does, and what is seen. A step fails where the answer
 * breaks a MUST; what it returns is what issuers may differ in, in a form that can be compared.
 */

import assert from "node:assert/strict";
import type { Left, Page } from "./browser.ts";
import type { Answer, Run, Walk } from "./issuer.ts";

export type Seen = string;

export interface Step {
  readonly name: string;
  readonly run: (run: Run) => Promise<Seen>;
}

export function steps(part: string, all: Readonly<Record<string, Step["run"]>>): Step[] {
  return Object.entries(all).map(([name, run]) => ({ name: `${part}: ${name}`, run }));
}

/** `400 invalid_grant`; `200` for what is no error. */
export function said(answer: Answer): Seen {
  const type = String(answer.headers["content-type"] ?? "");
  const error = type.includes("json") && answer.text !== "" ? answer.json.error : undefined;
  return error === undefined ? `${answer.status}` : `${answer.status} ${error}`;
}

/** Where the person ended: `page 400`, `back with code iss state`, `back with error=…`. */
export function ended({ end }: Walk | { end: Page | Left }): Seen {
  if (end.kind === "page") return `page ${end.status}`;
  const parameters =
    end.url.search === "" ? new URLSearchParams(end.url.hash.slice(1)) : end.url.searchParams;
  const names = [...parameters.keys()].filter((name) => name !== "error_description").sort();
  const shown = names.map((name) => (name === "error" ? `error=${parameters.get(name)}` : name));
  return `back with ${shown.join(" ")}`;
}

/** The person was sent back to the client, and with `expected`. */
export function backWith(walk: Walk, expected: Readonly<Record<string, string>>): void {
  assert.equal(walk.end.kind, "left", `not sent back: ${ended(walk)}`);
  for (const [name, value] of Object.entries(expected)) {
    assert.equal(walk.end.url.searchParams.get(name), value, `${name} at ${walk.end.url}`);
  }
}

/** Nobody is sent anywhere on the word of a stranger (RFC 9700 §4.1). */
export function stays(walk: Walk): Seen {
  assert.equal(walk.end.kind, "page", `an open redirect to ${walk.end.url}`);
  assert(walk.end.status >= 400, `a page of status ${walk.end.status}`);
  return ended(walk);
}

/** RFC 6749 §5.2: an error in JSON. */
export function refused(answer: Answer, error?: string | readonly string[]): Seen {
  assert(answer.status >= 400 && answer.status < 500, `${answer.status} ${answer.text}`);
  assert.match(String(answer.headers["content-type"]), /^application\/json/);
  if (error !== undefined) assert([error].flat().includes(answer.json.error), answer.text);
  return said(answer);
}

export function names(value: object): Seen {
  return Object.keys(value).sort().join(" ");
}

export function sorted(list: unknown): Seen {
  return Array.isArray(list) ? [...list].sort().join(" ") : String(list);
}
