/**
 * The JSON API of devices and their enrolment, and the two WebSockets: the device's own and its
 * owner's view. Unknown fields are refused; the update secret is answered once.
 */

import { createRoute, z } from "@hono/zod-openapi";
import { ownerOf } from "../../db/queries/devices.ts";
import {
  accessModes,
  type DeviceDescription,
  featureNames,
  peerHeader,
  type Way,
  wayHeader,
} from "../../durable-objects/device/rpc.ts";
import { agentSocketPath, agentSubprotocol, enrolmentErrors } from "../../protocol/agent.ts";
import { claimedSubject } from "../../protocol/assertion.ts";
import { isId } from "../../protocol/ids.ts";
import { type Config, doorOrigin } from "../config.ts";
import { signedIn } from "../guard.ts";
import { type Ctx, service } from "../http.ts";
import { Problem } from "../problem.ts";
import {
  allow,
  approveEnrolment,
  disallow,
  getDevice,
  listDevices,
  lookupEnrolment,
  ownDevice,
  pollEnrolment,
  rotateUpdateSecret,
  setAccess,
  setFeature,
  startEnrolment,
  unregisterDevice,
} from "./devices.ts";

const time = z.iso.datetime();
const feature = z.enum(featureNames);
const mode = z.enum(accessModes);
const deviceId = z.strictObject({ id: z.string() });
const person = z.strictObject({ id: z.string(), account: z.string() });

const deviceJson = z.strictObject({
  id: z.string(),
  label: z.string(),
  link: z.string(),
  host: z.string(),
  created_at: time,
  features: z.strictObject({ name: z.boolean(), link: z.boolean() }),
  access: z.strictObject({ mode, people: z.array(z.string()) }),
  connection: z
    .strictObject({
      online: z.boolean(),
      since: time,
      address: z.string().nullable(),
      agent: z.string(),
    })
    .nullable(),
  name: z
    .strictObject({
      ipv4: z.string().nullable(),
      ipv6: z.string().nullable(),
      changed_at: time.nullable(),
      has_update_secret: z.boolean(),
    })
    .nullable(),
});
const started = z.strictObject({
  device_code: z.string(),
  user_code: z.string(),
  verification_uri: z.string(),
  verification_uri_complete: z.string(),
  expires_in: z.number(),
  interval: z.number(),
});
const done = z.strictObject({
  device_id: z.string(),
  label: z.string(),
  link: z.string(),
  host: z.string(),
});
const oauthError = z.strictObject({ error: z.enum(enrolmentErrors) });

const json = <T extends z.ZodType>(schema: T, description: string) => ({
  description,
  content: { "application/json": { schema } },
});
const body = <T extends z.ZodType>(schema: T) => ({
  required: true,
  content: { "application/json": { schema } },
});
const nothing = { description: "Done; no content" };
const oneDevice = { 200: json(deviceJson, "The device as it is now") };

const iso = (ms: number) => new Date(ms).toISOString();

function view(config: Config, device: DeviceDescription): z.infer<typeof deviceJson> {
  const { connection, name } = device;
  return {
    id: device.id,
    label: device.label,
    link: doorOrigin(config, device.label),
    host: `${device.label}.${config.ddnsZone}`,
    created_at: iso(device.createdAt),
    features: device.features,
    access: { mode: device.access.mode, people: [...device.access.people] },
    connection: connection === null ? null : { ...connection, since: iso(connection.since) },
    name:
      name === null
        ? null
        : {
            ipv4: name.ipv4,
            ipv6: name.ipv6,
            changed_at: name.changedAt === null ? null : iso(name.changedAt),
            has_update_secret: name.hasUpdateSecret,
          },
  };
}

export const devices = service();

devices.openapi(
  createRoute({
    method: "post",
    path: "/api/enrolments",
    request: { body: body(z.strictObject({ public_key: z.string().max(64) })) },
    responses: { 200: json(started, "RFC 8628 §3.2") },
  }),
  async (c) => {
    c.header("cache-control", "no-store");
    const { public_key: publicKey } = c.req.valid("json");
    return c.json(await startEnrolment(c.env, { publicKey }), 200);
  },
);

devices.openapi(
  createRoute({
    method: "post",
    path: "/api/enrolments/token",
    request: {
      body: body(
        z.strictObject({
          device_code: z.string().max(200),
          client_assertion: z.string().max(2048),
        }),
      ),
    },
    responses: {
      200: json(done, "The device is its owner's"),
      400: json(oauthError, "RFC 8628 §3.5"),
    },
  }),
  async (c) => {
    c.header("cache-control", "no-store");
    const { device_code: deviceCode, client_assertion: assertion } = c.req.valid("json");
    const result = await pollEnrolment(c.env, { deviceCode, assertion });
    return result.kind === "done"
      ? c.json(result.enrolment, 200)
      : c.json({ error: result.error }, 400);
  },
);

devices.openapi(
  createRoute({
    method: "post",
    path: "/api/enrolments/lookup",
    middleware: signedIn,
    request: { body: body(z.strictObject({ user_code: z.string().max(64) })) },
    responses: {
      200: json(
        z.strictObject({ fingerprint: z.string(), expires_at: time }),
        "What the device shows too, to compare before approving",
      ),
    },
  }),
  async (c) => {
    const code = c.req.valid("json").user_code;
    const found = await lookupEnrolment(c.env, c.var.accountId, code);
    if (found === null) throw new Problem("code-expired", "user_code");
    return c.json({ fingerprint: found.fingerprint, expires_at: iso(found.expiresAt) }, 200);
  },
);

devices.openapi(
  createRoute({
    method: "post",
    path: "/api/enrolments/approve",
    middleware: signedIn,
    request: {
      body: body(z.strictObject({ user_code: z.string().max(64), label: z.string().max(256) })),
    },
    responses: { 201: json(deviceJson, "The device is the account's") },
  }),
  async (c) => {
    const { user_code: userCode, label } = c.req.valid("json");
    const device = await approveEnrolment(c.env, c.var.accountId, { userCode, label });
    return c.json(view(c.env.config, device), 201);
  },
);

devices.openapi(
  createRoute({
    method: "get",
    path: "/api/devices",
    middleware: signedIn,
    responses: { 200: json(z.strictObject({ devices: z.array(deviceJson) }), "Oldest first") },
  }),
  async (c) => {
    const list = await listDevices(c.env, c.var.accountId);
    return c.json({ devices: list.map((device) => view(c.env.config, device)) }, 200);
  },
);

devices.openapi(
  createRoute({
    method: "get",
    path: "/api/devices/{id}",
    middleware: signedIn,
    request: { params: deviceId },
    responses: oneDevice,
  }),
  async (c) => {
    const { id } = c.req.valid("param");
    return c.json(view(c.env.config, await getDevice(c.env, c.var.accountId, id)), 200);
  },
);

devices.openapi(
  createRoute({
    method: "delete",
    path: "/api/devices/{id}",
    middleware: signedIn,
    request: { params: deviceId },
    responses: { 204: nothing },
  }),
  async (c) => {
    await unregisterDevice(c.env, c.var.accountId, c.req.valid("param").id);
    return c.body(null, 204);
  },
);

devices.openapi(
  createRoute({
    method: "put",
    path: "/api/devices/{id}/features/{feature}",
    middleware: signedIn,
    request: {
      params: z.strictObject({ id: z.string(), feature }),
      body: body(z.strictObject({ on: z.boolean() })),
    },
    responses: oneDevice,
  }),
  async (c) => {
    const { id, feature: name } = c.req.valid("param");
    const { on } = c.req.valid("json");
    const device = await setFeature(c.env, c.var.accountId, id, name, on);
    return c.json(view(c.env.config, device), 200);
  },
);

devices.openapi(
  createRoute({
    method: "put",
    path: "/api/devices/{id}/access",
    middleware: signedIn,
    request: { params: deviceId, body: body(z.strictObject({ mode })) },
    responses: oneDevice,
  }),
  async (c) => {
    const { id } = c.req.valid("param");
    const device = await setAccess(c.env, c.var.accountId, id, c.req.valid("json").mode);
    return c.json(view(c.env.config, device), 200);
  },
);

for (const [method, change] of [
  ["put", allow],
  ["delete", disallow],
] as const) {
  devices.openapi(
    createRoute({
      method,
      path: "/api/devices/{id}/access/people/{account}",
      middleware: signedIn,
      request: { params: person },
      responses: oneDevice,
    }),
    async (c) => {
      const { id, account } = c.req.valid("param");
      return c.json(view(c.env.config, await change(c.env, c.var.accountId, id, account)), 200);
    },
  );
}

devices.openapi(
  createRoute({
    method: "post",
    path: "/api/devices/{id}/update-secret",
    middleware: signedIn,
    request: { params: deviceId },
    responses: {
      201: json(z.strictObject({ update_secret: z.string() }), "Shown this once; older ones end"),
    },
  }),
  async (c) => {
    const { id } = c.req.valid("param");
    const secret = await rotateUpdateSecret(c.env, c.var.accountId, id);
    c.header("cache-control", "no-store");
    return c.json({ update_secret: secret }, 201);
  },
);

/** The owner's live view: a WebSocket that tells every change as a `DeviceDescription`. */
devices.get("/api/devices/:id/live", signedIn, async (c) => {
  needUpgrade(c);
  const object = await ownDevice(c.env, c.var.accountId, c.req.param("id"));
  return await object.fetch(upgradeFor(c, "watch"));
});

/** The device's own socket. An id without a row creates no object and is told that it is gone. */
devices.get(agentSocketPath, async (c) => {
  needUpgrade(c);
  const offered = (c.req.header("sec-websocket-protocol") ?? "").split(/\s*,\s*/);
  if (!offered.includes(agentSubprotocol)) throw new Problem("bad-request");
  const token = /^Bearer (\S+)$/i.exec(c.req.header("authorization") ?? "")?.[1];
  const id = token === undefined ? null : claimedSubject(token);
  if (!isId("dev", id)) throw new Problem("not-signed-in");
  const db = c.env.regions.db(id);
  if (db === null || (await ownerOf(db, id)) === null) throw new Problem("device-gone");
  return await c.env.devices.get(id).fetch(upgradeFor(c, "agent"));
});

function needUpgrade(c: Ctx): void {
  if (c.req.header("upgrade")?.toLowerCase() !== "websocket") {
    throw new Problem("upgrade-required");
  }
}

/**
 * The upgrade as the object gets it: under our own origin, which the assertion must name, with no
 * cookie, and with `x-latchkey-*` headers of ours alone.
 */
function upgradeFor(c: Ctx, way: Way): Request {
  const headers = new Headers(c.req.raw.headers);
  headers.delete("cookie");
  for (const name of [...headers.keys()]) if (name.startsWith("x-latchkey-")) headers.delete(name);
  headers.set(wayHeader, way);
  if (c.env.peer !== null) headers.set(peerHeader, c.env.peer);
  return new Request(c.env.config.origin + new URL(c.req.url).pathname, { headers });
}
