/** Routes by which a person answers a program that has no browser, and by which an app signs them out. */

import { clearCookie } from "../workers/cookies.ts";
import { sessionToken, signedIn } from "../workers/guard.ts";
import { type Ctx, service } from "../workers/http.ts";
import { claimsOf } from "../workers/openid/claims.ts";
import {
  answerDeviceRequest,
  type DeviceRequest,
  findDeviceRequest,
} from "../workers/openid/device-grant.ts";
import { logoutRequest } from "../workers/openid/logout.ts";
import { formTarget } from "../workers/openid/redirects.ts";
import { Problem } from "../workers/problem.ts";
import { clientOf } from "../workers/sign-in/client.ts";
import { signOut } from "../workers/sign-in/sessions.ts";
import { type Refusal, readForm, refusalOf } from "./forms.ts";
import { page, seeOther } from "./page.ts";
import { AnsweredPage, DeviceCodePage, DeviceConsentPage } from "./pages/device-code.tsx";
import { LogoutPage, LogoutRefusedPage, SignedOutPage } from "./pages/logout.tsx";

const MINUTE_MS = 60_000;

export const deviceCodes = service();
deviceCodes.use("/device", signedIn);

deviceCodes.get("/device", async (c) => {
  if (c.req.query("done") !== undefined) {
    return page(
      c,
      { title: "Answered" },
      <AnsweredPage allowed={c.req.query("done") === "allowed"} />,
    );
  }
  const code = (c.req.query("user_code") ?? "").trim();
  return code === "" ? codePage(c, code) : await foundPage(c, code);
});

deviceCodes.post("/device", async (c) => {
  const form = await readForm(c);
  const [userCode, answer, name] = [form("user_code"), form("answer"), form("name")];
  if (answer !== "allow" && answer !== "deny") throw new Problem("bad-request", "answer");
  const allow = answer === "allow";
  const { accountId, sessionId, confirmedAt } = c.var;
  const session = { accountId, sessionId, confirmedAt };
  const refusal = await refusalOf(() =>
    answerDeviceRequest(c.env, session, { userCode, allow, name }, clientOf(c)),
  );
  if (refusal === null) return seeOther(c, `/device?done=${allow ? "allowed" : "denied"}`);
  if (refusal.errors.name === undefined) return codePage(c, userCode, refusal);
  return await foundPage(c, userCode, refusal, name);
});

/** What waits behind the code, to compare and to answer. */
async function foundPage(c: Ctx, code: string, refusal?: Refusal, name = ""): Promise<Response> {
  let found: DeviceRequest | null = null;
  const refused = await refusalOf(async () => {
    found = await findDeviceRequest(c.env, c.var.accountId, code);
    if (found === null) throw new Problem("code-expired", "user_code");
  });
  const request = found as DeviceRequest | null;
  if (request === null) return codePage(c, code, refused ?? undefined);
  const { client, scope, expiresAt } = request;
  const claims = await claimsOf(c.env, c.var.accountId, scope);
  if (claims === null) throw new Problem("not-signed-in");
  return page(
    c,
    { title: `Sign in to ${client.name}`, refusal },
    <DeviceConsentPage
      app={client.name}
      code={code}
      scopes={scope}
      claims={claims}
      minutesLeft={Math.max(1, Math.round((expiresAt - c.env.clock.now()) / MINUTE_MS))}
      name={name}
      errors={refusal?.errors}
    />,
  );
}

function codePage(c: Ctx, code: string, refusal?: Refusal): Response {
  return page(
    c,
    { title: "Sign in a device", refusal },
    <DeviceCodePage code={code} errors={refusal?.errors} />,
  );
}

export const logouts = service();

logouts.get("/oauth/logout", async (c) => {
  const query = new URL(c.req.url).searchParams;
  const request = await logoutRequest(c.env, query);
  if (request.kind === "page") {
    return page(
      c,
      { title: "This sign-out cannot go on", status: 400 },
      <LogoutRefusedPage reason={request.reason} />,
    );
  }
  const { client, to } = request;
  if (c.var.accountId === undefined) return to === null ? signedOutPage(c) : leave(c, to);
  return page(
    c,
    { title: "Sign out?", formTarget: to === null ? undefined : formTarget(to) },
    <LogoutPage app={client?.name ?? null} request={query.toString()} />,
  );
});

logouts.post("/oauth/logout/confirm", async (c) => {
  const form = await readForm(c);
  // Read again from the beginning: nothing that came with the form is taken on trust.
  const request = await logoutRequest(c.env, new URLSearchParams(form("request")));
  if (request.kind === "page") throw new Problem("bad-request", "request");
  const token = sessionToken(c);
  if (token !== null) await signOut(c.env, token);
  clearCookie(c, "__Host-sid");
  return request.to === null ? seeOther(c, "/oauth/logout") : leave(c, request.to);
});

logouts.get("/oauth/logout/confirm", (c) => seeOther(c, "/oauth/logout"));

const signedOutPage = (c: Ctx) => page(c, { title: "You are signed out" }, <SignedOutPage />);

function leave(c: Ctx, to: string): Response {
  c.header("cache-control", "no-store");
  c.header("referrer-policy", "no-referrer");
  return c.redirect(to, 303);
}
