/** The JSON API of an account's second steps and of the browsers it trusts. */

import * as z from "zod";
import { limits } from "../../protocol/limits.ts";
import { clearCookie, readCookie } from "../cookies.ts";
import { body, json, nothing, time } from "../described.ts";
import { confirmed, signedIn } from "../guard.ts";
import { type Ctx, iso, service } from "../http.ts";
import { Problem } from "../problem.ts";
import { createRoute } from "../service.ts";
import { clientOf } from "./client.ts";
import {
  renewRecoveryCodes,
  setUpSms,
  setUpTotp,
  stepSettings,
  switchOff,
  switchOnSms,
  switchOnTotp,
} from "./step-settings.ts";
import { listTrusted, revokeAllTrusted, revokeTrusted } from "./trust.ts";

const code = z.string().max(limits.passwordMaxLength);
const codeBody = z.strictObject({ code });
const phoneBody = z.strictObject({ phone: z.string() });
const phone = z.strictObject({ id: z.string(), number: z.string() });
const settings = z.strictObject({
  totp: z.boolean(),
  sms: phone.nullable(),
  phones: z.array(phone),
  recovery_codes_left: z.int(),
});
const setUp = z.strictObject({ secret: z.string(), uri: z.string() });
const codes = z.strictObject({ recovery_codes: z.array(z.string()).nullable() });
const trusted = z.strictObject({
  trusted_browsers: z.array(
    z.strictObject({
      id: z.string(),
      client: z.string(),
      network: z.string().nullable(),
      current: z.boolean(),
      created_at: time,
      seen_at: time,
      expires_at: time,
    }),
  ),
});
const kinds = z.strictObject({ kind: z.enum(["totp", "sms"]) });
const once = "The step is on; recovery codes, shown this once, where it is the first";

export const stepSettingRoutes = service();
const path = "/api/account/second-steps";

stepSettingRoutes.openapi(
  createRoute({
    method: "get",
    path,
    summary: "Your second steps",
    middleware: signedIn,
    responses: { 200: json(settings, "What is on, and what could be") },
  }),
  async (c) => {
    const { recoveryCodesLeft, phones, ...on } = await stepSettings(c.env, c.var.accountId);
    return c.json({ ...on, phones: [...phones], recovery_codes_left: recoveryCodesLeft }, 200);
  },
);

stepSettingRoutes.openapi(
  createRoute({
    method: "post",
    path: `${path}/totp/set-up`,
    summary: "Begin to switch codes from an app on",
    middleware: [signedIn, confirmed] as const,
    responses: { 200: json(setUp, "What the app takes; it counts once a code of it came back") },
  }),
  async (c) => c.json(await setUpTotp(c.env, c.var.accountId), 200),
);

stepSettingRoutes.openapi(
  createRoute({
    method: "post",
    path: `${path}/totp`,
    summary: "Switch codes from an app on",
    middleware: [signedIn, confirmed] as const,
    request: { body: body(codeBody) },
    responses: { 200: json(codes, once) },
  }),
  async (c) => {
    const { code } = c.req.valid("json");
    const made = await switchOnTotp(c.env, c.var.accountId, code, clientOf(c));
    return c.json({ recovery_codes: made }, 200);
  },
);

stepSettingRoutes.openapi(
  createRoute({
    method: "post",
    path: `${path}/sms/set-up`,
    summary: "Begin to switch codes by text message on",
    middleware: [signedIn, confirmed] as const,
    request: { body: body(phoneBody) },
    responses: { 204: nothing },
  }),
  async (c) => {
    await setUpSms(c.env, c.var.accountId, c.req.valid("json").phone, clientOf(c));
    return c.body(null, 204);
  },
);

stepSettingRoutes.openapi(
  createRoute({
    method: "post",
    path: `${path}/sms`,
    summary: "Switch codes by text message on",
    middleware: [signedIn, confirmed] as const,
    request: { body: body(codeBody) },
    responses: { 200: json(codes, once) },
  }),
  async (c) => {
    const { code } = c.req.valid("json");
    const made = await switchOnSms(c.env, c.var.accountId, code, clientOf(c));
    return c.json({ recovery_codes: made }, 200);
  },
);

stepSettingRoutes.openapi(
  createRoute({
    method: "delete",
    path: `${path}/{kind}`,
    summary: "Switch a second step off",
    middleware: [signedIn, confirmed] as const,
    request: { params: kinds },
    responses: { 204: nothing },
  }),
  async (c) => {
    const { kind } = c.req.valid("param");
    const done = await switchOff(c.env, c.var.accountId, kind, clientOf(c));
    if (!done) throw new Problem("not-found");
    return c.body(null, 204);
  },
);

stepSettingRoutes.openapi(
  createRoute({
    method: "post",
    path: "/api/account/recovery-codes",
    summary: "Make recovery codes anew",
    middleware: [signedIn, confirmed] as const,
    responses: { 200: json(codes, "Shown this once; the ones from before are gone") },
  }),
  async (c) => {
    const made = await renewRecoveryCodes(c.env, c.var.accountId, clientOf(c));
    return c.json({ recovery_codes: made }, 200);
  },
);

stepSettingRoutes.openapi(
  createRoute({
    method: "get",
    path: "/api/account/trusted-browsers",
    summary: "Browsers that are spared the second step",
    middleware: signedIn,
    responses: { 200: json(trusted, "The latest used first") },
  }),
  async (c) => {
    const own = readCookie(c, "__Host-trust");
    const list = await listTrusted(c.env, c.var.accountId, own);
    const trusted_browsers = list.map(({ createdAt, seenAt, expiresAt, ...rest }) => ({
      ...rest,
      created_at: iso(createdAt),
      seen_at: iso(seenAt),
      expires_at: iso(expiresAt),
    }));
    return c.json({ trusted_browsers }, 200);
  },
);

stepSettingRoutes.openapi(
  createRoute({
    method: "delete",
    path: "/api/account/trusted-browsers",
    summary: "Ask every browser for the second step again",
    middleware: signedIn,
    responses: { 204: nothing },
  }),
  async (c) => {
    await revokeAllTrusted(c.env, c.var.accountId, clientOf(c));
    forgetTrust(c);
    return c.body(null, 204);
  },
);

stepSettingRoutes.openapi(
  createRoute({
    method: "delete",
    path: "/api/account/trusted-browsers/{id}",
    summary: "Ask one browser for the second step again",
    middleware: signedIn,
    request: { params: z.strictObject({ id: z.string() }) },
    responses: { 204: nothing },
  }),
  async (c) => {
    const { id } = c.req.valid("param");
    if (!(await revokeTrusted(c.env, c.var.accountId, id, clientOf(c)))) {
      throw new Problem("not-found");
    }
    return c.body(null, 204);
  },
);

/** Takes the cookie away with which the browser that asks was trusted. */
function forgetTrust(c: Ctx): void {
  if (readCookie(c, "__Host-trust") !== null) clearCookie(c, "__Host-trust");
}
