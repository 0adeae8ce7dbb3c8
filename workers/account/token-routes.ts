/** The JSON API of personal access tokens. A token is answered once, and takes no part in its own keeping. */

import * as z from "zod";
import { limits } from "../../protocol/limits.ts";
import { body, json, nothing, time } from "../described.ts";
import { confirmed, signedIn } from "../guard.ts";
import { iso, noStore, service } from "../http.ts";
import { createRoute } from "../service.ts";
import { clientOf } from "../sign-in/client.ts";
import {
  endPersonalToken,
  listPersonalTokens,
  makePersonalToken,
  type PersonalTokenView,
  personalTokenDays,
  tokenScopes,
} from "./personal-tokens.ts";
import { endPrograms } from "./programs.ts";

const kept = {
  id: z.string(),
  name: z.string(),
  scopes: z.array(z.enum(tokenScopes)),
  created_at: time,
  used_day: z.iso.date().nullable(),
  expires_at: time,
};
const newBody = z.strictObject({
  name: z.string().max(limits.personalTokenNameLength * 2),
  scopes: z.array(z.enum(tokenScopes)).min(1).max(tokenScopes.length),
  days: z.int().min(1).max(personalTokenDays),
});

const view = ({ id, name, scopes, createdAt, usedDay, expiresAt }: PersonalTokenView) => ({
  id,
  name,
  scopes: [...scopes],
  created_at: iso(createdAt),
  used_day: usedDay === null ? null : iso(usedDay).slice(0, "2026-01-01".length),
  expires_at: iso(expiresAt),
});

export const personalTokens = service();
personalTokens.use("/api/tokens", noStore);
personalTokens.use("/api/tokens/*", noStore);

personalTokens.openapi(
  createRoute({
    method: "get",
    path: "/api/tokens",
    middleware: signedIn,
    responses: {
      200: json(z.strictObject({ tokens: z.array(z.strictObject(kept)) }), "Oldest first"),
    },
  }),
  async (c) => {
    const tokens = await listPersonalTokens(c.env, c.var.accountId);
    return c.json({ tokens: tokens.map(view) }, 200);
  },
);

personalTokens.openapi(
  createRoute({
    method: "post",
    path: "/api/tokens",
    middleware: [signedIn, confirmed] as const,
    request: { body: body(newBody) },
    responses: { 201: json(z.strictObject({ ...kept, token: z.string() }), "Shown this once") },
  }),
  async (c) => {
    const { accountId } = c.var;
    const made = await makePersonalToken(c.env, accountId, c.req.valid("json"), clientOf(c));
    return c.json({ ...view(made), token: made.token }, 201);
  },
);

personalTokens.openapi(
  createRoute({
    method: "delete",
    path: "/api/tokens/{id}",
    middleware: signedIn,
    request: { params: z.strictObject({ id: z.string() }) },
    responses: { 204: nothing },
  }),
  async (c) => {
    await endPersonalToken(c.env, c.var.accountId, c.req.valid("param").id, clientOf(c));
    return c.body(null, 204);
  },
);

personalTokens.openapi(
  createRoute({
    method: "delete",
    path: "/api/account/programs",
    summary: "End every access token and every app, for who got back into the account",
    middleware: signedIn,
    responses: { 204: nothing },
  }),
  async (c) => {
    await endPrograms(c.env, c.var.accountId, clientOf(c));
    return c.body(null, 204);
  },
);
