/** The JSON API of a person's own profile, photo and activity. Unknown fields are refused. */

import * as z from "zod";
import { limits } from "../../protocol/limits.ts";
import { activityCursor, activityPage, cursorText } from "../account/activity.ts";
import { readBounded } from "../body.ts";
import { body, json, nothing, time } from "../described.ts";
import { signedIn } from "../guard.ts";
import { type Ctx, iso, service } from "../http.ts";
import { Problem } from "../problem.ts";
import { createRoute } from "../service.ts";
import { clientOf } from "../sign-in/client.ts";
import { keepPreference, preferenceOf } from "./locale.ts";
import { setPhoto } from "./photo.ts";
import {
  clearFields,
  ownProfile,
  type ProfileFieldName,
  profileFields,
  setField,
  showField,
} from "./profile.ts";

const visibility = z.enum(["nobody", "contacts", "everyone"]);
const own = z.strictObject({
  fields: z.array(
    z.strictObject({
      field: z.enum(profileFields),
      value: z.string().nullable(),
      visibility,
      changed_at: time.nullable(),
    }),
  ),
});
const fieldBody = z.strictObject({
  value: z
    .string()
    .max(limits.profileAboutLength * 4)
    .optional(),
  visibility: visibility.optional(),
});
const field = { params: z.strictObject({ field: z.enum(profileFields) }) };
const log = z.strictObject({
  events: z.array(
    z.strictObject({
      id: z.string(),
      event: z.string(),
      at: time,
      client: z.string(),
      network: z.string().nullable(),
      place: z.string().nullable(),
      about: z.string().nullable(),
    }),
  ),
  /** Goes on with the next page; null: there is none. */
  next: z.string().nullable(),
});

/** Remembers in this browser what was just changed there, and nothing that was not. */
export function followPreference(c: Ctx, field: ProfileFieldName, value: string | null): void {
  const before = preferenceOf(c);
  if (field === "language") keepPreference(c, { ...before, language: value });
  if (field === "time_zone") keepPreference(c, { ...before, timeZone: value });
}

export const profiles = service();

profiles.openapi(
  createRoute({
    method: "get",
    path: "/api/account/profile",
    middleware: signedIn,
    responses: { 200: json(own, "Every field there is; `value` is null where nothing is held") },
  }),
  async (c) => {
    const fields = (await ownProfile(c.env, c.var.accountId)).map(({ changedAt, ...rest }) => ({
      ...rest,
      changed_at: iso(changedAt),
    }));
    return c.json({ fields }, 200);
  },
);

profiles.openapi(
  createRoute({
    method: "put",
    path: "/api/account/profile/{field}",
    summary: "Says something, or changes who may see it",
    middleware: signedIn,
    request: { ...field, body: body(fieldBody) },
    responses: { 204: nothing },
  }),
  async (c) => {
    const name = c.req.valid("param").field;
    const { value, visibility: seenBy } = c.req.valid("json");
    const client = clientOf(c);
    if (value !== undefined) {
      if (name === "photo") throw new Problem("bad-request", "value");
      const rest = { client, visibility: seenBy ?? null };
      await setField(c.env, c.var.accountId, name, value, rest);
      followPreference(c, name, value);
    } else if (seenBy !== undefined) {
      await showField(c.env, c.var.accountId, name, seenBy, client);
    } else throw new Problem("bad-request");
    return c.body(null, 204);
  },
);

profiles.openapi(
  createRoute({
    method: "delete",
    path: "/api/account/profile/{field}",
    summary: "Clears one field",
    middleware: signedIn,
    request: field,
    responses: { 204: nothing },
  }),
  async (c) => {
    const name = c.req.valid("param").field;
    await clearFields(c.env, c.var.accountId, [name], clientOf(c));
    followPreference(c, name, null);
    return c.body(null, 204);
  },
);

profiles.openapi(
  createRoute({
    method: "delete",
    path: "/api/account/profile",
    summary: "Clears every field",
    middleware: signedIn,
    responses: { 204: nothing },
  }),
  async (c) => {
    await clearFields(c.env, c.var.accountId, profileFields, clientOf(c));
    keepPreference(c, { language: null, timeZone: null });
    return c.body(null, 204);
  },
);

/** A photo: PNG, JPEG or WebP as the whole body. */
profiles.put("/api/account/photo", signedIn, async (c) => {
  const bytes = await readBounded(c.req.raw, limits.photoBytes);
  if (bytes === null) throw new Problem("photo-too-large", "photo");
  await setPhoto(c.env, c.var.accountId, new Uint8Array(bytes), { client: clientOf(c) });
  return c.body(null, 204);
});

profiles.openapi(
  createRoute({
    method: "get",
    path: "/api/account/activity",
    middleware: signedIn,
    request: { query: z.strictObject({ before: z.string().max(100).optional() }) },
    responses: { 200: json(log, "What happened to the account, the latest first, page by page") },
  }),
  async (c) => {
    const { before } = c.req.valid("query");
    const from = before === undefined ? undefined : activityCursor(before);
    if (from === null) throw new Problem("bad-request", "before");
    const { entries, next } = await activityPage(c.env, c.var.accountId, from);
    const events = entries.map((entry) => ({ ...entry, at: iso(entry.at) }));
    return c.json({ events, next: next === null ? null : cursorText(next) }, 200);
  },
);
