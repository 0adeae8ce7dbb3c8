/** Pages of signing in elsewhere with Latchkey: consent, what was allowed, and requests that lead nowhere. */

import { startOfDay } from "../db/queries/accounts.ts";
import { profile } from "../workers/account/account.ts";
import { clearCookie } from "../workers/cookies.ts";
import { sessionToken, signedIn } from "../workers/guard.ts";
import { type Ctx, type Signed, service } from "../workers/http.ts";
import { type Answer, authorize, type Step } from "../workers/openid/authorize.ts";
import { claimsOf } from "../workers/openid/claims.ts";
import { endGrant, listGrants } from "../workers/openid/grants.ts";
import { formTarget } from "../workers/openid/redirects.ts";
import { Problem } from "../workers/problem.ts";
import { clientOf } from "../workers/sign-in/client.ts";
import { signOut } from "../workers/sign-in/sessions.ts";
import { readForm } from "./forms.ts";
import { page, seeOther } from "./page.ts";
import { AppsPage } from "./pages/apps.tsx";
import { BadRequestPage, ConsentPage } from "./pages/consent.tsx";

/** Needs no session: who is not signed in is led to sign in. */
export const authorizing = service();

authorizing.get("/oauth/authorize", (c) => go(c, new URL(c.req.url).searchParams, null));

authorizing.post("/oauth/consent", async (c) => {
  const form = await readForm(c);
  const [request, answer] = [form("request"), form("answer")];
  if (answer === "switch") return await switchAccount(c, request);
  if (answer !== "allow" && answer !== "deny") throw new Problem("bad-request", "answer");
  return await go(c, new URLSearchParams(request), answer);
});

authorizing.get("/oauth/consent", (c) => seeOther(c, "/account/apps"));

/** Takes the one next step of a request. */
async function go(c: Ctx, query: URLSearchParams, answer: Answer): Promise<Response> {
  const { accountId, sessionId, confirmedAt } = c.var as Partial<Signed>;
  const session =
    accountId === undefined || sessionId === undefined || confirmedAt === undefined
      ? null
      : { accountId, sessionId, confirmedAt };
  const step = await authorize(c.env, query, session, clientOf(c), answer);
  return await show(c, query, step, session?.accountId);
}

async function show(
  c: Ctx,
  query: URLSearchParams,
  step: Step,
  accountId: string | undefined,
): Promise<Response> {
  switch (step.kind) {
    case "page":
      return page(
        c,
        { title: "This sign-in cannot go on", status: 400 },
        <BadRequestPage reason={step.reason} />,
      );
    case "redirect":
      c.header("cache-control", "no-store");
      c.header("referrer-policy", "no-referrer");
      return c.redirect(step.to, 303);
    case "sign-in":
      return seeOther(c, `/sign-in?return=${encodeURIComponent(step.path)}`);
    case "confirm":
      return seeOther(c, `/confirm?return=${encodeURIComponent(step.path)}`);
    case "consent":
      if (accountId === undefined) throw new Problem("not-signed-in");
      return await consentPage(c, query, step, accountId);
  }
}

async function consentPage(
  c: Ctx,
  query: URLSearchParams,
  { client, request }: Extract<Step, { kind: "consent" }>,
  accountId: string,
): Promise<Response> {
  const [own, claims] = await Promise.all([
    profile(c.env, accountId),
    claimsOf(c.env, accountId, request.scope),
  ]);
  if (claims === null) throw new Problem("not-signed-in");
  const target = formTarget(request.redirectUri);
  return page(
    c,
    { title: `Sign in to ${client.name}`, formTarget: target },
    <ConsentPage
      app={client.name}
      device={client.kind === "device"}
      as={own.address}
      scopes={request.scope}
      claims={claims}
      goesTo={target.replace(/^https?:\/\//, "")}
      request={query.toString()}
    />,
  );
}

/** Signs out here and asks somebody else; where it leads is checked again afterwards. */
async function switchAccount(c: Ctx, request: string): Promise<Response> {
  const token = sessionToken(c);
  if (token !== null) await signOut(c.env, token);
  clearCookie(c, "__Host-sid");
  const path = `/oauth/authorize?${new URLSearchParams(request)}`;
  return seeOther(c, `/sign-in?return=${encodeURIComponent(path)}`);
}

/** The account center's part on apps. */
export const apps = service();
apps.use("/account/apps", signedIn);
apps.use("/account/apps/*", signedIn);

apps.get("/account/apps", async (c) =>
  page(
    c,
    { title: "Apps", at: "account" },
    <AppsPage
      grants={await listGrants(c.env, c.var.accountId)}
      today={startOfDay(c.env.clock.now())}
      done={c.req.query("done") === "ended" ? "That app is out. It must ask you again." : null}
    />,
  ),
);

apps.post("/account/apps/end", async (c) => {
  const form = await readForm(c);
  const ended = await endGrant(c.env, c.var.accountId, form("grant"), clientOf(c));
  if (!ended) throw new Problem("not-found");
  return seeOther(c, "/account/apps?done=ended");
});

apps.get("/account/apps/end", (c) => seeOther(c, "/account/apps"));
