/**
 * Language and time zone: closed lists, and the one cookie that remembers them in a browser (CKY-4). It
 * says one of a few languages and one of a few hundred zones, less than sixteen bits, and names nobody.
 */

import { clearCookie, readCookie, setCookie } from "../cookies.ts";
import type { Ctx } from "../http.ts";

/** The languages that the console speaks; no other is offered. */
export const languages: Readonly<Record<string, string>> = { en: "English" };

let zones: ReadonlySet<string> | null = null;

/** Every time zone that may be chosen, by its IANA name; the language data is loaded when first asked. */
export function timeZones(): ReadonlySet<string> {
  zones ??= new Set([...Intl.supportedValuesOf("timeZone"), "UTC"]);
  return zones;
}

export const isTimeZone = (zone: string): boolean => timeZones().has(zone);

export interface Preference {
  /** Null: not chosen. */
  readonly language: string | null;
  readonly timeZone: string | null;
}

/** What this browser remembers; what is in no list counts as not chosen. */
export function preferenceOf(c: Ctx): Preference {
  const [language = "", timeZone = ""] = (readCookie(c, "pref") ?? "").split("~");
  return {
    language: Object.hasOwn(languages, language) ? language : null,
    timeZone: isTimeZone(timeZone) ? timeZone : null,
  };
}

/** Remembers a choice in this browser; nothing chosen: the cookie goes. */
export function keepPreference(c: Ctx, { language, timeZone }: Preference): void {
  if (language === null && timeZone === null) {
    if (readCookie(c, "pref") !== null) clearCookie(c, "pref");
    return;
  }
  setCookie(c, "pref", `${language ?? ""}~${timeZone ?? ""}`);
}
