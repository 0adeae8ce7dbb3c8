/**
 * The JSON API of an account's devices, and the two WebSockets: the device's own and its owner's
 * view. Unknown fields are refused.
 */

import * as z from "zod";
import { ownerOf } from "../../db/queries/devices.ts";
import type { AgentRefusal } from "../../durable-objects/device/agents.ts";
import {
  agentRefusalHeader,
  featureNames,
  peerHeader,
  type Way,
  wayHeader,
} from "../../durable-objects/device/rpc.ts";
import { agentSocketPath, agentSubprotocol } from "../../protocol/agent.ts";
import { claimedSubject } from "../../protocol/assertion.ts";
import { isId } from "../../protocol/ids.ts";
import { body, json, nothing } from "../described.ts";
import { confirmed, scoped, signedIn } from "../guard.ts";
import { type Ctx, service } from "../http.ts";
import { Problem, type ProblemCode } from "../problem.ts";
import { createRoute } from "../service.ts";
import { clientOf } from "../sign-in/client.ts";
import { getDevice, listDevices, ownDevice, setFeature } from "./devices.ts";
import { removeDevice } from "./owning.ts";
import { deviceJson, view } from "./view.ts";

const feature = z.enum(featureNames);
const deviceId = z.strictObject({ id: z.string() });
const oneDevice = { 200: json(deviceJson, "The device as it is now") };

export const devices = service();

devices.openapi(
  createRoute({
    method: "get",
    path: "/api/devices",
    middleware: scoped("devices:read"),
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
    middleware: scoped("devices:read"),
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
    summary: "Unregister a device: it cannot be undone, so you show first who you are",
    middleware: [signedIn, confirmed] as const,
    request: { params: deviceId },
    responses: { 204: nothing },
  }),
  async (c) => {
    await removeDevice(c.env, c.var.accountId, c.req.valid("param").id, clientOf(c));
    return c.body(null, 204);
  },
);

devices.openapi(
  createRoute({
    method: "put",
    path: "/api/devices/{id}/features/{feature}",
    middleware: scoped("devices:write"),
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

/** The owner's live view: a WebSocket that tells every change as a `DeviceDescription`. */
devices.get("/api/devices/:id/live", scoped("devices:read"), async (c) => {
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
  const response = await c.env.devices.get(id).fetch(upgradeFor(c, "agent"));
  const refused = response.headers.get(agentRefusalHeader) as AgentRefusal | null;
  if (refused !== null) throw new Problem(problemOfRefusal[refused]);
  return response;
});

const problemOfRefusal: Readonly<Record<AgentRefusal, ProblemCode>> = {
  malformed: "bad-request",
  "too-many": "agents-full",
  older: "agent-older",
};

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
