/**
 * The JSON API by which a device asks to be somebody's and its owner approves: the shapes of RFC 8628.
 * Unknown fields are refused; no answer with a code is kept by a cache.
 */

import * as z from "zod";
import { enrolmentErrors } from "../../protocol/agent.ts";
import { body, json, time } from "../described.ts";
import { signedIn } from "../guard.ts";
import { iso, service } from "../http.ts";
import { Problem } from "../problem.ts";
import { createRoute } from "../service.ts";
import { clientOf } from "../sign-in/client.ts";
import { lookupEnrolment, pollEnrolment, startEnrolment } from "./enrolments.ts";
import { addDevice } from "./owning.ts";
import { deviceJson, view } from "./view.ts";

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

export const enrolments = service();

enrolments.openapi(
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

enrolments.openapi(
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

enrolments.openapi(
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

enrolments.openapi(
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
    const device = await addDevice(c.env, c.var.accountId, { userCode, label }, clientOf(c));
    return c.json(view(c.env.config, device), 201);
  },
);
