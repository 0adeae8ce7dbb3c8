/** The JSON API of operators: reports, doors that are closed and opened, objections (docs/takedown.md). */

import * as z from "zod";
import type { ReportCursor } from "../../db/queries/reports.ts";
import { closeExtents, closeReasons } from "../../durable-objects/device/rpc.ts";
import { limits } from "../../protocol/limits.ts";
import { reportKinds } from "../../protocol/reports.ts";
import { body, json, time } from "../described.ts";
import { iso, noStore, service } from "../http.ts";
import { Problem } from "../problem.ts";
import { createRoute } from "../service.ts";
import {
  closeDoor,
  type DoorView,
  dismissReport,
  getDoor,
  getReport,
  listObjections,
  listReports,
  type ObjectionView,
  openDoor,
  type ReportView,
  upholdClosure,
} from "./decisions.ts";
import { operator } from "./operator.ts";

const statement = z.string().trim().min(1).max(limits.statementLength);
const label = z.strictObject({ label: z.string() });
const reportId = z.strictObject({ id: z.string() });
const regionQuery = z.strictObject({ region: z.string().optional() });

const reportJson = z.strictObject({
  id: z.string(),
  door: z.string().nullable(),
  about: z.enum(reportKinds),
  words: z.string(),
  wants_answer: z.boolean(),
  outcome: z.enum(["closed", "dismissed"]).nullable(),
  created_at: time,
});
const objectionJson = z.strictObject({ door: z.string(), words: z.string(), created_at: time });
const doorJson = z.strictObject({
  door: z.string(),
  closed: z
    .strictObject({
      reason: z.enum(closeReasons),
      extent: z.enum(closeExtents),
      words: z.string(),
      at: time,
    })
    .nullable(),
  reports: z.array(reportJson),
  objection: objectionJson.nullable(),
});

const reportView = ({ wantsAnswer, createdAt, ...rest }: ReportView) => ({
  ...rest,
  wants_answer: wantsAnswer,
  created_at: iso(createdAt),
});
const objectionView = ({ createdAt, ...rest }: ObjectionView) => ({
  ...rest,
  created_at: iso(createdAt),
});
const doorView = ({ door, closed, reports, objection }: DoorView) => ({
  door,
  closed: closed === null ? null : { ...closed, at: iso(closed.at) },
  reports: reports.map(reportView),
  objection: objection === null ? null : objectionView(objection),
});

const oneDoor = { 200: json(doorJson, "The door as it is now") };
const oneReport = { 200: json(reportJson, "The report") };

export const operators = service();
operators.use("/api/operator/*", operator);
operators.use("/api/operator/*", noStore);

operators.openapi(
  createRoute({
    method: "get",
    path: "/api/operator/reports",
    summary: "Reports of a region that wait, the oldest first",
    request: {
      query: z.strictObject({ region: z.string().optional(), after: z.string().optional() }),
    },
    responses: {
      200: json(
        z.strictObject({ reports: z.array(reportJson), next: z.string().nullable() }),
        "A page of them; `next` asks for the one after it",
      ),
    },
  }),
  async (c) => {
    const { region = c.env.regions.default, after } = c.req.valid("query");
    const { reports, next } = await listReports(c.env, region, cursorIn(after));
    const on = next === null ? null : `${next.at}.${next.id}`;
    return c.json({ reports: reports.map(reportView), next: on }, 200);
  },
);

/** @throws Problem `bad-request` for what no page of ours ended with */
function cursorIn(text: string | undefined): ReportCursor | null {
  if (text === undefined) return null;
  const [, at, id] = /^(\d{1,15})\.(\w{1,40})$/.exec(text) ?? [];
  if (at === undefined || id === undefined) throw new Problem("bad-request", "after");
  return { at: Number(at), id };
}

operators.openapi(
  createRoute({
    method: "get",
    path: "/api/operator/reports/{id}",
    request: { params: reportId },
    responses: oneReport,
  }),
  async (c) => c.json(reportView(await getReport(c.env, c.req.valid("param").id)), 200),
);

operators.openapi(
  createRoute({
    method: "post",
    path: "/api/operator/reports/{id}/dismissal",
    summary: "Leave the door as it is; whoever left an address is told",
    request: {
      params: reportId,
      body: body(z.strictObject({ words: z.string().max(limits.statementLength).default("") })),
    },
    responses: oneReport,
  }),
  async (c) => {
    const { words } = c.req.valid("json");
    return c.json(reportView(await dismissReport(c.env, c.req.valid("param").id, words)), 200);
  },
);

operators.openapi(
  createRoute({
    method: "get",
    path: "/api/operator/doors/{label}",
    request: { params: label },
    responses: oneDoor,
  }),
  async (c) => c.json(doorView(await getDoor(c.env, c.req.valid("param").label)), 200),
);

operators.openapi(
  createRoute({
    method: "put",
    path: "/api/operator/doors/{label}/closure",
    summary: "Close a door; its owner is told the reasons, whoever reported it what came of it",
    request: {
      params: label,
      body: body(
        z.strictObject({
          reason: z.enum(closeReasons),
          extent: z.enum(closeExtents),
          words: statement.meta({ description: "The statement of reasons, for the owner" }),
        }),
      ),
    },
    responses: oneDoor,
  }),
  async (c) => {
    const door = await closeDoor(c.env, c.req.valid("param").label, c.req.valid("json"));
    return c.json(doorView(door), 200);
  },
);

operators.openapi(
  createRoute({
    method: "delete",
    path: "/api/operator/doors/{label}/closure",
    summary: "Open a door again as its owner set it",
    request: { params: label },
    responses: oneDoor,
  }),
  async (c) => c.json(doorView(await openDoor(c.env, c.req.valid("param").label)), 200),
);

operators.openapi(
  createRoute({
    method: "get",
    path: "/api/operator/objections",
    summary: "What owners of closed doors say, the oldest first",
    request: { query: regionQuery },
    responses: {
      200: json(z.strictObject({ objections: z.array(objectionJson) }), "Those that wait"),
    },
  }),
  async (c) => {
    const { region = c.env.regions.default } = c.req.valid("query");
    const objections = await listObjections(c.env, region);
    return c.json({ objections: objections.map(objectionView) }, 200);
  },
);

operators.openapi(
  createRoute({
    method: "post",
    path: "/api/operator/doors/{label}/objection/answer",
    summary: "The door stays closed; its owner is told why",
    request: { params: label, body: body(z.strictObject({ words: statement })) },
    responses: oneDoor,
  }),
  async (c) => {
    const { words } = c.req.valid("json");
    return c.json(doorView(await upholdClosure(c.env, c.req.valid("param").label, words)), 200);
  },
);
