/**
 * The pages at the door: what a visitor sees where there is no response of the device. The console
 * draws them (console/pages/door.tsx); these plain ones stand in where no console is mounted.
 */

import type { ProblemCode } from "../problem.ts";
import { problems } from "../problem.ts";

export const doorPageNames = [
  "unknown",
  "offline",
  "forbidden",
  "closed",
  "first",
  "share",
  "bad-code",
  "cross-site",
  "failed",
  "timeout",
  "busy",
  "spent",
  "too-fast",
  "too-long",
  "too-large",
  "upgrade",
  "left",
] as const;
export type DoorPageName = (typeof doorPageNames)[number];

export interface DoorFacts {
  /** The device's label as the visitor typed it; empty on the bare zone. */
  readonly label: string;
  /** The console's origin. */
  readonly console: string;
  /** The nonce of the page's Content-Security-Policy, for its style. */
  readonly nonce: string;
  /** The longest upload that passes, in bytes; null when any does. */
  readonly uploadBytes: number | null;
  /** Seconds after which trying again makes sense; null when it does not. */
  readonly retryAfter: number | null;
  /** What the form of a page sends, and where to. */
  readonly form?: DoorForm;
}

/** A page that asks something first. */
export interface DoorForm {
  /** A path of the door. */
  readonly action: string;
  /** Where to go then; null where the answer knows. */
  readonly to: string | null;
  /** True for a link that wants a password. */
  readonly isLocked: boolean;
  /** True after a try that was wrong. */
  readonly isWrong: boolean;
}

/** Draws one page each: a whole HTML document. */
export type DoorPages = {
  readonly [P in DoorPageName]: (facts: DoorFacts) => string | Promise<string>;
};

/** The problem that a page stands for, for clients that do not read pages. */
export const problemOfPage: Readonly<Record<Exclude<DoorPageName, "left">, ProblemCode>> = {
  unknown: "not-found",
  offline: "device-offline",
  forbidden: "forbidden",
  closed: "door-closed",
  first: "first-page",
  share: "share-refused",
  "bad-code": "code-expired",
  "cross-site": "cross-site",
  failed: "device-failed",
  timeout: "device-timeout",
  busy: "device-busy",
  spent: "device-budget",
  "too-fast": "visitor-budget",
  "too-long": "uri-too-long",
  "too-large": "upload-too-large",
  upgrade: "upgrade-unsupported",
};

function plain(text: string): (facts: DoorFacts) => string {
  return ({ console }) =>
    `<!doctype html><html lang="en"><meta charset="utf-8"><title>${text}</title><p>${text}.</p><p><a href="${console}">Latchkey</a></p></html>`;
}

function asking(text: string): (facts: DoorFacts) => string {
  return ({ form }) => {
    const field = (name: string, value: string) =>
      `<input name="${name}" value="${value.replaceAll("&", "&amp;").replaceAll('"', "&quot;")}">`;
    const fields = [
      form?.to == null ? "" : field("to", form.to),
      form?.isLocked ? field("password", "") : "",
    ].join("");
    return `<!doctype html><html lang="en"><meta charset="utf-8"><title>${text}</title><form method="post" action="${form?.action}">${fields}<button>${text}</button></form></html>`;
  };
}

export const plainPages: DoorPages = {
  unknown: plain(problems["not-found"].title),
  offline: plain(problems["device-offline"].title),
  forbidden: plain(problems.forbidden.title),
  closed: plain(problems["door-closed"].title),
  first: asking("Go on to this device"),
  share: asking("Somebody shares something with you"),
  "bad-code": plain(problems["code-expired"].title),
  "cross-site": plain(problems["cross-site"].title),
  failed: plain(problems["device-failed"].title),
  timeout: plain(problems["device-timeout"].title),
  busy: plain(problems["device-busy"].title),
  spent: plain(problems["device-budget"].title),
  "too-fast": plain(problems["visitor-budget"].title),
  "too-long": plain(problems["uri-too-long"].title),
  "too-large": plain(problems["upload-too-large"].title),
  upgrade: plain(problems["upgrade-unsupported"].title),
  left: plain("You have left"),
};
