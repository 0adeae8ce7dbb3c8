/** The JSON API of a device's names: what it is called, more names, another in place of one, none any more. */

import * as z from "zod";
import type { DeviceDescription } from "../../durable-objects/device/rpc.ts";
import { labelFrom } from "../../protocol/names.ts";
import { type Config, doorOrigin } from "../config.ts";
import { body, json } from "../described.ts";
import { scoped } from "../guard.ts";
import { noStore, service } from "../http.ts";
import { createRoute } from "../service.ts";
import { clientOf } from "../sign-in/client.ts";
import { addName, makePrimary, namesOf, releaseName, renameName } from "./labels.ts";

const deviceId = z.strictObject({ id: z.string() });
const oneName = z.strictObject({ id: z.string(), label: z.string() });
const label = z.string().max(100).meta({ description: "3 to 63 of a–z, 0–9 and -" });
const namesJson = z.strictObject({
  names: z.array(
    z.strictObject({
      label: z.string(),
      host: z.string(),
      link: z.string(),
      primary: z.boolean().meta({ description: "What the device is called by" }),
    }),
  ),
});
const now = { 200: json(namesJson, "The names as they are now, the primary first") };

export const names = service();
names.use("/api/devices/:id/names", noStore);
names.use("/api/devices/:id/names/*", noStore);

names.openapi(
  createRoute({
    method: "get",
    path: "/api/devices/{id}/names",
    summary: "The names of a device",
    middleware: scoped("devices:read"),
    request: { params: deviceId },
    responses: now,
  }),
  async (c) => {
    const list = await namesOf(c.env, c.var.accountId, c.req.valid("param").id);
    const labels = list.map((one) => one.label);
    return c.json(view(c.env.config, { labels }), 200);
  },
);

names.openapi(
  createRoute({
    method: "post",
    path: "/api/devices/{id}/names",
    summary: "One name more",
    middleware: scoped("devices:write"),
    request: { params: deviceId, body: body(z.strictObject({ label })) },
    responses: { 201: json(namesJson, "The names as they are now, the primary first") },
  }),
  async (c) => {
    const { id } = c.req.valid("param");
    const { label: typed } = c.req.valid("json");
    const device = await addName(c.env, c.var.accountId, id, typed, clientOf(c));
    return c.json(view(c.env.config, device), 201);
  },
);

names.openapi(
  createRoute({
    method: "patch",
    path: "/api/devices/{id}/names/{label}",
    summary: "Another name in its place, or make it what the device is called by",
    middleware: scoped("devices:write"),
    request: {
      params: oneName,
      body: body(
        z.union([z.strictObject({ label }), z.strictObject({ primary: z.literal(true) })]),
      ),
    },
    responses: now,
  }),
  async (c) => {
    const { id, label: typed } = c.req.valid("param");
    const from = labelFrom(typed);
    const asked = c.req.valid("json");
    const { accountId } = c.var;
    const device =
      "label" in asked
        ? await renameName(c.env, accountId, id, { from, to: asked.label }, clientOf(c))
        : await makePrimary(c.env, accountId, id, from, clientOf(c));
    return c.json(view(c.env.config, device), 200);
  },
);

names.openapi(
  createRoute({
    method: "delete",
    path: "/api/devices/{id}/names/{label}",
    summary: "Give a name up: it answers nothing any more, and is held for you alone for 180 days",
    middleware: scoped("devices:write"),
    request: { params: oneName },
    responses: now,
  }),
  async (c) => {
    const { id, label: typed } = c.req.valid("param");
    const device = await releaseName(c.env, c.var.accountId, id, labelFrom(typed), clientOf(c));
    return c.json(view(c.env.config, device), 200);
  },
);

function view(
  config: Config,
  { labels }: Pick<DeviceDescription, "labels">,
): z.infer<typeof namesJson> {
  return {
    names: labels.map((one, at) => ({
      label: one,
      host: `${one}.${config.ddnsZone}`,
      link: doorOrigin(config, one),
      primary: at === 0,
    })),
  };
}
