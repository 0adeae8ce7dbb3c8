/** The JSON API of reports for everybody: a report without an account, and an owner's objection. */

import * as z from "zod";
import { limits } from "../../protocol/limits.ts";
import { reportKinds } from "../../protocol/reports.ts";
import { body, json, time } from "../described.ts";
import { signedIn } from "../guard.ts";
import { iso, noStore, service } from "../http.ts";
import { createRoute } from "../service.ts";
import { clientOf } from "../sign-in/client.ts";
import { objectToClosure } from "./objections.ts";
import { ONCE_PATTERN, report } from "./reports.ts";

const reportBody = z.strictObject({
  door: z
    .string()
    .max(limits.doorPathLength)
    .meta({ description: "A device's name, or an address at its door: only the name is kept" }),
  about: z.enum(reportKinds),
  words: z.string().max(limits.reportLength * 2),
  address: z
    .string()
    .max(limits.addressLength * 2)
    .default("")
    .meta({ description: "A mail address for an answer; kept until then" }),
  once: z
    .string()
    .regex(ONCE_PATTERN)
    .nullable()
    .default(null)
    .meta({ description: "16 letters and digits of your own: sent twice, it is one report" }),
});

const objectionBody = z.strictObject({ words: z.string().max(limits.statementLength * 2) });

export const reports = service();
reports.use("/api/reports", noStore);

reports.openapi(
  createRoute({
    method: "post",
    path: "/api/reports",
    summary: "Report the page behind a door",
    request: { body: body(reportBody) },
    responses: { 201: json(z.strictObject({ reference: z.string() }), "Kept under a reference") },
  }),
  async (c) => {
    const reference = await report(c.env, c.req.valid("json"), clientOf(c));
    return c.json({ reference }, 201);
  },
);

reports.openapi(
  createRoute({
    method: "put",
    path: "/api/devices/{id}/door/objection",
    summary: "Object to a door that the operator closed; one waits at a time",
    middleware: signedIn,
    request: { params: z.strictObject({ id: z.string() }), body: body(objectionBody) },
    responses: {
      200: json(z.strictObject({ words: z.string(), created_at: time }), "What waits"),
    },
  }),
  async (c) => {
    const { id } = c.req.valid("param");
    const { words } = c.req.valid("json");
    const waits = await objectToClosure(c.env, c.var.accountId, id, words);
    return c.json({ words: waits.words, created_at: iso(waits.createdAt) }, 200);
  },
);
