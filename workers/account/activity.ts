/**
 * The activity log: what happened to an account, when, from which browser and roughly where, for its
 * owner to see (ACC-3). Sealed under the person's key; full addresses never come here (ACC-4).
 */

import { activityOf, insertActivity, personKey, sealedAt } from "../../db/queries/accounts.ts";
import { newId, regionOf } from "../../protocol/ids.ts";
import { limits } from "../../protocol/limits.ts";
import type { Ports } from "../ports.ts";
import { browserName, type Client, maskedNetwork } from "../sign-in/client.ts";

/** Everything that is ever written; the console has a sentence for each. */
export const activityEvents = [
  "signed-in",
  "sign-in-failed",
  "confirm-failed",
  "signed-up",
  "session-ended",
  "password-changed",
  "second-step-on",
  "second-step-off",
  "recovery-codes-made",
  "recovery-code-used",
  "browser-trusted",
  "browser-untrusted",
  "passkey-added",
  "passkey-removed",
  "linked",
  "unlinked",
  "address-added",
  "address-removed",
  "address-changed",
  "recovery-asked",
  "recovery-stopped",
  "recovered",
  "profile-changed",
  "token-made",
  "token-ended",
  "app-allowed",
  "app-ended",
  "contact-asked",
  "contact-accepted",
  "contact-removed",
  "contact-blocked",
  "device-added",
  "device-removed",
  "name-added",
  "name-changed",
  "name-released",
  "name-offered",
  "name-given",
  "name-received",
  "name-certified-elsewhere",
  "domain-added",
  "domain-removed",
  "domain-here",
  "domain-lost",
  "domain-over",
  "name-token-made",
  "name-token-ended",
  "certificate-issued",
  "certificate-revoked",
  "name-token-excused",
  "name-records-changed",
  "signing-key-made",
  "signing-key-ended",
  "access-changed",
  "shared",
  "share-stopped",
  "door-closed",
  "door-opened",
  "exported",
  "dormancy-warned",
] as const;
export type ActivityEvent = (typeof activityEvents)[number];

export interface ActivityDetail {
  /** A browser's name such as `Firefox on Linux`. */
  readonly client: string;
  /** Masked: an IPv4 /24 or an IPv6 /40; null when it was not known. */
  readonly network: string | null;
  /** Country code (ISO 3166-1 alpha-2) by the edge's own reckoning; null when it was not known. */
  readonly place: string | null;
  /** What it was about, e.g. a passkey's name; null when the event says all. */
  readonly about: string | null;
}

export interface ActivityEntry extends ActivityDetail {
  readonly id: string;
  readonly event: string;
  /** Milliseconds since the epoch. */
  readonly at: number;
}

/** Where a page of the log goes on: after the entry of this time and identifier. */
export interface ActivityCursor {
  readonly at: number;
  readonly id: string;
}

/** A cursor as a text for addresses. */
export const cursorText = ({ at, id }: ActivityCursor): string => `${at}.${id}`;

/** The cursor of a text; null when it is none. */
export function activityCursor(text: string): ActivityCursor | null {
  const [, at = "", id = ""] = /^(\d{1,15})\.(act_\w+)$/.exec(text) ?? [];
  return id === "" ? null : { at: Number(at), id };
}

export interface ActivityPage {
  readonly entries: readonly ActivityEntry[];
  /** Goes on with the next page; null: this is the last. */
  readonly next: ActivityCursor | null;
}

/** One page of what happened to an account, the latest first; every entry stands on exactly one. */
export async function activityPage(
  ports: Ports,
  accountId: string,
  before?: ActivityCursor,
): Promise<ActivityPage> {
  const db = ports.regions.db(accountId);
  if (db === null) return { entries: [], next: null };
  const limit = limits.activityPage;
  const page = { before, now: ports.clock.now(), limit: limit + 1 };
  const rows = await activityOf(db, accountId, page);
  const entries = await Promise.all(
    rows.slice(0, limit).map(async ({ detailSealed, ...row }) => {
      const at = sealedAt.activity(row.id);
      const opened = await ports.sealer.open(personKey(accountId), at, detailSealed);
      const detail = JSON.parse(opened ?? "{}") as Partial<ActivityDetail>;
      const { client = "Unknown", network = null, place = null, about = null } = detail;
      return { ...row, client, network, place, about };
    }),
  );
  const last = entries.at(-1);
  return { entries, next: rows.length > limit && last !== undefined ? last : null };
}

/** The latest that happened to an account, as much as one page holds. */
export async function listActivity(
  ports: Ports,
  accountId: string,
): Promise<readonly ActivityEntry[]> {
  return (await activityPage(ports, accountId)).entries;
}

/** As much work as `note` does, for an account that is none: so that nobody can tell by the time. */
export async function noteNobody(ports: Ports): Promise<void> {
  const db = ports.regions.db(ports.regions.default);
  const row = { id: "", accountId: "", event: "sign-in-failed", detailSealed: "", at: 0 };
  if (db !== null) await insertActivity(db, { ...row, expiresAt: 0 });
}

/**
 * Writes one event; without `client` it is something that happened by itself.
 * @returns the entry's identifier; null when there is nowhere to write it
 */
export async function note(
  ports: Ports,
  accountId: string,
  event: ActivityEvent,
  { client, about }: { readonly client?: Client; readonly about?: string } = {},
): Promise<string | null> {
  const region = regionOf(accountId);
  const db = region === null ? null : ports.regions.db(region);
  if (region === null || db === null) return null;
  const id = newId("act", region, ports.random.bytes);
  const detail: ActivityDetail = {
    client: client === undefined ? "Latchkey" : browserName(client.userAgent),
    network: maskedNetwork(client?.peer ?? null),
    place: client?.place ?? null,
    about: about ?? null,
  };
  const now = ports.clock.now();
  await insertActivity(db, {
    id,
    accountId,
    event,
    detailSealed: await ports.sealer.seal(
      personKey(accountId),
      sealedAt.activity(id),
      JSON.stringify(detail),
    ),
    at: now,
    expiresAt: now + limits.activityMs,
  });
  return id;
}
