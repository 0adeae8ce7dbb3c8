/** Classes of data about who a person is to others. */

import { limits } from "../../../protocol/limits.ts";
import type { DataClass } from "../data-class.ts";
import { HISTORY_MS, span } from "../periods.ts";

export const peopleClasses = {
  profile: {
    basis: "contract",
    title: "Your profile",
    holds:
      "what you chose to say: a name, a photo without its metadata, a line about you, a language, a time zone; sealed under a key of your own",
    purpose: "to show you to the people you choose, and times as you read them",
    feature: "account",
    live: "until you clear it",
    liveMs: null,
    copiesMs: HISTORY_MS,
    seenBy: "you; for each field nobody else, your contacts or everyone, as you set it",
    deletedBy: "clearing a field, clearing all, erasing the account",
    inExport: "yes",
    place: "region and photos",
    obligations: ["ACC-1", "ACC-7", "ACC-8", "ACC-13"],
  },
  contact: {
    basis: "contract",
    title: "Your contacts",
    holds: "the random identifiers of your contacts and of those you blocked, and since when",
    purpose: "to show you to each other, and to keep away whom you blocked",
    feature: "account",
    live: "until one of you removes the other",
    liveMs: null,
    copiesMs: HISTORY_MS,
    seenBy: "both of you; whom you blocked, only you",
    deletedBy: "removing the contact, unblocking, erasing either account",
    inExport: "yes",
    place: "region",
    obligations: ["ACC-6", "ACC-11"],
  },
  "contact ask": {
    basis: "contract",
    title: "Asks that wait for an answer",
    holds: "who asked whom, by random identifier, and when",
    purpose: "to let you answer before anything of yours is shown",
    feature: "account",
    live: `at most ${span(limits.contactAskMs)}`,
    liveMs: limits.contactAskMs,
    copiesMs: HISTORY_MS,
    seenBy: "both of you; that it was declined, only who declined",
    deletedBy: "taking it back, time, erasing either account",
    inExport: "yes",
    place: "region",
    obligations: ["ACC-6", "ACC-9"],
  },
  preference: {
    basis: "contract",
    title: "Your language and time zone, in the browser",
    holds: "one of the languages and one of the time zones of a fixed list; no identifier",
    purpose: "to write times as you read them",
    feature: "account",
    live: span(limits.preferenceMs),
    liveMs: limits.preferenceMs,
    copiesMs: 0,
    seenBy: "you",
    deletedBy: "clearing the field, clearing the browser's cookies, time",
    inExport: "no",
    place: "browser",
    obligations: ["CKY-4", "CKY-7"],
  },
} as const satisfies Record<string, DataClass>;
