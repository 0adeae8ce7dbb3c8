/** A sentence for everything that may happen to an account. Pure. */

import { isId } from "../protocol/ids.ts";
import { type ActivityEvent, activityEvents } from "../workers/account/activity.ts";

/** What happened, without what it was about. */
const sentences: Readonly<Record<ActivityEvent, string>> = {
  "signed-in": "You signed in.",
  "sign-in-failed": "Somebody tried to sign in and could not.",
  "confirm-failed": "Somebody who was signed in could not show again that it is you.",
  "signed-up": "This account was opened.",
  "session-ended": "A session was ended.",
  "password-changed": "The password was changed.",
  "second-step-on": "A second step was switched on.",
  "second-step-off": "A second step was switched off.",
  "recovery-codes-made": "New recovery codes were made; the ones before are void.",
  "recovery-code-used": "A recovery code was used.",
  "browser-trusted": "A browser was trusted: it is spared the second step.",
  "browser-untrusted": "A browser is not trusted any more.",
  "passkey-added": "A passkey was added.",
  "passkey-removed": "A passkey was removed.",
  linked: "An account elsewhere was linked.",
  unlinked: "An account elsewhere was unlinked.",
  "address-added": "An address was added.",
  "address-removed": "An address was removed.",
  "address-changed": "The address for notices was changed.",
  "recovery-asked": "Somebody asked to recover this account.",
  "recovery-stopped": "A recovery was stopped.",
  recovered: "This account was recovered.",
  "profile-changed": "The profile was changed.",
  "token-made": "An access token was made.",
  "token-ended": "An access token was ended.",
  "app-allowed": "An app was allowed to sign you in.",
  "app-ended": "An app was signed out of this account.",
  "contact-asked": "You asked somebody to be a contact.",
  "contact-accepted": "You accepted a contact.",
  "contact-removed": "You removed a contact, or took an ask back.",
  "contact-blocked": "You blocked somebody.",
  "device-added": "A device was added.",
  "certificate-issued": "A device’s name was certified.",
  "certificate-revoked": "The certificate of a device’s name was revoked.",
  "device-removed": "A device was removed.",
  "name-added": "A device got another name.",
  "name-changed": "A device is called by another name.",
  "name-released": "A name was given up.",
  "name-offered": "A name was offered to a contact.",
  "name-given": "A contact took over a name of yours.",
  "name-received": "You took over a name from a contact.",
  "name-certified-elsewhere":
    "The contact’s box has a certificate for that name still, which the authority refused to revoke.",
  "domain-added": "A domain of yours was added to a device.",
  "domain-removed": "A domain of yours was taken away from a device.",
  "domain-here": "A domain of yours leads to a device.",
  "domain-lost": "A domain of yours leads to your device no more.",
  "domain-over": "A domain of yours is not counted as a device’s any more.",
  "name-token-made": "A password for a device’s name was made.",
  "name-token-ended": "A password for a device’s name was ended.",
  "name-token-excused": "A password of a device’s name was let go on.",
  "name-records-changed": "What DNS says below a device’s name was changed.",
  "signing-key-made": "A key that signs DNS updates was made.",
  "signing-key-ended": "A key that signs DNS updates was ended.",
  "access-changed": "Who may come in at a device was changed.",
  shared: "Something on a device was shared.",
  "share-stopped": "A share was stopped.",
  "door-closed": "The operator closed the open part of a door.",
  "door-opened": "The operator opened a door again.",
  "dormancy-warned": "You were warned that this account goes when nobody uses it.",
  exported: "A copy of everything was taken.",
};

/** What happened, in one sentence; an event of an older version says its own name. */
export function sayEvent(event: string): string {
  const known = activityEvents.find((one) => one === event);
  return known === undefined ? `${event.replaceAll("-", " ")}.` : sentences[known];
}

/** Words for what an event was about, where it is one of ours rather than somebody's own. */
const terms: Readonly<Record<string, string>> = {
  time_zone: "time zone",
  totp: "code app",
  sms: "text message",
  mail: "a link by mail",
  phone: "a code to the phone",
  linked: "a linked account",
};

/** Who or what it was about. */
export interface About {
  readonly text: string;
  /** Where more of it stands. */
  readonly href?: string;
}

/**
 * What it was about; null when the sentence says all.
 * @param names of people, by their Latchkey IDs
 */
export function sayAbout(about: string | null, names: ReadonlyMap<string, string>): About | null {
  if (about === null || about === "") return null;
  if (isId("acc", about)) {
    const name = names.get(about);
    return name === undefined ? { text: about } : { text: name, href: `/people/${about}` };
  }
  return { text: wordsOf(about) };
}

function wordsOf(about: string): string {
  const words = about.split(" ");
  return words.every((word) => /^[a-z_-]+$/.test(word))
    ? words.map((word) => terms[word] ?? word.replaceAll(/[_-]/g, " ")).join(", ")
    : about;
}

const regions = new Map<string, string>();

/** A country's name by its code (ISO 3166-1 alpha-2). */
export function sayPlace(code: string): string {
  const known = regions.get(code);
  if (known !== undefined) return known;
  const name = new Intl.DisplayNames("en", { type: "region" }).of(code) ?? code;
  regions.set(code, name);
  return name;
}
