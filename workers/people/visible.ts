/**
 * What somebody sees of a person: `visibleProfile` asks one rule (between.ts) about every field. Who is
 * nobody and who shows nothing are the same, in the answer and in the work.
 */

import { personKey, sealedAt } from "../../db/queries/accounts.ts";
import { edgeState } from "../../db/queries/contacts.ts";
import {
  type FieldRow,
  fieldsOfMany,
  fieldsSeen,
  type ProfileFieldName,
} from "../../db/queries/profiles.ts";
import { regionOf } from "../../protocol/ids.ts";
import type { Db, Ports } from "../ports.ts";
import { maySee, type Viewer, viewerOf } from "./between.ts";
import type { Known } from "./contacts.ts";

/** What is shown of a person. Of a photo only that there is one; it is fetched by itself. */
export interface VisibleProfile {
  readonly accountId: string;
  readonly fields: Readonly<Partial<Record<Exclude<ProfileFieldName, "photo">, string>>>;
  readonly photo: boolean;
}

/** What `viewerId` (null: nobody signed in) may see of a person; null when it is nothing. */
export async function visibleProfile(
  ports: Ports,
  viewerId: string | null,
  accountId: string,
): Promise<VisibleProfile | null> {
  const { rows, viewer } = await look(ports, viewerId, accountId);
  return await openVisible(ports, accountId, rows, viewer);
}

/** The row of a field, if `viewerId` may see it. */
export async function visibleField(
  ports: Ports,
  viewerId: string | null,
  accountId: string,
  field: ProfileFieldName,
): Promise<FieldRow | null> {
  const { rows, viewer } = await look(ports, viewerId, accountId);
  const row = rows.find((candidate) => candidate.field === field);
  return row !== undefined && maySee(row.visibility, viewer) ? row : null;
}

async function look(
  ports: Ports,
  viewerId: string | null,
  accountId: string,
): Promise<{ readonly rows: readonly FieldRow[]; readonly viewer: Viewer }> {
  const now = ports.clock.now();
  const side = { me: viewerId ?? "", other: accountId };
  const [{ fields, toViewer }, toOwner] = await Promise.all([
    fieldsSeen(databaseOf(ports, accountId), accountId, viewerId ?? "", now),
    edgeState(databaseOf(ports, viewerId ?? ""), side, now),
  ]);
  return { rows: fields, viewer: viewerOf(accountId, viewerId, toViewer, toOwner) };
}

/** Where an account's rows are; the default region for what is no account of ours. */
function databaseOf(ports: Ports, id: string): Db {
  const db = regionOf(id) === null ? null : ports.regions.db(id);
  const found = db ?? ports.regions.db(ports.regions.default);
  if (found === null) throw new Error("the default region has no database");
  return found;
}

async function openVisible(
  ports: Ports,
  accountId: string,
  rows: readonly FieldRow[],
  viewer: Viewer,
): Promise<VisibleProfile | null> {
  const shown = rows.filter(({ visibility }) => maySee(visibility, viewer));
  const texts = shown.filter(({ field }) => field !== "photo");
  const opened = await Promise.all(
    texts.map(async ({ id, field, valueSealed }) => {
      const at = sealedAt.profile(id);
      return [field, await ports.sealer.open(personKey(accountId), at, valueSealed)] as const;
    }),
  );
  const fields = Object.fromEntries(opened.filter(([, text]) => text !== null));
  const photo = shown.some(({ field }) => field === "photo");
  if (Object.keys(fields).length === 0 && !photo) return null;
  return { accountId, fields, photo };
}

/** D1 binds a hundred parameters at most. */
const PEOPLE_PER_QUERY = 90;

/** What a person sees of everybody they know, by account; those who show nothing are left out. */
export async function visibleOfKnown(
  ports: Ports,
  viewerId: string,
  known: readonly Known[],
): Promise<ReadonlyMap<string, VisibleProfile>> {
  const rows = await Promise.all(
    [...byDatabase(ports, known)].flatMap(([db, ids]) =>
      chunks(ids, PEOPLE_PER_QUERY).map((some) => fieldsOfMany(db, some)),
    ),
  );
  const fields = Map.groupBy(rows.flat(), ({ accountId }) => accountId);
  const seen = await Promise.all(
    known.map(async ({ accountId, relation, theirs }) => {
      const toOwner = relation === "contact" ? "contact" : null;
      const viewer = viewerOf(
        accountId,
        viewerId,
        relation === "contact" ? "contact" : theirs,
        toOwner,
      );
      return await openVisible(ports, accountId, fields.get(accountId) ?? [], viewer);
    }),
  );
  return new Map(seen.flatMap((one) => (one === null ? [] : [[one.accountId, one] as const])));
}

function byDatabase(ports: Ports, known: readonly Known[]): Map<Db, string[]> {
  const groups = new Map<Db, string[]>();
  for (const { accountId } of known) {
    const db = databaseOf(ports, accountId);
    groups.set(db, [...(groups.get(db) ?? []), accountId]);
  }
  return groups;
}

function chunks(list: readonly string[], size: number): string[][] {
  return Array.from({ length: Math.ceil(list.length / size) }, (_, at) =>
    list.slice(at * size, (at + 1) * size),
  );
}
