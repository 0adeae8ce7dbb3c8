/** The key with which programs of the owner sign DNS updates of a device's name (docs/name.md). */

import * as z from "zod";
import { json, nothing } from "../described.ts";
import { scoped } from "../guard.ts";
import { iso, noStore, service } from "../http.ts";
import { Problem } from "../problem.ts";
import { createRoute } from "../service.ts";
import { clientOf } from "../sign-in/client.ts";
import { endSigningKey, makeSigningKey, signingKeyState } from "./signing-key.ts";

const path = "/api/devices/{id}/signing-key";
const params = z.strictObject({ id: z.string() });
const keyJson = z.strictObject({
  name: z.string().meta({ description: "The key's name, which is the host's own" }),
  algorithm: z.literal("hmac-sha256"),
  secret: z.string().meta({ description: "Base64, as nsupdate and `key` clauses take it" }),
});

const dayOf = (at: number | null) => (at === null ? null : iso(at).slice(0, "2026-01-01".length));

export const signing = service();

signing.openapi(
  createRoute({
    method: "post",
    path,
    summary: "Make the key that signs DNS updates (RFC 2136) of the device's name",
    middleware: [scoped("devices:write"), noStore] as const,
    request: { params },
    responses: { 201: json(keyJson, "Shown this once; the older one ends") },
  }),
  async (c) => {
    const { id } = c.req.valid("param");
    const key = await makeSigningKey(c.env, c.var.accountId, id, clientOf(c));
    return c.json({ ...key, algorithm: "hmac-sha256" as const }, 201);
  },
);

signing.openapi(
  createRoute({
    method: "get",
    path,
    summary: "Whether there is a key that signs DNS updates, and when it was used last",
    middleware: [scoped("devices:read"), noStore] as const,
    request: { params },
    responses: {
      200: json(z.strictObject({ used_day: z.iso.date().nullable() }), "Never the key itself"),
    },
  }),
  async (c) => {
    const state = await signingKeyState(c.env, c.var.accountId, c.req.valid("param").id);
    if (state === null) throw new Problem("not-found");
    return c.json({ used_day: dayOf(state.usedDay) }, 200);
  },
);

signing.openapi(
  createRoute({
    method: "delete",
    path,
    summary: "End the key that signs DNS updates",
    middleware: scoped("devices:write"),
    request: { params },
    responses: { 204: nothing },
  }),
  async (c) => {
    await endSigningKey(c.env, c.var.accountId, c.req.valid("param").id, clientOf(c));
    return c.body(null, 204);
  },
);
