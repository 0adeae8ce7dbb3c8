/**
 * The JSON API of privacy: the policy in machine-readable form, what is held about whoever asks, and
 * how late deletions are. The policy and the lag are public, for they say nothing about a person.
 */

import * as z from "zod";
import { json, time } from "../described.ts";
import { confirmed, scoped, signedIn } from "../guard.ts";
import { iso, service } from "../http.ts";
import { createRoute } from "../service.ts";
import { clientOf } from "../sign-in/client.ts";
import { type Archive, exportAccount } from "./export.ts";
import { holdings } from "./holdings.ts";
import { type Policy, policy } from "./policy.ts";
import { oldestOverdue } from "./sweep.ts";

const published = z.custom<Policy>().meta({ type: "object" });
const held = z.strictObject({
  holdings: z.array(
    z.strictObject({
      class: z.string(),
      title: z.string(),
      holds: z.string(),
      why: z.string(),
      seen_by: z.string(),
      deleted_by: z.string(),
      feature: z.string(),
      device_id: z.string().nullable(),
      count: z.int(),
      since: time.nullable(),
      until: time.nullable(),
    }),
  ),
});
const retention = z.strictObject({
  checked_at: time,
  lanes: z.array(
    z.strictObject({
      lane: z.string(),
      region: z.string().nullable(),
      overdue_ms: z.int(),
      ran_at: time.nullable(),
    }),
  ),
});

export const privacy = service();

privacy.openapi(
  createRoute({
    method: "get",
    path: "/api/policy",
    summary: "The privacy policy, as the data map declares it",
    responses: {
      200: json(published, "What is held, why, for how long, who sees it and what deletes it"),
    },
  }),
  (c) => c.json(policy(c.env.config.regions.map(({ id, title }) => ({ id, title }))), 200),
);

privacy.openapi(
  createRoute({
    method: "get",
    path: "/api/account/holdings",
    summary: "What is held about you now",
    middleware: scoped("account:read"),
    responses: { 200: json(held, "One entry for each class of which something is held") },
  }),
  async (c) => {
    const list = (await holdings(c.env, c.var.accountId)).map((holding) => ({
      class: holding.name,
      title: holding.title,
      holds: holding.holds,
      why: holding.why,
      seen_by: holding.seenBy,
      deleted_by: holding.deletedBy,
      feature: holding.feature,
      device_id: holding.deviceId,
      count: holding.count,
      since: iso(holding.since),
      until: iso(holding.until),
    }));
    return c.json({ holdings: list }, 200);
  },
);

/** The archive as a file to keep; no cache on its way keeps it too. */
export function archiveResponse({ name, bytes }: Archive): Response {
  const headers = {
    "content-type": "application/zip",
    "content-disposition": `attachment; filename="${name}"`,
    "cache-control": "no-store",
    "x-content-type-options": "nosniff",
  };
  return new Response(bytes, { headers });
}

privacy.openapi(
  createRoute({
    method: "post",
    path: "/api/account/export",
    summary: "Everything held about you, as an archive; made now and kept nowhere",
    middleware: [signedIn, confirmed] as const,
    responses: {
      200: {
        description: "A ZIP archive with export.json (docs/export.md) and index.html",
        content: {
          "application/zip": { schema: z.string().meta({ type: "string", format: "binary" }) },
        },
      },
    },
  }),
  async (c) => {
    return archiveResponse(await exportAccount(c.env, c.var.accountId, clientOf(c))) as never;
  },
);

privacy.openapi(
  createRoute({
    method: "get",
    path: "/api/operations/retention",
    summary: "How late deletions are, lane by lane",
    responses: {
      200: json(retention, "The age of the oldest item that should be gone; 0 when none is"),
    },
  }),
  async (c) => {
    const lanes = (await oldestOverdue(c.env)).map(({ lane, region, overdueMs, ranAt }) => ({
      lane,
      region,
      overdue_ms: overdueMs,
      ran_at: iso(ranAt),
    }));
    return c.json({ checked_at: iso(c.env.clock.now()), lanes }, 200);
  },
);
