/** The JSON API of domains of one's own that lead to a device's name. */

import * as z from "zod";
import type { OwnDomain } from "../../durable-objects/device/domains-rpc.ts";
import { body, json, nothing, time } from "../described.ts";
import { scoped } from "../guard.ts";
import { type Ctx, iso, noStore, service } from "../http.ts";
import { createRoute } from "../service.ts";
import { clientOf } from "../sign-in/client.ts";
import { type Asker, addDomain, domainsOf, lookAgain, removeDomain } from "./domains.ts";
import { certifiableDomains } from "./domains-check.ts";

const base = "/api/devices/{id}/domains";
const params = z.strictObject({ id: z.string() });
const oneDomain = z.strictObject({ id: z.string(), domain: z.string() });
const domainJson = z.strictObject({
  domain: z.string(),
  points_since: time.nullable(),
  lost_at: time.nullable(),
  certifiable: z.boolean(),
  seen: z
    .strictObject({
      at: time,
      verdict: z.string(),
      asked: z.array(
        z.strictObject({
          ...{ name: z.string(), type: z.string() },
          ...{ said: z.string(), values: z.array(z.string()) },
        }),
      ),
    })
    .nullable(),
});

const askerOf = (c: Ctx, deviceId: string): Asker => ({
  ...{ accountId: c.var.accountId, deviceId, client: clientOf(c) },
});

export const domains = service();
domains.use(base.replace("{id}", ":id"), noStore);
domains.use(`${base.replace("{id}", ":id")}/*`, noStore);

domains.openapi(
  createRoute({
    method: "get",
    path: base,
    summary: "Domains of your own that lead to a device's name, and what DNS said of them last",
    middleware: scoped("devices:read"),
    request: { params },
    responses: { 200: json(z.strictObject({ domains: z.array(domainJson) }), "In your order") },
  }),
  async (c) => {
    const list = await domainsOf(c.env, askerOf(c as Ctx, c.req.valid("param").id));
    return c.json({ domains: list.map(view) }, 200);
  },
);

domains.openapi(
  createRoute({
    method: "post",
    path: base,
    summary: "Add a domain of your own, and look where it leads",
    middleware: scoped("devices:write"),
    request: { params, body: body(z.strictObject({ domain: z.string().max(254) })) },
    responses: { 201: json(domainJson, "`verdict` is `here` when it leads to the device") },
  }),
  async (c) => {
    const asker = askerOf(c as Ctx, c.req.valid("param").id);
    return c.json(view(await addDomain(c.env, asker, c.req.valid("json").domain)), 201);
  },
);

domains.openapi(
  createRoute({
    method: "post",
    path: `${base}/{domain}/check`,
    summary: "Look again where a domain leads",
    middleware: scoped("devices:write"),
    request: { params: oneDomain },
    responses: { 200: json(domainJson, "As it was seen now") },
  }),
  async (c) => {
    const { id, domain } = c.req.valid("param");
    return c.json(view(await lookAgain(c.env, askerOf(c as Ctx, id), domain)), 200);
  },
);

domains.openapi(
  createRoute({
    method: "delete",
    path: `${base}/{domain}`,
    summary: "Forget a domain: it is not looked at any more, and not certified again",
    middleware: scoped("devices:write"),
    request: { params: oneDomain },
    responses: { 204: nothing },
  }),
  async (c) => {
    const { id, domain } = c.req.valid("param");
    await removeDomain(c.env, askerOf(c as Ctx, id), domain);
    return c.body(null, 204);
  },
);

function view(domain: OwnDomain): z.infer<typeof domainJson> {
  const { name, since, lostAt, seen } = domain;
  const asked = (seen?.steps ?? []).map(({ values, ...step }) => ({
    ...step,
    values: [...values],
  }));
  return {
    domain: name,
    points_since: iso(since),
    lost_at: iso(lostAt),
    certifiable: certifiableDomains([domain]).length > 0,
    seen: seen === null ? null : { at: iso(seen.at), verdict: seen.verdict, asked },
  };
}
