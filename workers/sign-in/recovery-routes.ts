/**
 * The JSON API of getting back in: a forgotten password, a lost second step; and of the password of who
 * is signed in. Unknown fields are refused.
 */

import * as z from "zod";
import { limits } from "../../protocol/limits.ts";
import { readCookie } from "../cookies.ts";
import { body, json, nothing, time } from "../described.ts";
import { confirmed, signedIn } from "../guard.ts";
import { type Ctx, iso, noStore, service } from "../http.ts";
import { Problem } from "../problem.ts";
import { createRoute } from "../service.ts";
import { changePassword, removePassword } from "./change-password.ts";
import { clientOf } from "./client.ts";
import { signInResponses } from "./described.ts";
import { askReset, resetPassword } from "./forgot.ts";
import { answerOutcome } from "./hand-over.ts";
import {
  askWithoutStep,
  finishWithoutStep,
  type LostStep,
  ownRecovery,
  stopByLink,
  stopOwn,
} from "./lost-step.ts";
import { messageSent, sentJson } from "./sent.ts";

const secret = z.string().max(limits.passwordMaxLength * 4);
const code = z.string().max(limits.codeLength);
const stepToken = z
  .string()
  .optional()
  .meta({ description: "Of the sign-in under way; a browser sends it as its cookie" });

const forgotBody = z.strictObject({ address: z.string().max(limits.addressLength * 2) });
const resetBody = z.strictObject({ token: z.string(), code: code.optional(), password: secret });
const passwordBody = z.strictObject({ password: secret, old_password: secret.optional() });
const lostBody = z.strictObject({ step_token: stepToken });
const finishBody = z.strictObject({
  step_token: stepToken,
  token: z.string(),
  code: code.optional(),
});
const stopBody = z.strictObject({ token: z.string() });
const lostStep = z.strictObject({
  /** `waiting`, or `sent`: what finishes it is on its way. */
  status: z.enum(["waiting", "sent"]),
  opens_at: time,
  expires_at: time,
  token: z.string().nullable(),
});

const stepOf = (c: Ctx, given: string | undefined) => given ?? readCookie(c, "__Host-step");

const lostJson = (lost: LostStep) => ({
  status: lost.kind,
  opens_at: iso(lost.opensAt),
  expires_at: iso(lost.expiresAt),
  token: lost.kind === "sent" ? lost.token : null,
});

export const recoveries = service();
recoveries.use("/api/password/*", noStore);
recoveries.use("/api/recovery", noStore);
recoveries.use("/api/recovery/*", noStore);

recoveries.openapi(
  createRoute({
    method: "post",
    path: "/api/password/forgot",
    request: { body: body(forgotBody) },
    responses: { 202: json(messageSent, "If the address has an account, a message is on its way") },
  }),
  async (c) => {
    const { address } = c.req.valid("json");
    return c.json(sentJson(await askReset(c.env, address, clientOf(c))), 202);
  },
);

recoveries.openapi(
  createRoute({
    method: "post",
    path: "/api/password/reset",
    request: { body: body(resetBody) },
    responses: signInResponses,
  }),
  async (c) => answerOutcome(c, await resetPassword(c.env, c.req.valid("json"), clientOf(c))),
);

recoveries.openapi(
  createRoute({
    method: "put",
    path: "/api/account/password",
    middleware: signedIn,
    request: { body: body(passwordBody) },
    responses: { 204: nothing },
  }),
  async (c) => {
    const { password, old_password: oldPassword } = c.req.valid("json");
    await changePassword(c.env, c.var, { password, oldPassword }, clientOf(c));
    return c.body(null, 204);
  },
);

recoveries.openapi(
  createRoute({
    method: "delete",
    path: "/api/account/password",
    middleware: [signedIn, confirmed] as const,
    responses: { 204: nothing },
  }),
  async (c) => {
    await removePassword(c.env, c.var, clientOf(c));
    return c.body(null, 204);
  },
);

recoveries.openapi(
  createRoute({
    method: "post",
    path: "/api/recovery",
    request: { body: body(lostBody) },
    responses: {
      202: json(lostStep, "The wait began or goes on, or what finishes it is on its way"),
    },
  }),
  async (c) => {
    const token = stepOf(c, c.req.valid("json").step_token);
    return c.json(lostJson(await askWithoutStep(c.env, token, clientOf(c))), 202);
  },
);

recoveries.openapi(
  createRoute({
    method: "post",
    path: "/api/recovery/finish",
    request: { body: body(finishBody) },
    responses: signInResponses,
  }),
  async (c) => {
    const { step_token, ...rest } = c.req.valid("json");
    const finish = { ...rest, stepToken: stepOf(c, step_token) };
    return answerOutcome(c, await finishWithoutStep(c.env, finish, clientOf(c)));
  },
);

recoveries.openapi(
  createRoute({
    method: "post",
    path: "/api/recovery/stop",
    request: { body: body(stopBody) },
    responses: { 204: nothing },
  }),
  async (c) => {
    await stopByLink(c.env, c.req.valid("json").token, clientOf(c));
    return c.body(null, 204);
  },
);

recoveries.openapi(
  createRoute({
    method: "get",
    path: "/api/account/recovery",
    middleware: signedIn,
    responses: {
      200: json(
        z.strictObject({
          recovery: z.strictObject({ opens_at: time, expires_at: time }).nullable(),
        }),
        "Whether somebody waits to get in without the second step",
      ),
    },
  }),
  async (c) => {
    const running = await ownRecovery(c.env, c.var.accountId);
    const recovery = running && {
      opens_at: iso(running.opensAt),
      expires_at: iso(running.expiresAt),
    };
    return c.json({ recovery }, 200);
  },
);

recoveries.openapi(
  createRoute({
    method: "delete",
    path: "/api/account/recovery",
    middleware: signedIn,
    responses: { 204: nothing },
  }),
  async (c) => {
    if (!(await stopOwn(c.env, c.var.accountId, clientOf(c)))) throw new Problem("not-found");
    return c.body(null, 204);
  },
);
