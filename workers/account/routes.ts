/** The JSON API of an account's own data. Unknown fields are refused. */

import * as z from "zod";
import { limits } from "../../protocol/limits.ts";
import { clearCookie } from "../cookies.ts";
import { body, json, nothing, time } from "../described.ts";
import { scoped, signedIn } from "../guard.ts";
import { iso, noStore, service } from "../http.ts";
import { eraseAccount } from "../privacy/erase.ts";
import { createRoute } from "../service.ts";
import { checkOwner, profile } from "./account.ts";

const secret = z.string().max(limits.passwordMaxLength * 4);
const eraseBody = z.strictObject({ password: secret.optional() });
const account = z.strictObject({
  id: z.string(),
  region: z.string(),
  region_title: z.string(),
  address: z.string(),
  created_at: time,
});

export const accounts = service();
accounts.use("/api/account", noStore);
accounts.use("/api/account/*", noStore);

accounts.openapi(
  createRoute({
    method: "get",
    path: "/api/account",
    middleware: scoped("account:read"),
    responses: { 200: json(account, "The account's own data") },
  }),
  async (c) => {
    const own = await profile(c.env, c.var.accountId);
    return c.json(
      {
        id: own.accountId,
        region: own.region,
        region_title: own.regionTitle,
        address: own.address,
        created_at: iso(own.createdAt),
      },
      200,
    );
  },
);

accounts.openapi(
  createRoute({
    method: "delete",
    path: "/api/account",
    middleware: signedIn,
    summary: "Erase the account: with its password, else with a session confirmed a moment ago",
    request: { body: { ...body(eraseBody), required: false } },
    responses: { 204: nothing },
  }),
  async (c) => {
    await checkOwner(c.env, c.var, c.req.valid("json")?.password);
    await eraseAccount(c.env, c.var.accountId);
    clearCookie(c, "__Host-sid");
    return c.body(null, 204);
  },
);
