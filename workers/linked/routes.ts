/** The JSON API of accounts elsewhere. Unknown fields are refused. */

import * as z from "zod";
import { body, json, nothing, time } from "../described.ts";
import { confirmed, signedIn } from "../guard.ts";
import { iso, noStore, service } from "../http.ts";
import { createRoute } from "../service.ts";
import { clientOf } from "../sign-in/client.ts";
import { setOut } from "./journey.ts";
import { type LinkedView, listLinked, unlink } from "./linked.ts";

const provider = z.strictObject({ id: z.string(), title: z.string() });
const linkedAccount = z.strictObject({
  id: z.string(),
  provider,
  name: z.string().nullable(),
  email: z.string().nullable(),
  linked_at: time,
  used_day: z.iso.date().nullable(),
});

const linkedJson = (view: LinkedView) => ({
  id: view.id,
  provider: { id: view.provider, title: view.title },
  name: view.name,
  email: view.email,
  linked_at: iso(view.linkedAt),
  used_day: iso(view.usedDay)?.slice(0, 10) ?? null,
});

export const linkedAccounts = service();

linkedAccounts.openapi(
  createRoute({
    method: "get",
    path: "/api/identity-providers",
    responses: {
      200: json(z.strictObject({ providers: z.array(provider) }), "Accounts elsewhere that let in"),
    },
  }),
  (c) => {
    const providers = c.env.config.identityProviders.map(({ id, title }) => ({ id, title }));
    return c.json({ providers }, 200);
  },
);

linkedAccounts.openapi(
  createRoute({
    method: "get",
    path: "/api/account/linked",
    middleware: [noStore, signedIn] as const,
    responses: {
      200: json(z.strictObject({ linked: z.array(linkedAccount) }), "The account's own"),
    },
  }),
  async (c) => {
    const own = await listLinked(c.env, c.var.accountId);
    return c.json({ linked: own.map(linkedJson) }, 200);
  },
);

linkedAccounts.openapi(
  createRoute({
    method: "post",
    path: "/api/account/linked",
    middleware: [noStore, signedIn, confirmed] as const,
    request: { body: body(z.strictObject({ provider: z.string() })) },
    responses: {
      200: json(
        z.strictObject({ url: z.url() }),
        "Where the browser that asked goes to sign in there; it comes back by itself",
      ),
    },
  }),
  async (c) => {
    const url = await setOut(c, c.req.valid("json").provider, {
      purpose: { kind: "link", sessionId: c.var.sessionId },
      returnTo: "/account/linked",
      client: clientOf(c),
    });
    return c.json({ url }, 200);
  },
);

linkedAccounts.openapi(
  createRoute({
    method: "delete",
    path: "/api/account/linked/{id}",
    middleware: [noStore, signedIn, confirmed] as const,
    request: { params: z.strictObject({ id: z.string() }) },
    responses: { 204: nothing },
  }),
  async (c) => {
    await unlink(c.env, c.var, c.req.valid("param").id, clientOf(c));
    return c.body(null, 204);
  },
);
