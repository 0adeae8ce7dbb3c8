/** The JSON API of who may come in at a device's door: rules, shares, what the device is told. */

import * as z from "zod";
import { audiences, type DeviceDescription } from "../../durable-objects/device/rpc.ts";
import { limits } from "../../protocol/limits.ts";
import { webService } from "../../protocol/link/headers.ts";
import { note } from "../account/activity.ts";
import { body, json, nothing, time } from "../described.ts";
import { scoped } from "../guard.ts";
import { type Ctx, iso, service } from "../http.ts";
import { createRoute } from "../service.ts";
import { clientOf } from "../sign-in/client.ts";
import { allow, disallow, removeRule, setAccess, setIdentity, setRule } from "./devices.ts";
import { listShares, makeShare, stopShare } from "./shares.ts";
import { deviceJson, identityMode, mode, view } from "./view.ts";

const deviceId = z.strictObject({ id: z.string() });
const person = z.strictObject({ id: z.string(), account: z.string() });
const oneRule = z.strictObject({ id: z.string(), rule: z.string() });
const rulePerson = z.strictObject({ id: z.string(), rule: z.string(), account: z.string() });
const oneShare = z.strictObject({ id: z.string(), share: z.string() });
const oneDevice = { 200: json(deviceJson, "The device as it is now") };

const shareJson = z.strictObject({
  id: z.string(),
  path: z.string(),
  name: z.string(),
  audience: z.enum(audiences),
  people: z.array(z.string()),
  has_password: z.boolean(),
  created_at: time,
  expires_at: time,
});

export const doors = service();

/** The answer after a change of who may come in, which its owner finds in the activity log. */
async function changed(c: Ctx, device: DeviceDescription) {
  const about = device.label;
  await note(c.env, c.var.accountId, "access-changed", { client: clientOf(c), about });
  return c.json(view(c.env.config, device), 200);
}

doors.openapi(
  createRoute({
    method: "put",
    path: "/api/devices/{id}/access",
    summary: "Who may come in where no other rule says more",
    middleware: scoped("devices:write"),
    request: { params: deviceId, body: body(z.strictObject({ mode })) },
    responses: oneDevice,
  }),
  async (c) => {
    const { id } = c.req.valid("param");
    const device = await setAccess(c.env, c.var.accountId, id, c.req.valid("json").mode);
    return await changed(c as Ctx, device);
  },
);

for (const [method, change] of [
  ["put", allow],
  ["delete", disallow],
] as const) {
  doors.openapi(
    createRoute({
      method,
      path: "/api/devices/{id}/access/people/{account}",
      middleware: scoped("devices:write"),
      request: { params: person },
      responses: oneDevice,
    }),
    async (c) => {
      const { id, account } = c.req.valid("param");
      return await changed(c as Ctx, await change(c.env, c.var.accountId, id, account));
    },
  );
  doors.openapi(
    createRoute({
      method,
      path: "/api/devices/{id}/access/rules/{rule}/people/{account}",
      middleware: scoped("devices:write"),
      request: { params: rulePerson },
      responses: oneDevice,
    }),
    async (c) => {
      const { id, rule, account } = c.req.valid("param");
      return await changed(c as Ctx, await change(c.env, c.var.accountId, id, account, rule));
    },
  );
}

doors.openapi(
  createRoute({
    method: "put",
    path: "/api/devices/{id}/access/rules",
    summary: "Make the rule of a path and all below it, or of a service, or change it",
    middleware: scoped("devices:write"),
    request: {
      params: deviceId,
      body: body(
        z.strictObject({
          service: z
            .string()
            .regex(/^[a-z][a-z0-9-]{0,31}$/)
            .default(webService),
          path: z.string().max(limits.doorPathLength).default("/"),
          mode,
        }),
      ),
    },
    responses: oneDevice,
  }),
  async (c) => {
    const { id } = c.req.valid("param");
    return await changed(c as Ctx, await setRule(c.env, c.var.accountId, id, c.req.valid("json")));
  },
);

doors.openapi(
  createRoute({
    method: "delete",
    path: "/api/devices/{id}/access/rules/{rule}",
    summary: "Remove a rule: what is below its path comes under the rule above it",
    middleware: scoped("devices:write"),
    request: { params: oneRule },
    responses: oneDevice,
  }),
  async (c) => {
    const { id, rule } = c.req.valid("param");
    return await changed(c as Ctx, await removeRule(c.env, c.var.accountId, id, rule));
  },
);

doors.openapi(
  createRoute({
    method: "put",
    path: "/api/devices/{id}/access/identity",
    summary: "What the device is told of who comes: nothing, an identifier of its own, a name too",
    middleware: scoped("devices:write"),
    request: { params: deviceId, body: body(z.strictObject({ mode: identityMode })) },
    responses: oneDevice,
  }),
  async (c) => {
    const { id } = c.req.valid("param");
    const device = await setIdentity(c.env, c.var.accountId, id, c.req.valid("json").mode);
    return await changed(c as Ctx, device);
  },
);

doors.openapi(
  createRoute({
    method: "get",
    path: "/api/devices/{id}/shares",
    middleware: scoped("devices:read"),
    request: { params: deviceId },
    responses: { 200: json(z.strictObject({ shares: z.array(shareJson) }), "Latest first") },
  }),
  async (c) => {
    const shares = await listShares(c.env, c.var.accountId, c.req.valid("param").id);
    return c.json({ shares: shares.map(shareView) }, 200);
  },
);

doors.openapi(
  createRoute({
    method: "post",
    path: "/api/devices/{id}/shares",
    summary: "Share one file or folder; whoever gets it may pass it on",
    middleware: scoped("devices:write"),
    request: {
      params: deviceId,
      body: body(
        z.strictObject({
          path: z.string().max(limits.doorPathLength),
          name: z.string().max(limits.shareNameLength).default(""),
          audience: z.enum(audiences),
          people: z.array(z.string()).max(limits.peoplePerDevice).default([]),
          password: z.string().nullable().default(null),
          expires_at: time,
        }),
      ),
    },
    responses: {
      201: json(
        shareJson.extend({ address: z.string() }),
        "`address` is what to send; with a link it is told this once",
      ),
    },
  }),
  async (c) => {
    const { expires_at: expiresAt, ...wish } = c.req.valid("json");
    const { share, address } = await makeShare(
      c.env,
      c.var.accountId,
      c.req.valid("param").id,
      { ...wish, expiresAt: Date.parse(expiresAt) },
      clientOf(c),
    );
    c.header("cache-control", "no-store");
    return c.json({ ...shareView(share), address }, 201);
  },
);

doors.openapi(
  createRoute({
    method: "delete",
    path: "/api/devices/{id}/shares/{share}",
    summary: "Stop a share: what is on its way by it ends",
    middleware: scoped("devices:write"),
    request: { params: oneShare },
    responses: { 204: nothing },
  }),
  async (c) => {
    const { id, share } = c.req.valid("param");
    await stopShare(c.env, c.var.accountId, id, share, clientOf(c));
    return c.body(null, 204);
  },
);

function shareView(share: Awaited<ReturnType<typeof listShares>>[number]) {
  const { hasPassword, createdAt, expiresAt, people, ...rest } = share;
  return {
    ...rest,
    people: [...people],
    has_password: hasPassword,
    created_at: iso(createdAt),
    expires_at: iso(expiresAt),
  };
}
