/** The JSON API of operators for the DDNS zone: its keys, and putting another in place (docs/name.md). */

import * as z from "zod";
import { json, time } from "../described.ts";
import { iso, noStore, service } from "../http.ts";
import { operator } from "../reports/operator.ts";
import { createRoute } from "../service.ts";
import { beginRollover, endRollover, type ZoneView, zoneView } from "./keys.ts";

const zoneJson = z.strictObject({
  zone: z.string(),
  keys: z.array(
    z.strictObject({
      tag: z.number(),
      ds: z.string(),
      in_use: z.boolean(),
      created_at: time,
      signs_at: time,
    }),
  ),
  may_end_at: time.nullable(),
});

const view = ({ apex, keys, mayEndAt }: ZoneView) => ({
  zone: apex,
  keys: keys.map(({ tag, ds, inUse, createdAt, signsAt }) => ({
    ...{ tag, ds, in_use: inUse },
    created_at: iso(createdAt),
    signs_at: iso(signsAt),
  })),
  may_end_at: mayEndAt === null ? null : iso(mayEndAt),
});

const responses = { 200: json(zoneJson, "The zone's keys, the oldest first") };

export const zoneOperators = service();
zoneOperators.use("/api/operator/zone", operator, noStore);
zoneOperators.use("/api/operator/zone/*", operator, noStore);

zoneOperators.openapi(
  createRoute({ method: "get", path: "/api/operator/zone", responses }),
  async (c) => c.json(view(await zoneView(c.env)), 200),
);

zoneOperators.openapi(
  createRoute({
    method: "post",
    path: "/api/operator/zone/rollover",
    summary: "Make another key, which signs once resolvers know it",
    responses,
  }),
  async (c) => c.json(view(await beginRollover(c.env)), 200),
);

zoneOperators.openapi(
  createRoute({
    method: "post",
    path: "/api/operator/zone/rollover/end",
    summary: "Forget the old key, once the parent shows the new one's DS",
    responses,
  }),
  async (c) => c.json(view(await endRollover(c.env)), 200),
);
