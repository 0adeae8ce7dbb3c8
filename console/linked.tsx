/**
 * Routes of accounts elsewhere: the way there and back, opening an account with one, and the part of
 * the account center that lists them.
 *
 * Whoever comes back from a provider was sent by a page that is not ours, so a browser leaves our strict
 * cookies at home. The callback therefore answers with a page of our own that goes on by itself; only
 * that next request signs anybody in.
 */

import { limits } from "../protocol/limits.ts";
import { localPath } from "../protocol/local-path.ts";
import { readCookie } from "../workers/cookies.ts";
import { confirmed, signedIn } from "../workers/guard.ts";
import { type Ctx, service } from "../workers/http.ts";
import {
  arrived,
  comeBack,
  type Purpose,
  providerOf,
  setOut,
  useUp,
} from "../workers/linked/journey.ts";
import {
  confirmWith,
  holderOf,
  link,
  listLinked,
  signInLinked,
  unlink,
} from "../workers/linked/linked.ts";
import { findLinkedSignUp, signUpLinked, verifyLinkedSignUp } from "../workers/linked/sign-up.ts";
import { Problem } from "../workers/problem.ts";
import { ageOf } from "../workers/sign-in/age.ts";
import { clientOf } from "../workers/sign-in/client.ts";
import type { SignInOutcome } from "../workers/sign-in/complete.ts";
import { enter } from "./enter.ts";
import { type Refusal, readForm, refusalOf } from "./forms.ts";
import { page, seeOther } from "./page.ts";
import { LinkedPage, LinkedSignUpPage, LinkedVerifyPage, OnTheWayPage } from "./pages/linked.tsx";

const HOME = "/devices";
const LINKED = "/account/linked";

export const linked = service();

/**
 * Sets out to sign in. Only from a page of ours: a strange page could else send a browser there and
 * back into an account of its own choosing.
 */
linked.on(["GET", "POST"], "/sign-in/with/:provider", async (c) => {
  const { id } = providerOf(c.env, c.req.param("provider"));
  const typed = c.req.method === "POST" ? (await readForm(c))("return") : c.req.query("return");
  const returnTo = localPath(typed);
  if (c.var.accountId) return seeOther(c, returnTo ?? HOME);
  const site = c.req.header("sec-fetch-site") ?? "none";
  if (site !== "same-origin" && site !== "none") return seeOther(c, signInPath(returnTo));
  return await onTheWay(c, id, { kind: "sign-in" }, returnTo);
});

linked.get("/sign-in/with/:provider/callback", async (c) => {
  const provider = providerOf(c.env, c.req.param("provider"));
  await comeBack(c, provider.id);
  return goOn(c, {
    title: "One moment",
    href: `/sign-in/with/${provider.id}/done`,
    to: "Latchkey",
  });
});

linked.get("/sign-in/with/:provider/done", async (c) => {
  const arrival = await arrived(c, c.req.param("provider"));
  const { identity, purpose, provider, returnTo } = arrival;
  switch (purpose.kind) {
    case "sign-in": {
      if ((await holderOf(c.env, identity)) === null)
        return seeOther(c, `/sign-up/with/${provider}`);
      await useUp(c, arrival);
      const trustToken = readCookie(c, "__Host-trust");
      const outcome = await signInLinked(c.env, identity, trustToken, clientOf(c));
      if (outcome === null) throw new Problem("bad-credentials");
      return enter(c, outcome, returnTo ?? HOME);
    }
    case "sign-up": {
      await useUp(c, arrival);
      return enter(c, await verifyLinkedSignUp(c.env, purpose.token, identity, clientOf(c)), HOME);
    }
    case "link":
    case "confirm": {
      await useUp(c, arrival);
      // Another session, or none: whoever sits here now did not ask for it.
      if (c.var.sessionId !== purpose.sessionId) throw new Problem("not-signed-in");
      if (purpose.kind === "confirm") {
        await confirmWith(c.env, c.var, identity);
        return seeOther(c, returnTo ?? "/account");
      }
      await link(c.env, c.var.accountId, identity, clientOf(c));
      return seeOther(c, `${LINKED}?done=linked`);
    }
  }
});

linked.get("/sign-up/with/:provider", (c) => signUpPage(c, c.req.param("provider")));

linked.post("/sign-up/with/:provider", async (c) => {
  const form = await readForm(c);
  const arrival = await arrived(c, c.req.param("provider"));
  const typed = { address: form("address"), region: form("region"), age: form("age") };
  const region = typed.region === "" ? undefined : typed.region;
  const input = { address: typed.address, region, age: ageOf(typed.age) };
  let outcome: SignInOutcome | null = null;
  const refusal = await refusalOf(async () => {
    outcome = await signUpLinked(c.env, arrival.identity, input, clientOf(c));
  });
  if (refusal !== null) return await signUpPage(c, arrival.provider, typed, refusal);
  await useUp(c, arrival);
  return outcome === null
    ? seeOther(c, "/sign-up/sent")
    : enter(c, outcome, arrival.returnTo ?? HOME);
});

linked.get("/sign-up/with/:provider/verify", (c) => {
  const { title } = providerOf(c.env, c.req.param("provider"));
  return page(
    c,
    { title: "Confirm your address" },
    <LinkedVerifyPage
      provider={{ id: c.req.param("provider"), title }}
      token={c.req.query("token") ?? ""}
    />,
  );
});

linked.post("/sign-up/with/:provider/verify", async (c) => {
  const { id } = providerOf(c.env, c.req.param("provider"));
  const token = (await readForm(c))("token");
  if ((await findLinkedSignUp(c.env, id, token)) === null) throw new Problem("link-expired");
  return await onTheWay(c, id, { kind: "sign-up", token }, null);
});

linked.post("/confirm/with/:provider", signedIn, async (c) => {
  const { id } = providerOf(c.env, c.req.param("provider"));
  const returnTo = localPath((await readForm(c))("return"));
  return await onTheWay(c, id, { kind: "confirm", sessionId: c.var.sessionId }, returnTo);
});

linked.get(LINKED, signedIn, async (c) => {
  const own = await listLinked(c.env, c.var.accountId);
  return page(
    c,
    { title: "Linked accounts", at: "account" },
    <LinkedPage
      linked={own}
      providers={c.env.config.identityProviders}
      done={done[c.req.query("done") ?? ""] ?? null}
    />,
  );
});

const done: Readonly<Record<string, string>> = {
  linked: "It is linked. From now on it lets you in here.",
  unlinked: "It is unlinked. We have forgotten what it told us, and it lets nobody in anymore.",
};

linked.post(`${LINKED}/add`, signedIn, confirmed, async (c) => {
  const { id } = providerOf(c.env, (await readForm(c))("provider"));
  return await onTheWay(c, id, { kind: "link", sessionId: c.var.sessionId }, LINKED);
});

linked.post(`${LINKED}/remove`, signedIn, confirmed, async (c) => {
  const form = await readForm(c);
  await unlink(c.env, c.var, form("linked"), clientOf(c));
  return seeOther(c, `${LINKED}?done=unlinked`);
});

linked.on("GET", [`${LINKED}/add`, `${LINKED}/remove`], signedIn, (c) => seeOther(c, LINKED));

/**
 * Sends a browser to the provider, by a page of ours: a redirect after a form would need the provider's
 * every host in the policy that says where our forms may lead.
 */
async function onTheWay(
  c: Ctx,
  provider: string,
  purpose: Purpose,
  returnTo: string | null,
): Promise<Response> {
  const { title } = providerOf(c.env, provider);
  const href = await setOut(c, provider, { purpose, returnTo, client: clientOf(c) });
  return goOn(c, { title: `On to ${title}`, href, to: title });
}

/** A page that goes on by itself, and has a link for a browser that does not. */
function goOn(c: Ctx, way: { title: string; href: string; to: string }): Response {
  const response = page(c, { title: way.title }, <OnTheWayPage {...way} />);
  response.headers.set("refresh", `0; url=${way.href}`);
  return response;
}

async function signUpPage(
  c: Ctx,
  providerId: string,
  typed?: { address: string; region: string; age: string },
  refusal?: Refusal,
): Promise<Response> {
  const provider = providerOf(c.env, providerId);
  if (c.var.accountId) return seeOther(c, LINKED);
  const { identity } = await arrived(c, providerId);
  return page(
    c,
    { title: `Open an account with ${provider.title}`, refusal },
    <LinkedSignUpPage
      provider={provider}
      identity={identity}
      regions={c.env.config.regions}
      asksAge={c.env.config.minimumAge !== null}
      typed={typed}
      errors={refusal?.errors}
      minutes={limits.elsewhereMs / 60_000}
    />,
  );
}

function signInPath(returnTo: string | null): string {
  return returnTo === null ? "/sign-in" : `/sign-in?return=${encodeURIComponent(returnTo)}`;
}
