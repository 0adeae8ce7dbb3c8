/** The JSON API of passkeys: keeping them, and signing in with one. Unknown fields are refused. */

import * as z from "zod";
import { limits } from "../../protocol/limits.ts";
import { readCookie } from "../cookies.ts";
import { body, json, nothing, time } from "../described.ts";
import { confirmed, signedIn } from "../guard.ts";
import { iso, noStore, service } from "../http.ts";
import { createRoute } from "../service.ts";
import type { RequestOptions } from "./ceremonies.ts";
import { clientOf } from "./client.ts";
import { signInResponses } from "./described.ts";
import { answerOutcome } from "./hand-over.ts";
import { passkeySignInOptions, signInWithPasskey } from "./passkey-sign-in.ts";
import {
  confirmWithPasskey,
  passkeyConfirmOptions,
  passkeyStepOptions,
  takePasskeyStep,
} from "./passkey-steps.ts";
import {
  addPasskey,
  type CreationOptions,
  creationOptions,
  listPasskeys,
  namePasskey,
  type PasskeyView,
  removePasskey,
} from "./passkeys.ts";
import { assertionResponse, registrationResponse } from "./webauthn.ts";

const name = z.string().max(limits.passkeyNameLength * 2);
const one = z.strictObject({ id: z.string() });
const addBody = z.strictObject({ response: registrationResponse, name: name.optional() });
const signInBody = z.strictObject({ response: assertionResponse });
const token = z.string().optional();
const stepBody = z.strictObject({
  token,
  response: assertionResponse,
  trust: z.boolean().optional(),
});
const creation = z.custom<CreationOptions>().meta({ type: "object" });
const request = z.custom<RequestOptions>().meta({ type: "object" });
const passkeyJson = z.strictObject({
  id: z.string(),
  name: z.string(),
  backed_up: z.boolean(),
  created_at: time,
  used_day: z.iso.date().nullable(),
});

const view = ({ id, name, backedUp, createdAt, usedDay }: PasskeyView) => ({
  id,
  name,
  backed_up: backedUp,
  created_at: iso(createdAt),
  used_day: usedDay === null ? null : iso(usedDay).slice(0, "2026-01-01".length),
});

export const passkeys = service();
passkeys.use("/api/passkeys", noStore);
passkeys.use("/api/passkeys/*", noStore);
passkeys.use("/api/sign-in/passkey/*", noStore);

passkeys.openapi(
  createRoute({
    method: "post",
    path: "/api/sign-in/passkey/options",
    responses: { 200: json(request, "PublicKeyCredentialRequestOptionsJSON, alike for everybody") },
  }),
  async (c) => c.json(await passkeySignInOptions(c.env, clientOf(c)), 200),
);

passkeys.openapi(
  createRoute({
    method: "post",
    path: "/api/sign-in/passkey",
    request: { body: body(signInBody) },
    responses: signInResponses,
  }),
  async (c) => {
    const trustToken = readCookie(c, "__Host-trust");
    const input = { ...c.req.valid("json"), trustToken };
    return answerOutcome(c, await signInWithPasskey(c.env, input, clientOf(c)));
  },
);

passkeys.openapi(
  createRoute({
    method: "post",
    path: "/api/sign-in/second-step/passkey/options",
    summary: "What to ask an authenticator for the second step",
    request: { body: { ...body(z.strictObject({ token })), required: false } },
    responses: { 200: json(request, "PublicKeyCredentialRequestOptionsJSON") },
  }),
  async (c) => {
    const own = c.req.valid("json")?.token ?? readCookie(c, "__Host-step");
    return c.json(await passkeyStepOptions(c.env, own, clientOf(c)), 200);
  },
);

passkeys.openapi(
  createRoute({
    method: "post",
    path: "/api/sign-in/second-step/passkey",
    summary: "A passkey as the second step of a sign-in",
    request: { body: body(stepBody) },
    responses: signInResponses,
  }),
  async (c) => {
    const { token: given, response, trust } = c.req.valid("json");
    const own = given ?? readCookie(c, "__Host-step");
    const options = { trust, trustToken: readCookie(c, "__Host-trust") };
    return answerOutcome(c, await takePasskeyStep(c.env, own, response, clientOf(c), options));
  },
);

passkeys.openapi(
  createRoute({
    method: "post",
    path: "/api/sessions/current/confirm/passkey/options",
    summary: "What to ask an authenticator to show again who you are",
    middleware: signedIn,
    responses: { 200: json(request, "PublicKeyCredentialRequestOptionsJSON") },
  }),
  async (c) => c.json(await passkeyConfirmOptions(c.env, c.var, clientOf(c)), 200),
);

passkeys.openapi(
  createRoute({
    method: "post",
    path: "/api/sessions/current/confirm/passkey",
    summary: "Show again who you are, with a passkey",
    middleware: signedIn,
    request: { body: body(signInBody) },
    responses: { 204: nothing },
  }),
  async (c) => {
    await confirmWithPasskey(c.env, c.var, c.req.valid("json").response, clientOf(c));
    return c.body(null, 204);
  },
);

passkeys.openapi(
  createRoute({
    method: "get",
    path: "/api/passkeys",
    middleware: signedIn,
    responses: { 200: json(z.strictObject({ passkeys: z.array(passkeyJson) }), "Oldest first") },
  }),
  async (c) => c.json({ passkeys: (await listPasskeys(c.env, c.var.accountId)).map(view) }, 200),
);

passkeys.openapi(
  createRoute({
    method: "post",
    path: "/api/passkeys/options",
    middleware: [signedIn, confirmed] as const,
    responses: { 200: json(creation, "PublicKeyCredentialCreationOptionsJSON") },
  }),
  async (c) => c.json(await creationOptions(c.env, c.var.accountId), 200),
);

passkeys.openapi(
  createRoute({
    method: "post",
    path: "/api/passkeys",
    middleware: [signedIn, confirmed] as const,
    request: { body: body(addBody) },
    responses: { 201: json(passkeyJson, "Added") },
  }),
  async (c) => {
    const { response, name } = c.req.valid("json");
    const input = name === undefined ? { response } : { response, name };
    return c.json(view(await addPasskey(c.env, c.var.accountId, input, clientOf(c))), 201);
  },
);

passkeys.openapi(
  createRoute({
    method: "patch",
    path: "/api/passkeys/{id}",
    middleware: signedIn,
    request: { params: one, body: body(z.strictObject({ name })) },
    responses: { 204: nothing },
  }),
  async (c) => {
    const { id } = c.req.valid("param");
    await namePasskey(c.env, c.var.accountId, id, c.req.valid("json").name);
    return c.body(null, 204);
  },
);

passkeys.openapi(
  createRoute({
    method: "delete",
    path: "/api/passkeys/{id}",
    middleware: [signedIn, confirmed] as const,
    request: { params: one },
    responses: { 204: nothing },
  }),
  async (c) => {
    await removePasskey(c.env, c.var, c.req.valid("param").id, clientOf(c));
    return c.body(null, 204);
  },
);
