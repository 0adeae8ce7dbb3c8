/**
 * A person's photo: without its metadata, sealed under the person's key, shown by the same rule as any
 * field. The row comes first and the picture after it, so that no picture is held that no row tells of.
 */

import type { BlobName } from "../../db/primitives.ts";
import { personKey, sealedAt } from "../../db/queries/accounts.ts";
import { fieldsOf, type Visibility } from "../../db/queries/profiles.ts";
import { limits } from "../../protocol/limits.ts";
import { note } from "../account/activity.ts";
import type { Ports } from "../ports.ts";
import { Problem } from "../problem.ts";
import type { Client } from "../sign-in/client.ts";
import { cleanPicture, type Picture } from "./pictures/picture.ts";
import { keepField } from "./profile.ts";
import { visibleField } from "./visible.ts";

const nameOf = (accountId: string): BlobName => `photo/${accountId}`;
/** What a sealed picture is bound to: its owner and its type. */
const placeOf = (accountId: string, type: string) => `photo:${accountId}:${type}`;

/**
 * Keeps a photo in place of the one before.
 * @throws Problem `photo-syntax`, `photo-too-large`, `not-found` when the account is gone
 */
export async function setPhoto(
  ports: Ports,
  accountId: string,
  bytes: Uint8Array<ArrayBuffer>,
  { visibility = null, client }: { visibility?: Visibility | null; client: Client },
): Promise<void> {
  const picture = checked(bytes);
  await keepField(ports, accountId, { field: "photo", value: picture.type, visibility });
  const place = placeOf(accountId, picture.type);
  const sealed = await ports.sealer.sealBytes(personKey(accountId), place, picture.bytes);
  await ports.blobs.put(nameOf(accountId), sealed);
  // Cleared or erased meanwhile: then this came too late.
  const db = ports.regions.db(accountId);
  const rows = db === null ? [] : await fieldsOf(db, accountId);
  if (!rows.some(({ field }) => field === "photo")) await ports.blobs.delete(nameOf(accountId));
  await note(ports, accountId, "profile-changed", { client, about: "photo" });
}

function checked(bytes: Uint8Array<ArrayBuffer>): Picture {
  if (bytes.length > limits.photoBytes) throw new Problem("photo-too-large", "photo");
  const picture = cleanPicture(bytes);
  if (picture === null) throw new Problem("photo-syntax", "photo");
  if (Math.max(picture.width, picture.height) > limits.photoSidePixels) {
    throw new Problem("photo-too-large", "photo");
  }
  return picture;
}

export interface Photo {
  readonly type: string;
  readonly bytes: Uint8Array<ArrayBuffer>;
}

/** The photo of a person, if `viewerId` (null: nobody signed in) may see it. */
export async function photoOf(
  ports: Ports,
  viewerId: string | null,
  accountId: string,
): Promise<Photo | null> {
  const row = await visibleField(ports, viewerId, accountId, "photo");
  if (row === null) return null;
  const { sealer, blobs } = ports;
  const key = personKey(accountId);
  const type = await sealer.open(key, sealedAt.profile(row.id), row.valueSealed);
  const sealed = await blobs.get(nameOf(accountId));
  if (type === null || sealed === null) return null;
  const bytes = await sealer.openBytes(key, placeOf(accountId, type), sealed);
  return bytes === null ? null : { type, bytes };
}
