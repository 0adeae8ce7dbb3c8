/** The list of apps that a person signs in to with Latchkey, and the end of each. */

import * as z from "zod";
import { json, nothing, time } from "../described.ts";
import { signedIn } from "../guard.ts";
import { iso, noStore, service } from "../http.ts";
import { Problem } from "../problem.ts";
import { createRoute } from "../service.ts";
import { clientOf } from "../sign-in/client.ts";
import { endGrant, listGrants } from "./grants.ts";
import { scopes } from "./scopes.ts";

export const grants = service();

const grantList = z.strictObject({
  grants: z.array(
    z.strictObject({
      id: z.string(),
      client_id: z.string(),
      app: z.string(),
      on: z.string(),
      scopes: z.array(z.enum(scopes)),
      created_at: time,
      used_on: z.iso.date(),
    }),
  ),
});
grants.use("/api/grants", noStore);

grants.openapi(
  createRoute({
    method: "get",
    path: "/api/grants",
    summary: "Apps you sign in to with Latchkey",
    middleware: signedIn,
    responses: { 200: json(grantList, "What was allowed, the latest used first") },
  }),
  async (c) => {
    const list = (await listGrants(c.env, c.var.accountId)).map((grant) => ({
      id: grant.id,
      client_id: grant.clientId,
      app: grant.app,
      on: grant.on,
      scopes: [...grant.scopes],
      created_at: iso(grant.createdAt),
      used_on: iso(grant.usedDay).slice(0, 10),
    }));
    return c.json({ grants: list }, 200);
  },
);

grants.openapi(
  createRoute({
    method: "delete",
    path: "/api/grants/{id}",
    summary: "End an app; its keys are dead at once",
    middleware: signedIn,
    request: { params: z.strictObject({ id: z.string() }) },
    responses: { 204: nothing },
  }),
  async (c) => {
    const { id } = c.req.valid("param");
    const ended = await endGrant(c.env, c.var.accountId, id, clientOf(c));
    if (!ended) throw new Problem("not-found");
    return c.body(null, 204);
  },
);
