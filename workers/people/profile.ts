/**
 * A person's own profile: every field is optional, is cleared by one act, and has its own visibility
 * (ACC-1, ACC-8). A field that is cleared leaves nothing, its visibility neither.
 */

import { personKey, sealedAt } from "../../db/queries/accounts.ts";
import {
  deleteFields,
  fieldsOf,
  type ProfileFieldName,
  profileFields,
  putField,
  setVisibility,
  type Visibility,
} from "../../db/queries/profiles.ts";
import { regionOf } from "../../protocol/ids.ts";
import { limits } from "../../protocol/limits.ts";
import { note } from "../account/activity.ts";
import type { Db, Ports } from "../ports.ts";
import { Problem } from "../problem.ts";
import type { Client } from "../sign-in/client.ts";
import { isTimeZone, languages } from "./locale.ts";

export { type ProfileFieldName, profileFields, type Visibility };
export type TextFieldName = Exclude<ProfileFieldName, "photo">;

/** One field, as its owner sees it. */
export interface ProfileField {
  readonly field: ProfileFieldName;
  /** What it says; of a photo its content type. Null: nothing is held. */
  readonly value: string | null;
  /** Who may see it; of a field that is not held, who would. */
  readonly visibility: Visibility;
  /** Milliseconds since the epoch; null: nothing is held. */
  readonly changedAt: number | null;
}

/** Name and photo are for contacts, whatever else for nobody, until its owner says otherwise (ACC-7, ACC-8). */
export function defaultVisibility(field: ProfileFieldName): Visibility {
  return field === "name" || field === "photo" ? "contacts" : "nobody";
}

/** Every field that there is, held or not (ACC-13). */
export async function ownProfile(ports: Ports, accountId: string): Promise<ProfileField[]> {
  const rows = new Map(
    (await fieldsOf(databaseOf(ports, accountId), accountId)).map((row) => [row.field, row]),
  );
  return await Promise.all(
    profileFields.map(async (field) => {
      const row = rows.get(field);
      const value =
        row === undefined
          ? null
          : await ports.sealer.open(
              personKey(accountId),
              sealedAt.profile(row.id),
              row.valueSealed,
            );
      const visibility = row?.visibility ?? defaultVisibility(field);
      return { field, value, visibility, changedAt: row?.changedAt ?? null };
    }),
  );
}

/**
 * Keeps what a person says in a field.
 * @param visibility as it was when absent
 * @throws Problem `profile-syntax`, `not-found` when the account is gone
 */
export async function setField(
  ports: Ports,
  accountId: string,
  field: TextFieldName,
  text: string,
  { visibility = null, client }: { visibility?: Visibility | null; client: Client },
): Promise<void> {
  const value = text.normalize("NFC").trim();
  if (!fits(field, value)) throw new Problem("profile-syntax", field);
  await keepField(ports, accountId, { field, value, visibility });
  await note(ports, accountId, "profile-changed", { client, about: field });
}

/** Writes the row of a field. @throws Problem `not-found` when the account is gone */
export async function keepField(
  ports: Ports,
  accountId: string,
  field: { field: ProfileFieldName; value: string; visibility: Visibility | null },
): Promise<void> {
  const id = `${accountId}/${field.field}`;
  const place = sealedAt.profile(id);
  const row = {
    id,
    accountId,
    field: field.field,
    valueSealed: await ports.sealer.seal(personKey(accountId), place, field.value),
    visibility: field.visibility,
    fallback: defaultVisibility(field.field),
  };
  if (!(await putField(databaseOf(ports, accountId), row, ports.clock.now()))) {
    throw new Problem("not-found");
  }
}

/** Changes who may see a field, at once. @throws Problem `not-found` when nothing is held in it */
export async function showField(
  ports: Ports,
  accountId: string,
  field: ProfileFieldName,
  visibility: Visibility,
  client: Client,
): Promise<void> {
  const id = `${accountId}/${field}`;
  const changed = await setVisibility(
    databaseOf(ports, accountId),
    id,
    visibility,
    ports.clock.now(),
  );
  if (!changed) throw new Problem("not-found", field);
  await note(ports, accountId, "profile-changed", { client, about: field });
}

/** Clears fields; those that hold nothing already are as they should be. Idempotent. */
export async function clearFields(
  ports: Ports,
  accountId: string,
  fields: readonly ProfileFieldName[],
  client: Client,
): Promise<void> {
  const cleared = await deleteFields(databaseOf(ports, accountId), accountId, fields);
  if (fields.includes("photo")) await ports.blobs.delete(`photo/${accountId}`);
  if (cleared.length > 0) {
    await note(ports, accountId, "profile-changed", { client, about: cleared.join(" ") });
  }
}

function databaseOf(ports: Ports, accountId: string): Db {
  const db = regionOf(accountId) === null ? null : ports.regions.db(accountId);
  if (db === null) throw new Problem("not-found");
  return db;
}

/** Control characters, and those that turn the direction of what stands around them. */
const UNSHOWABLE = /[\p{Cc}\p{Cs}\u2028\u2029\u202a-\u202e\u2066-\u2069]/u;

function fits(field: TextFieldName, value: string): boolean {
  switch (field) {
    case "name":
      return isLine(value, limits.profileNameLength);
    case "about":
      return isLine(value, limits.profileAboutLength);
    case "language":
      return Object.hasOwn(languages, value);
    case "time_zone":
      return isTimeZone(value);
  }
}

const isLine = (value: string, max: number) =>
  value !== "" && [...value].length <= max && !UNSHOWABLE.test(value);
