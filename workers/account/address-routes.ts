/** The JSON API of an account's address book. Unknown fields are refused. */

import * as z from "zod";
import { limits } from "../../protocol/limits.ts";
import { body, json, nothing, time } from "../described.ts";
import { confirmed, signedIn } from "../guard.ts";
import { iso, service } from "../http.ts";
import { createRoute } from "../service.ts";
import { clientOf } from "../sign-in/client.ts";
import {
  askAddress,
  listAddresses,
  makePrimary,
  removeAddress,
  verifyAddress,
} from "./addresses.ts";
import { undoChange } from "./undo.ts";

const kind = z.enum(["email", "phone"]);
const addressBody = z.strictObject({ address: z.string().max(limits.addressLength * 2) });
const verifyBody = z.strictObject({
  token: z.string(),
  code: z.string().max(limits.codeLength),
});
const addressBook = z.strictObject({
  addresses: z.array(
    z.strictObject({
      id: z.string(),
      kind,
      address: z.string(),
      primary: z.boolean(),
      second_step: z.boolean(),
      verified_at: time,
    }),
  ),
});
const oneAddress = z.strictObject({ id: z.string() });
const BOOK = "/api/account/addresses";

export const addresses = service();

addresses.openapi(
  createRoute({
    method: "get",
    path: BOOK,
    middleware: signedIn,
    responses: { 200: json(addressBook, "The verified addresses, the primary first") },
  }),
  async (c) => {
    const own = await listAddresses(c.env, c.var.accountId);
    const view = own.map(({ id, kind, text, primary, secondStep, verifiedAt }) => ({
      id,
      kind,
      address: text,
      primary,
      second_step: secondStep,
      verified_at: iso(verifiedAt),
    }));
    return c.json({ addresses: view }, 200);
  },
);

addresses.openapi(
  createRoute({
    method: "post",
    path: BOOK,
    middleware: [signedIn, confirmed] as const,
    request: { body: body(addressBody) },
    responses: {
      202: json(
        z.strictObject({ sent: kind, token: z.string() }),
        "A code is on its way; the same for an address of another account",
      ),
    },
  }),
  async (c) => {
    const { address } = c.req.valid("json");
    const sent = await askAddress(c.env, c.var.accountId, address, clientOf(c));
    return c.json({ sent: sent.kind, token: sent.token }, 202);
  },
);

addresses.openapi(
  createRoute({
    method: "post",
    path: `${BOOK}/verify`,
    middleware: signedIn,
    request: { body: body(verifyBody) },
    responses: { 204: nothing },
  }),
  async (c) => {
    await verifyAddress(c.env, c.var.accountId, c.req.valid("json"), clientOf(c));
    return c.body(null, 204);
  },
);

addresses.openapi(
  createRoute({
    method: "put",
    path: `${BOOK}/{id}/primary`,
    middleware: [signedIn, confirmed] as const,
    request: { params: oneAddress },
    responses: { 204: nothing },
  }),
  async (c) => {
    await makePrimary(c.env, c.var.accountId, c.req.valid("param").id, clientOf(c));
    return c.body(null, 204);
  },
);

addresses.openapi(
  createRoute({
    method: "delete",
    path: `${BOOK}/{id}`,
    middleware: [signedIn, confirmed] as const,
    request: { params: oneAddress },
    responses: { 204: nothing },
  }),
  async (c) => {
    await removeAddress(c.env, c.var.accountId, c.req.valid("param").id, clientOf(c));
    return c.body(null, 204);
  },
);

addresses.openapi(
  createRoute({
    method: "post",
    path: "/api/undo",
    request: { body: body(z.strictObject({ token: z.string() })) },
    responses: {
      200: json(
        z.strictObject({ password_token: z.string() }),
        "The change is taken back; with the token a new password is chosen",
      ),
    },
  }),
  async (c) => {
    c.header("cache-control", "no-store");
    const password_token = await undoChange(c.env, c.req.valid("json").token, clientOf(c));
    return c.json({ password_token }, 200);
  },
);
