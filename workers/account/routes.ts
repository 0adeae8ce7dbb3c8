/** The JSON API of accounts and sessions. Unknown fields are refused; secrets are answered once. */

import { createRoute, z } from "@hono/zod-openapi";
import { limits } from "../../protocol/limits.ts";
import { clearCookie } from "../cookies.ts";
import { body, iso, json, nothing, time } from "../described.ts";
import { keepSession, signedIn } from "../guard.ts";
import { type Ctx, service } from "../http.ts";
import { eraseAccount } from "../privacy/erase.ts";
import { Problem } from "../problem.ts";
import {
  checkPassword,
  clientOf,
  listSessions,
  type NewSession,
  profile,
  revokeSession,
  type SessionView,
  signIn,
  signUp,
  verifySignUp,
} from "./account.ts";

const secret = z.string().max(limits.passwordMaxLength * 4);
const address = z.string().max(limits.addressLength * 2);

const signUpBody = z.strictObject({ address, password: secret, region: z.string().optional() });
const verifyBody = z.strictObject({ token: z.string(), password: secret });
const signInBody = z.strictObject({ address, password: secret });
const eraseBody = z.strictObject({ password: secret });

const mailSent = z.strictObject({ mail: z.literal("sent") });
const newSession = z.strictObject({
  account_id: z.string(),
  session_id: z.string(),
  token: z.string(),
  expires_at: time,
});
const sessionList = z.strictObject({
  sessions: z.array(
    z.strictObject({
      id: z.string(),
      client: z.string(),
      network: z.string().nullable(),
      created_at: time,
      seen_at: time,
      expires_at: time,
      current: z.boolean(),
    }),
  ),
});
const account = z.strictObject({
  id: z.string(),
  region: z.string(),
  region_title: z.string(),
  address: z.string(),
  created_at: time,
});

/** Hands a new session to its owner: to a browser as a cookie, to a program in the body. */
function handOver(c: Ctx, session: NewSession) {
  keepSession(c, session.token);
  return {
    account_id: session.accountId,
    session_id: session.sessionId,
    token: session.token,
    expires_at: iso(session.expiresAt),
  };
}

const sessionJson = (view: SessionView, currentId: string) => ({
  id: view.id,
  client: view.client,
  network: view.network,
  created_at: iso(view.createdAt),
  seen_at: iso(view.seenAt),
  expires_at: iso(view.expiresAt),
  current: view.id === currentId,
});

export const accounts = service();
for (const path of ["/api/sign-up/*", "/api/sessions/*", "/api/account"]) {
  accounts.use(path, async (c, next) => {
    await next();
    c.header("cache-control", "no-store");
  });
}

accounts.openapi(
  createRoute({
    method: "post",
    path: "/api/sign-up",
    request: { body: body(signUpBody) },
    responses: { 202: json(mailSent, "A mail is on its way; the same for known addresses") },
  }),
  async (c) => {
    await signUp(c.env, c.req.valid("json"), clientOf(c));
    return c.json({ mail: "sent" } as const, 202);
  },
);

accounts.openapi(
  createRoute({
    method: "post",
    path: "/api/sign-up/verify",
    request: { body: body(verifyBody) },
    responses: { 201: json(newSession, "The account is open and its owner signed in") },
  }),
  async (c) => {
    const session = await verifySignUp(c.env, c.req.valid("json"), clientOf(c));
    return c.json(handOver(c, session), 201);
  },
);

accounts.openapi(
  createRoute({
    method: "post",
    path: "/api/sessions",
    request: { body: body(signInBody) },
    responses: { 201: json(newSession, "Signed in") },
  }),
  async (c) => c.json(handOver(c, await signIn(c.env, c.req.valid("json"), clientOf(c))), 201),
);

accounts.openapi(
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

accounts.openapi(
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

accounts.openapi(
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

accounts.openapi(
  createRoute({
    method: "get",
    path: "/api/account",
    middleware: signedIn,
    responses: { 200: json(account, "The account's own data") },
  }),
  async (c) => {
    const own = await profile(c.env, c.var.accountId);
    return c.json(
      {
        id: own.accountId,
        region: own.region,
        region_title: own.regionTitle,
        address: own.address,
        created_at: iso(own.createdAt),
      },
      200,
    );
  },
);

accounts.openapi(
  createRoute({
    method: "delete",
    path: "/api/account",
    middleware: signedIn,
    request: { body: body(eraseBody) },
    responses: { 204: nothing },
  }),
  async (c) => {
    const { password } = c.req.valid("json");
    if (!(await checkPassword(c.env, c.var.accountId, password))) {
      throw new Problem("bad-credentials", "password");
    }
    await eraseAccount(c.env, c.var.accountId);
    clearCookie(c, "__Host-sid");
    return c.body(null, 204);
  },
);
