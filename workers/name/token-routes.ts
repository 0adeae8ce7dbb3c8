/** The JSON API of the tokens of a device's name. A token is answered once. */

import * as z from "zod";
import {
  eventVerdicts,
  type NameTokenDescription,
  nameScopes,
} from "../../durable-objects/device/rpc.ts";
import { limits } from "../../protocol/limits.ts";
import { body, json, nothing, time } from "../described.ts";
import { scoped } from "../guard.ts";
import { iso, noStore, service } from "../http.ts";
import { createRoute } from "../service.ts";
import { clientOf } from "../sign-in/client.ts";
import {
  endNameToken,
  excuseNameToken,
  listNameTokens,
  makeNameToken,
  nameHistory,
} from "./tokens.ts";

const deviceId = z.strictObject({ id: z.string() });
const scope = z
  .enum(nameScopes)
  .meta({ description: "`address`: say where the name leads; `acme`: answer for certificates" });

const kept = {
  id: z.string(),
  name: z.string(),
  scopes: z.array(scope),
  networks: z.array(z.string()).meta({ description: "Where it works from; empty: everywhere" }),
  created_at: time,
  names: z.array(z.string()).meta({
    description: "The device's names that it speaks for; empty: all, also those to come",
  }),
  all_devices: z
    .boolean()
    .meta({ description: "It says addresses for the account's other devices too" }),
  used_day: z.iso.date().nullable(),
  idle_ends_at: time.meta({ description: "It ends then, unless it is used before" }),
  expires_at: time.nullable(),
  flooded_at: time
    .nullable()
    .meta({ description: "When its client last asked more than 60 times in an hour" }),
  blocked: z.boolean().meta({ description: "It is answered `abuse` until this is cleared" }),
};
const eventJson = z.strictObject({
  at: time,
  verdict: z.enum(eventVerdicts),
  families: z.array(z.enum(["ipv4", "ipv6"])),
  client: z.string().meta({ description: "`device`: its own connection; empty: not known" }),
  token: z.string(),
});
const asked = z.strictObject({
  name: z
    .string()
    .max(limits.nameTokenNameLength * 2)
    .default(""),
  scopes: z.array(scope).min(1).max(nameScopes.length).default(["address"]),
  networks: z
    .array(z.string().max(49)) // an IPv6 address, a slash, three digits, blanks
    .max(limits.nameTokenNetworks)
    .default([]),
  expires_at: time.nullable().default(null),
  names: z.array(z.string().max(63)).max(limits.labelsPerDevice).default([]),
  all_devices: z.boolean().default(false),
});

const view = (token: NameTokenDescription) => ({
  id: token.id,
  name: token.name,
  scopes: [...token.scopes],
  networks: [...token.networks],
  created_at: iso(token.createdAt),
  used_day: token.usedDay === null ? null : iso(token.usedDay).slice(0, "2026-01-01".length),
  expires_at: iso(token.endsAt),
  names: [...token.labels],
  all_devices: token.allDevices,
  idle_ends_at: iso(token.idleEndsAt),
  flooded_at: iso(token.floodedAt),
  blocked: token.isBlocked,
});

export const nameTokens = service();
nameTokens.use("/api/devices/:id/name/*", noStore);

nameTokens.openapi(
  createRoute({
    method: "get",
    path: "/api/devices/{id}/name/tokens",
    summary: "Who may speak for the device's name, beside the device itself",
    middleware: scoped("devices:read"),
    request: { params: deviceId },
    responses: {
      200: json(z.strictObject({ tokens: z.array(z.strictObject(kept)) }), "Oldest first"),
    },
  }),
  async (c) => {
    const { id } = c.req.valid("param");
    const tokens = await listNameTokens(c.env, c.var.accountId, id);
    return c.json({ tokens: tokens.map(view) }, 200);
  },
);

nameTokens.openapi(
  createRoute({
    method: "post",
    path: "/api/devices/{id}/name/tokens",
    summary: "Make a token for a router, a program or a certificate client",
    middleware: scoped("devices:write"),
    request: { params: deviceId, body: body(asked) },
    responses: { 201: json(z.strictObject({ ...kept, token: z.string() }), "Shown this once") },
  }),
  async (c) => {
    const { id } = c.req.valid("param");
    const { expires_at: end, names: labels, all_devices, ...token } = c.req.valid("json");
    const endsAt = end === null ? null : Date.parse(end);
    const request = { ...token, endsAt, labels, allDevices: all_devices };
    const made = await makeNameToken(c.env, c.var.accountId, id, request, clientOf(c));
    return c.json({ ...view(made), token: made.secret }, 201);
  },
);

nameTokens.openapi(
  createRoute({
    method: "delete",
    path: "/api/devices/{id}/name/tokens/{token}",
    middleware: scoped("devices:write"),
    request: { params: z.strictObject({ id: z.string(), token: z.string() }) },
    responses: { 204: nothing },
  }),
  async (c) => {
    const { id, token } = c.req.valid("param");
    await endNameToken(c.env, c.var.accountId, id, token, clientOf(c));
    return c.body(null, 204);
  },
);

nameTokens.openapi(
  createRoute({
    method: "delete",
    path: "/api/devices/{id}/name/tokens/{token}/flood",
    summary: "Forget that the token's client asked too often",
    middleware: scoped("devices:write"),
    request: { params: z.strictObject({ id: z.string(), token: z.string() }) },
    responses: { 204: nothing },
  }),
  async (c) => {
    const { id, token } = c.req.valid("param");
    await excuseNameToken(c.env, c.var.accountId, id, token, clientOf(c));
    return c.body(null, 204);
  },
);

nameTokens.openapi(
  createRoute({
    method: "get",
    path: "/api/devices/{id}/name/history",
    summary: "What happened to the name in the last 30 days: no address is ever kept",
    middleware: scoped("devices:read"),
    request: { params: deviceId },
    responses: { 200: json(z.strictObject({ events: z.array(eventJson) }), "Latest first") },
  }),
  async (c) => {
    const events = await nameHistory(c.env, c.var.accountId, c.req.valid("param").id);
    const view = events.map((event) => ({
      ...event,
      at: iso(event.at),
      families: [...event.families],
    }));
    return c.json({ events: view }, 200);
  },
);
