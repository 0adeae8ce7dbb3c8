/** The JSON API of people: contacts, and what somebody shows. Unknown fields are refused. */

import * as z from "zod";
import { isId } from "../../protocol/ids.ts";
import { body, json, nothing, time } from "../described.ts";
import { currentSession, signedIn } from "../guard.ts";
import { type Ctx, iso, noStore, service } from "../http.ts";
import { Problem } from "../problem.ts";
import { createRoute } from "../service.ts";
import { clientOf } from "../sign-in/client.ts";
import {
  acceptContact,
  askContact,
  blockPerson,
  declineContact,
  knownPeople,
  removeContact,
  unblockPerson,
} from "./contacts.ts";
import { photoOf } from "./photo.ts";
import { type VisibleProfile, visibleOfKnown, visibleProfile } from "./visible.ts";

const shown = z.strictObject({
  account: z.string(),
  name: z.string().optional(),
  about: z.string().optional(),
  language: z.string().optional(),
  time_zone: z.string().optional(),
  /** Where the photo is. */
  photo: z.string().optional(),
});
const known = z.strictObject({
  people: z.array(
    shown.extend({
      relation: z.enum(["contact", "asking", "asked", "blocked"]),
      since: time,
      ends_at: time.nullable(),
    }),
  ),
});
const askBody = z.strictObject({ account: z.string() });
const asked = z.strictObject({ ask: z.literal("sent") });
const account = { params: z.strictObject({ account: z.string() }) };

/** What is shown of a person, as the API says it. */
const profileJson = (accountId: string, seen: VisibleProfile | null) => ({
  account: accountId,
  ...seen?.fields,
  ...(seen?.photo ? { photo: photoPath(accountId) } : {}),
});

/** Where the photo of a person is. */
export const photoPath = (accountId: string): string => `/api/people/${accountId}/photo`;

export const people = service();
people.use("/api/contacts", noStore);
people.use("/api/contacts/*", noStore);
people.use("/api/people/*", noStore);

people.openapi(
  createRoute({
    method: "get",
    path: "/api/contacts",
    middleware: signedIn,
    responses: { 200: json(known, "Contacts, asks and blocked people, the latest first") },
  }),
  async (c) => {
    const list = await knownPeople(c.env, c.var.accountId);
    const seen = await visibleOfKnown(c.env, c.var.accountId, list);
    return c.json(
      {
        people: list.map(({ accountId, relation, since, expiresAt }) => ({
          ...profileJson(accountId, seen.get(accountId) ?? null),
          relation,
          since: iso(since),
          ends_at: iso(expiresAt),
        })),
      },
      200,
    );
  },
);

people.openapi(
  createRoute({
    method: "post",
    path: "/api/contacts",
    middleware: signedIn,
    request: { body: body(askBody) },
    responses: { 202: json(asked, "The same whoever was asked, and whether they exist") },
  }),
  async (c) => {
    await askContact(c.env, c.var.accountId, c.req.valid("json").account, clientOf(c));
    return c.json({ ask: "sent" } as const, 202);
  },
);

type Act = (c: Ctx, other: string) => Promise<void>;
const acts: readonly [method: "post" | "put" | "delete", path: string, act: Act][] = [
  ["post", "/accept", (c, other) => acceptContact(c.env, c.var.accountId, other, clientOf(c))],
  ["post", "/decline", (c, other) => declineContact(c.env, c.var.accountId, other)],
  ["delete", "", (c, other) => removeContact(c.env, c.var.accountId, other, clientOf(c))],
  ["put", "/block", (c, other) => blockPerson(c.env, c.var.accountId, other, clientOf(c))],
  ["delete", "/block", (c, other) => unblockPerson(c.env, c.var.accountId, other)],
];
for (const [method, path, act] of acts) {
  people.openapi(
    createRoute({
      method,
      path: `/api/contacts/{account}${path}`,
      middleware: signedIn,
      request: account,
      responses: { 204: nothing },
    }),
    async (c) => {
      await act(c, c.req.valid("param").account);
      return c.body(null, 204);
    },
  );
}

people.openapi(
  createRoute({
    method: "get",
    path: "/api/people/{account}",
    request: account,
    responses: {
      200: json(shown, "What this person shows to whoever asks; 404 when that is nothing"),
    },
  }),
  async (c) => {
    const { account: accountId } = c.req.valid("param");
    const viewer = (await currentSession(c))?.accountId ?? null;
    const seen = await visibleProfile(c.env, viewer, accountId);
    if (seen === null) throw new Problem("not-found");
    return c.json(profileJson(accountId, seen), 200);
  },
);

people.get("/api/people/:account/photo", async (c) => {
  const accountId = c.req.param("account");
  const viewer = (await currentSession(c))?.accountId ?? null;
  const photo = isId("acc", accountId) ? await photoOf(c.env, viewer, accountId) : null;
  if (photo === null) throw new Problem("not-found");
  return new Response(photo.bytes, {
    headers: {
      "content-type": photo.type,
      "content-disposition": "inline",
      "content-security-policy": "default-src 'none'; sandbox",
      "cross-origin-resource-policy": "same-origin",
      "x-content-type-options": "nosniff",
    },
  });
});
