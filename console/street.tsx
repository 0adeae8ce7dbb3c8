/** Routes of the street: front page, sign-up, its mail, sign-in, sign-out, the policy. */

import { limits } from "../protocol/limits.ts";
import { localPath } from "../protocol/local-path.ts";
import { clearCookie, readCookie } from "../workers/cookies.ts";
import { sessionToken } from "../workers/guard.ts";
import { type Ctx, service } from "../workers/http.ts";
import { policy } from "../workers/privacy/policy.ts";
import { ageOf } from "../workers/sign-in/age.ts";
import { clientOf } from "../workers/sign-in/client.ts";
import type { SignInOutcome } from "../workers/sign-in/complete.ts";
import { signInWithPasskey } from "../workers/sign-in/passkey-sign-in.ts";
import { sendsSms } from "../workers/sign-in/send.ts";
import { signOut } from "../workers/sign-in/sessions.ts";
import { signIn } from "../workers/sign-in/sign-in.ts";
import { type SignUpSent, signUp, verifySignUp } from "../workers/sign-in/sign-up.ts";
import { assertionResponse, passkeyAnswer } from "../workers/sign-in/webauthn.ts";
import { enter } from "./enter.ts";
import { wayBackOf } from "./form-target.ts";
import { type Refusal, readForm, refusalOf } from "./forms.ts";
import { page, seeOther } from "./page.ts";
import { FrontPage } from "./pages/front.tsx";
import { PolicyPage } from "./pages/policy.tsx";
import { ProblemsPage } from "./pages/problem.tsx";
import { SignInPage } from "./pages/sign-in.tsx";
import { CodePage, MailSentPage, SignUpPage, VerifyPage } from "./pages/sign-up.tsx";

const HOME = "/devices";

export const street = service();

street.get("/", (c) => {
  if (c.var.accountId) return seeOther(c, HOME);
  return page(c, { title: "A name, a door and keys for your box at home" }, <FrontPage />);
});

street.get("/privacy", (c) =>
  page(
    c,
    { title: "What we hold", at: "privacy" },
    <PolicyPage policy={policy(c.env.config.regions)} signedIn={Boolean(c.var.accountId)} />,
  ),
);

/** What the `type` of a problem document (RFC 9457 §3.1.1) leads to. */
street.get("/problems", (c) => page(c, { title: "Problems" }, <ProblemsPage />));

street.get("/sign-up", (c) => signUpPage(c));

street.post("/sign-up", async (c) => {
  const form = await readForm(c);
  const typed = { address: form("address"), region: form("region"), age: form("age") };
  const region = typed.region === "" ? undefined : typed.region;
  const age = ageOf(typed.age);
  const input = { address: typed.address, password: form("password"), region, age };
  let sent: SignUpSent | null = null;
  const refusal = await refusalOf(async () => {
    sent = await signUp(c.env, input, clientOf(c));
  });
  return sent === null ? signUpPage(c, typed, refusal) : seeOther(c, afterSignUp(sent));
});

const afterSignUp = (sent: SignUpSent): string =>
  sent.kind === "mail" ? "/sign-up/sent" : `/sign-up/code?token=${sent.token}`;

street.get("/sign-up/code", (c) => codePage(c, c.req.query("token") ?? ""));

street.post("/sign-up/code", async (c) => {
  const form = await readForm(c);
  const token = form("token");
  let outcome: SignInOutcome | null = null;
  const refusal = await refusalOf(async () => {
    outcome = await verifySignUp(c.env, { token, code: form("code") }, clientOf(c));
  });
  return outcome === null ? codePage(c, token, refusal) : enter(c, outcome, HOME);
});

street.get("/sign-up/sent", (c) =>
  page(
    c,
    { title: "Look in your mail" },
    <MailSentPage mailPage={c.env.config.mailPage} minutes={limits.challengeMs / 60_000} />,
  ),
);

street.get("/verify", (c) => verifyPage(c, c.req.query("token") ?? ""));

street.post("/verify", async (c) => {
  const form = await readForm(c);
  const token = form("token");
  let outcome: SignInOutcome | null = null;
  const refusal = await refusalOf(async () => {
    outcome = await verifySignUp(c.env, { token, password: form("password") }, clientOf(c));
  });
  return outcome === null ? verifyPage(c, token, refusal) : enter(c, outcome, HOME);
});

street.get("/sign-in", (c) => {
  const returnTo = localPath(c.req.query("return"));
  if (c.var.accountId) return seeOther(c, returnTo ?? HOME);
  return signInPage(c, returnTo);
});

street.post("/sign-in", async (c) => {
  const form = await readForm(c);
  const returnTo = localPath(form("return"));
  const address = form("address");
  const trustToken = readCookie(c, "__Host-trust");
  let outcome: SignInOutcome | null = null;
  const refusal = await refusalOf(async () => {
    const shown = form("response");
    if (shown === "") {
      const input = { address, password: form("password"), trustToken };
      outcome = await signIn(c.env, input, clientOf(c));
    } else {
      const response = passkeyAnswer(assertionResponse, shown);
      outcome = await signInWithPasskey(c.env, { response, trustToken }, clientOf(c));
    }
  });
  if (outcome !== null) return enter(c, outcome, returnTo ?? HOME);
  return signInPage(c, returnTo, { address }, refusal);
});

street.post("/sign-out", async (c) => {
  const token = sessionToken(c);
  if (token !== null) await signOut(c.env, token);
  clearCookie(c, "__Host-sid");
  return seeOther(c, "/");
});

function signUpPage(
  c: Ctx,
  typed?: { address: string; region: string; age: string },
  refusal?: Refusal | null,
): Response {
  return page(
    c,
    { title: "Open an account", refusal },
    <SignUpPage
      phones={sendsSms(c.env)}
      regions={c.env.config.regions}
      asksAge={c.env.config.minimumAge !== null}
      minLength={limits.passwordMinLength}
      providers={c.env.config.identityProviders}
      typed={typed}
      errors={refusal?.errors}
    />,
  );
}

function codePage(c: Ctx, token: string, refusal?: Refusal | null): Response {
  return page(
    c,
    { title: "Look at your phone", refusal },
    <CodePage
      token={token}
      minutes={limits.challengeMs / 60_000}
      mailPage={c.env.config.mailPage}
      errors={refusal?.errors}
    />,
  );
}

function verifyPage(c: Ctx, token: string, refusal?: Refusal | null): Response {
  return page(
    c,
    { title: "Confirm your address", refusal },
    <VerifyPage token={token} errors={refusal?.errors} />,
  );
}

async function signInPage(
  c: Ctx,
  returnTo: string | null,
  typed?: { address: string },
  refusal?: Refusal | null,
): Promise<Response> {
  const { sender, formTarget } = await wayBackOf(c.env, returnTo);
  const hint = sender?.kind === "app" ? sender.hint : undefined;
  return page(
    c,
    { title: "Sign in", refusal, formTarget },
    <SignInPage
      phones={sendsSms(c.env)}
      returnTo={returnTo}
      door={sender?.kind === "door" ? sender.label : null}
      app={sender?.kind === "app" ? sender.name : null}
      erased={c.req.query("erased") !== undefined}
      providers={c.env.config.identityProviders}
      typed={typed ?? (hint === undefined ? undefined : { address: hint })}
      errors={refusal?.errors}
    />,
  );
}
