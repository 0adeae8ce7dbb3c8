/** Asking whether a port is open: the owner's browser for its device, and the device for itself. */

import * as z from "zod";
import { body, json } from "../described.ts";
import { scoped } from "../guard.ts";
import { noStore, service } from "../http.ts";
import { Problem } from "../problem.ts";
import { createRoute } from "../service.ts";
import { getDevice } from "./devices.ts";
import { provedDevice } from "./proved.ts";
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
    const { object } = await provedDevice(c.env, assertion);
    const device = await object.describe();
    if (device === null) throw new Problem("device-gone");
    return c.json({ result: await checkPort(c.env, device, port, listens) }, 200);
  },
);
