/** The JSON API of what a device's owner puts into DNS below its name (docs/name.md). */

import * as z from "zod";
import { ownTypes } from "../../protocol/dns/presentation.ts";
import { limits } from "../../protocol/limits.ts";
import { body, json, nothing } from "../described.ts";
import { scoped } from "../guard.ts";
import { type Ctx, noStore, service } from "../http.ts";
import { createRoute } from "../service.ts";
import { clientOf } from "../sign-in/client.ts";
import { type Asker, putNeighbor, putRecords, readRecords, setWildcard } from "./records.ts";

const base = "/api/devices/{id}/name";
const params = z.strictObject({ id: z.string() });
const owner = z
  .string()
  .max(limits.ownOwnerLength)
  .meta({ description: "Relative to the device's name; empty is the name itself" });
const values = z.array(z.string().max(limits.ownSetBytes * 2)).max(limits.ownRecordsPerSet);
const written = z.strictObject({ owner, type: z.string(), values });
const asked = z.strictObject({
  owner,
  type: z.enum(ownTypes),
  values: values.meta({
    description: 'As in zone files: `0 issue "ca.example"`, `1 . alpn=h2`; none: they go',
  }),
});
const neighbor = z.strictObject({
  owner: z.string().max(limits.ownOwnerLength),
  interface: z.string().max(39).nullable().meta({
    description: "An IPv6 address, of which the second half counts; null: it goes",
  }),
});

const askerOf = (c: Ctx, deviceId: string): Asker => ({
  ...{ accountId: c.var.accountId, deviceId, client: clientOf(c) },
});

export const nameRecords = service();

nameRecords.openapi(
  createRoute({
    method: "get",
    path: `${base}/records`,
    summary: "What DNS answers at the device's name and below it, and what its owner put there",
    middleware: [scoped("devices:read"), noStore] as const,
    request: { params },
    responses: {
      200: json(
        z.strictObject({
          wildcard: z.boolean(),
          records: z.array(written),
          neighbors: z.array(neighbor),
          answered: z.array(written),
        }),
        "`answered` is everything, addresses and what proves the name among it",
      ),
    },
  }),
  async (c) => {
    const view = await readRecords(c.env, c.var.accountId, c.req.valid("param").id);
    const set = ({ owner, type, values }: (typeof view.records)[number]) => ({
      ...{ owner, type, values: [...values] },
    });
    const answer = {
      wildcard: view.wildcard,
      records: view.records.map(set),
      neighbors: view.neighbors.map((one) => ({ owner: one.owner, interface: one.interfaceId })),
      answered: view.answered.map(set),
    };
    return c.json(answer, 200);
  },
);

nameRecords.openapi(
  createRoute({
    method: "put",
    path: `${base}/records`,
    summary: "Put records of one kind at or below the name, in place of those that are there",
    middleware: scoped("devices:write"),
    request: { params, body: body(asked) },
    responses: { 204: nothing },
  }),
  async (c) => {
    await putRecords(c.env, askerOf(c, c.req.valid("param").id), c.req.valid("json"));
    return c.body(null, 204);
  },
);

nameRecords.openapi(
  createRoute({
    method: "put",
    path: `${base}/wildcard`,
    summary: "Have every name below the device's answer as it does, or not",
    middleware: scoped("devices:write"),
    request: { params, body: body(z.strictObject({ on: z.boolean() })) },
    responses: { 204: nothing },
  }),
  async (c) => {
    await setWildcard(c.env, askerOf(c, c.req.valid("param").id), c.req.valid("json").on);
    return c.body(null, 204);
  },
);

nameRecords.openapi(
  createRoute({
    method: "put",
    path: `${base}/neighbors`,
    summary: "Name another machine of the home: its address begins as the device's does",
    middleware: scoped("devices:write"),
    request: { params, body: body(neighbor) },
    responses: { 204: nothing },
  }),
  async (c) => {
    const { owner, interface: id } = c.req.valid("json");
    await putNeighbor(c.env, askerOf(c, c.req.valid("param").id), owner, id);
    return c.body(null, 204);
  },
);
