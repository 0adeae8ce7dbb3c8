/** The JSON API of sign-up, sign-in and sessions. Unknown fields are refused; secrets are answered once. */

import * as z from "zod";
import { limits } from "../../protocol/limits.ts";
import { clearCookie, readCookie } from "../cookies.ts";
import { body, json, nothing, time } from "../described.ts";
import { signedIn } from "../guard.ts";
import { iso, noStore, service } from "../http.ts";
import { Problem } from "../problem.ts";
import { createRoute } from "../service.ts";
import { clientOf } from "./client.ts";
import { signInResponses } from "./described.ts";
import { answerOutcome } from "./hand-over.ts";
import { signInMethods } from "./requirements.ts";
import { messageSent, sentJson } from "./sent.ts";
import { listSessions, revokeSession, type SessionView } from "./sessions.ts";
import { signIn } from "./sign-in.ts";
import { signUp, verifySignUp } from "./sign-up.ts";

const secret = z.string().max(limits.passwordMaxLength * 4);
const address = z.string().max(limits.addressLength * 2);

const signUpBody = z.strictObject({
  address,
  password: secret,
  region: z.string().optional(),
  age: z
    .int()
    .optional()
    .meta({ description: "In whole years, where the operator set a minimum; kept nowhere" }),
});
const verifyBody = z.strictObject({
  token: z.string(),
  password: secret.optional(),
  code: z.string().max(limits.codeLength).optional(),
});
const signInBody = z.strictObject({ address, password: secret });

const sessionList = z.strictObject({
  sessions: z.array(
    z.strictObject({
      id: z.string(),
      client: z.string(),
      network: z.string().nullable(),
      methods: z.array(z.enum(signInMethods)),
      created_at: time,
      seen_at: time,
      expires_at: time,
      current: z.boolean(),
    }),
  ),
});

const sessionJson = (view: SessionView, currentId: string) => ({
  id: view.id,
  client: view.client,
  network: view.network,
  methods: [...view.methods],
  created_at: iso(view.createdAt),
  seen_at: iso(view.seenAt),
  expires_at: iso(view.expiresAt),
  current: view.id === currentId,
});

export const signIns = service();
signIns.use("/api/sign-up/*", noStore);
signIns.use("/api/sessions/*", noStore);

signIns.openapi(
  createRoute({
    method: "post",
    path: "/api/sign-up",
    request: { body: body(signUpBody) },
    responses: { 202: json(messageSent, "A message is on its way; the same for known addresses") },
  }),
  async (c) => {
    return c.json(sentJson(await signUp(c.env, c.req.valid("json"), clientOf(c))), 202);
  },
);

signIns.openapi(
  createRoute({
    method: "post",
    path: "/api/sign-up/verify",
    request: { body: body(verifyBody) },
    responses: signInResponses,
  }),
  async (c) => {
    return answerOutcome(c, await verifySignUp(c.env, c.req.valid("json"), clientOf(c)));
  },
);

signIns.openapi(
  createRoute({
    method: "post",
    path: "/api/sessions",
    request: { body: body(signInBody) },
    responses: signInResponses,
  }),
  async (c) => {
    const trustToken = readCookie(c, "__Host-trust");
    const input = { ...c.req.valid("json"), trustToken };
    return answerOutcome(c, await signIn(c.env, input, clientOf(c)));
  },
);

signIns.openapi(
  createRoute({
    method: "get",
    path: "/api/sessions",
    middleware: signedIn,
    responses: { 200: json(sessionList, "Where the account is signed in, the latest used first") },
  }),
  async (c) => {
    const sessions = await listSessions(c.env, c.var.accountId);
    return c.json({ sessions: sessions.map((view) => sessionJson(view, c.var.sessionId)) }, 200);
  },
);

signIns.openapi(
  createRoute({
    method: "delete",
    path: "/api/sessions/current",
    middleware: signedIn,
    responses: { 204: nothing },
  }),
  async (c) => {
    await revokeSession(c.env, c.var.accountId, c.var.sessionId);
    clearCookie(c, "__Host-sid");
    return c.body(null, 204);
  },
);

signIns.openapi(
  createRoute({
    method: "delete",
    path: "/api/sessions/{id}",
    middleware: signedIn,
    request: { params: z.strictObject({ id: z.string() }) },
    responses: { 204: nothing },
  }),
  async (c) => {
    const ended = await revokeSession(c.env, c.var.accountId, c.req.valid("param").id);
    if (!ended) throw new Problem("not-found");
    return c.body(null, 204);
  },
);
