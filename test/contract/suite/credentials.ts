/**
 * Every credential that a person can hold, with what it stands for: a kind of bearer secret, a cookie,
 * a hash in a store, a kind of challenge or ceremony, a method of signing in. The tests that try each
 * again read this table; one of them fails for a kind that has no row.
 */

/** One credential. */
export interface CredentialRow {
  /** True when it works once. */
  readonly once: boolean;
  /** The statuses of its refusal: 401 also for a page that lets nobody in. */
  readonly refused: readonly number[];
  /** What it stands for: `lk_<kind>`, a cookie, `<table>.<column>`, `<what> <kind>`. */
  readonly holds: readonly string[];
}

const lasting = (refused: readonly number[], ...holds: string[]) => ({
  once: false as const,
  refused,
  holds,
});
const once = (refused: readonly number[], ...holds: string[]) => ({
  once: true as const,
  refused,
  holds,
});

export const credentialRows = {
  "session as a bearer": lasting([401], "lk_ses", "session.token_hash"),
  "session as a cookie": lasting([401], "__Host-sid"),
  "another session": lasting([401]),
  "personal token": lasting([401], "lk_pat", "personal_token.token_hash"),
  password: lasting([401], "method password", "contact.hash"),
  "trusted browser": lasting([401], "lk_tru", "__Host-trust", "trusted_browser.token_hash"),
  "account elsewhere": lasting([401], "method linked", "linked.hash"),
  "access token": lasting([401], "lk_oat", "oauth_token.token_hash"),
  "refresh token": lasting([400], "lk_ort", "oauth_grant.slot_hash"),
  "visit behind a door": lasting(
    [401, 404],
    ...["lk_dor", "__Host-door", "door_session.token_hash", "label.hash"],
  ),
  "link of a share": lasting([403], "lk_shr", "share.secret_hash"),
  "what a link opened": lasting([401, 404], "door_opened.token_hash"),
  "token of a name": lasting([401], "lk_upd", "name_token.secret_hash"),
  "device's assertion": lasting([410]),
  "device as an app": lasting([401]),
  "device's enrolment": lasting([400], "lk_enr", "enrolment_grant.device_code_hash"),

  // Lives for a minute, hence first.
  "code of a door": once(
    [404, 410],
    "door_code.code_hash",
    "door_code.nonce_hash",
    "__Host-door-nonce",
  ),
  "authorization code": once([400], "lk_oac", "oauth_code.code_hash"),
  "device code": once([400], "lk_odc", "oauth_device_code.code_hash"),
  "device's assertion as an app": once([401]),
  "passkey's answer": once(
    [401],
    ...["method passkey-verified", "ceremony sign-in"],
    ...["passkey.credential_hash", "ceremony.challenge_hash"],
  ),
  "passkey's answer as a second step": once([410], "method passkey", "ceremony step"),
  "passkey's answer to confirm": once([401], "ceremony confirm"),
  "new passkey": once([401], "ceremony add"),
  "text message to confirm": once([401, 403]),
  "code for a new address": once([401, 410], "challenge contact"),
  "step with a text message": once(
    [410],
    ...["lk_stp", "sign_in.token_hash", "method sms", "challenge sms-code"],
  ),
  "step with an app": once([410], "method totp"),
  "step with a recovery code": once([410], "method recovery-code", "recovery_code.code_hash"),
  "step as a cookie": once([410], "__Host-step"),
  "way to an account elsewhere": once([401, 410], "__Host-fed"),
  "way back from it, to link": once([401, 410]),
  "way back from it, to confirm": once([401, 403, 410]),
  "way back from it, to sign in": once([401, 410]),
  "code on a new device": once(
    [401, 410],
    "enrolment.user_code_hash",
    "enrolment.device_code_hash",
  ),
  "code on an app's device": once([401, 410], "oauth_device_code.user_code_hash"),
  "link to a new password": once(
    [410],
    ...["lk_chl", "challenge password", "challenge.token_hash", "method mail"],
  ),
  "link that takes a change back": once([410], "undo.token_hash"),
  "link that finishes a wait": once([410], "challenge recovery"),
  "link that stops a wait": once([410], "recovery.stop_hash"),
} satisfies Record<string, CredentialRow>;

export type CredentialName = keyof typeof credentialRows;

/** What no row stands for, and why. */
export const otherwiseProved: Readonly<Record<string, string>> = {
  "challenge sign-up": "belongs to nobody until it has opened an account: tried again below",
  "method phone": "a code to a phone, as at a sign-up: tried again below",
  "label.held_for": "says whose a held name was; nobody shows it",
  "name_offer.id": "an offer is taken by the signed-in account that it is for (edge/name-offers)",
  pref: "a preference lets nobody in",
  "__Host-door-seen": "says that a page was seen, and lets nobody in",
};

export const credentialNames = Object.keys(credentialRows) as CredentialName[];
