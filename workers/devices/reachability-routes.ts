/** Asking whether a port is open: the owner's browser for its device, and the device for itself. */

import * as z from "zod";
import { ownerOf } from "../../db/queries/devices.ts";
import { claimedSubject, verifyAssertion } from "../../protocol/assertion.ts";
import { isId } from "../../protocol/ids.ts";
import { body, json } from "../described.ts";
import { scoped } from "../guard.ts";
import { noStore, service } from "../http.ts";
import { Problem } from "../problem.ts";
import { createRoute } from "../service.ts";
import { getDevice } from "./devices.ts";
import { checkPort, reachabilities } from "./reachability.ts";

const port = z.int().min(1).max(65535);
const result = z.strictObject({ result: z.enum(reachabilities) });

export const reachability = service();

reachability.openapi(
  createRoute({
    method: "post",
    path: "/api/devices/{id}/reachability",
    summary: "Try one port of the address that you and the device share",
    middleware: [scoped("devices:write"), noStore] as const,
    request: {
      params: z.strictObject({ id: z.string() }),
      body: body(z.strictObject({ port })),
    },
    responses: { 200: json(result, "Nothing of it is kept") },
  }),
  async (c) => {
    const device = await getDevice(c.env, c.var.accountId, c.req.valid("param").id);
    const { port } = c.req.valid("json");
    return c.json({ result: await checkPort(c.env, device, port, false) }, 200);
  },
);

reachability.openapi(
  createRoute({
    method: "post",
    path: "/api/agent/reachability",
    summary: "Try one port of the address that the device itself asks from",
    middleware: noStore,
    request: {
      body: body(
        z.strictObject({ client_assertion: z.string().max(2048), port, listens: z.boolean() }),
      ),
    },
    responses: { 200: json(result, "Nothing of it is kept") },
  }),
  async (c) => {
    const { client_assertion: assertion, port, listens } = c.req.valid("json");
    const id = claimedSubject(assertion);
    if (!isId("dev", id)) throw new Problem("not-signed-in");
    const db = c.env.regions.db(id);
    if (db === null || (await ownerOf(db, id)) === null) throw new Problem("device-gone");
    const device = await c.env.devices.get(id).describe();
    if (device === null) throw new Problem("device-gone");
    const { origin } = c.env.config;
    const proof = await verifyAssertion(device.publicKey, assertion, origin, c.env.clock.now());
    if (proof?.deviceId !== id) throw new Problem("not-signed-in");
    return c.json({ result: await checkPort(c.env, device, port, listens) }, 200);
  },
);
