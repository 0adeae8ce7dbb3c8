/** The JSON API of second steps at sign-in, and of showing again who one is. */

import * as z from "zod";
import { limits } from "../../protocol/limits.ts";
import { readCookie } from "../cookies.ts";
import { body, json, nothing } from "../described.ts";
import { signedIn } from "../guard.ts";
import { noStore, service } from "../http.ts";
import { createRoute } from "../service.ts";
import { clientOf } from "./client.ts";
import { confirm, confirmWays, confirmWaysOf, sendConfirmCode } from "./confirm.ts";
import { signInResponses } from "./described.ts";
import { answerOutcome } from "./hand-over.ts";
import { sendSignInCode, takeTypedStep } from "./second-step.ts";
import { codeKinds } from "./step-proofs.ts";

const secret = z.string().max(limits.passwordMaxLength * 4);
const token = z.string().optional();
const stepBody = z.strictObject({
  token,
  kind: z.enum(codeKinds),
  code: secret,
  trust: z.boolean().optional(),
});
const smsBody = z.strictObject({ token });
const confirmBody = z.strictObject({
  way: z.enum(confirmWays).exclude(["passkey"]),
  secret,
});
const sendBody = z.strictObject({ way: z.enum(["sms", "contact"]) });
const ways = z.strictObject({ ways: z.array(z.enum(confirmWays)) });

export const steps = service();
steps.use("/api/sign-in/*", noStore);

steps.openapi(
  createRoute({
    method: "post",
    path: "/api/sign-in/second-step",
    summary: "The second step of a sign-in",
    request: { body: body(stepBody) },
    responses: signInResponses,
  }),
  async (c) => {
    const { token = readCookie(c, "__Host-step"), kind, code, trust } = c.req.valid("json");
    const options = { trust, trustToken: readCookie(c, "__Host-trust") };
    const outcome = await takeTypedStep(c.env, token, { kind, code }, clientOf(c), options);
    return answerOutcome(c, outcome);
  },
);

steps.openapi(
  createRoute({
    method: "post",
    path: "/api/sign-in/second-step/sms",
    summary: "Send the code of a sign-in to the phone that is the second step",
    request: { body: body(smsBody) },
    responses: { 204: nothing },
  }),
  async (c) => {
    const { token = readCookie(c, "__Host-step") } = c.req.valid("json");
    await sendSignInCode(c.env, token, clientOf(c));
    return c.body(null, 204);
  },
);

steps.openapi(
  createRoute({
    method: "get",
    path: "/api/sessions/current/confirm",
    summary: "How you can show again who you are",
    middleware: signedIn,
    responses: { 200: json(ways, "The usual way first") },
  }),
  async (c) => c.json({ ways: await confirmWaysOf(c.env, c.var.accountId) }, 200),
);

steps.openapi(
  createRoute({
    method: "post",
    path: "/api/sessions/current/confirm",
    summary: "Show again who you are, for what asks it",
    middleware: signedIn,
    request: { body: body(confirmBody) },
    responses: { 204: nothing },
  }),
  async (c) => {
    await confirm(c.env, c.var, c.req.valid("json"), clientOf(c));
    return c.body(null, 204);
  },
);

steps.openapi(
  createRoute({
    method: "post",
    path: "/api/sessions/current/confirm/code",
    summary: "Send the code to confirm with",
    middleware: signedIn,
    request: { body: body(sendBody) },
    responses: { 204: nothing },
  }),
  async (c) => {
    await sendConfirmCode(c.env, c.var, c.req.valid("json").way, clientOf(c));
    return c.body(null, 204);
  },
);
