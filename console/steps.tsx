/** Routes of the second step at sign-in, and of showing again who one is. */

import { localPath } from "../protocol/local-path.ts";
import { readCookie } from "../workers/cookies.ts";
import { signedIn } from "../workers/guard.ts";
import { type Ctx, service } from "../workers/http.ts";
import { linkedProviders } from "../workers/linked/linked.ts";
import { Problem } from "../workers/problem.ts";
import { clientOf } from "../workers/sign-in/client.ts";
import type { SignInOutcome } from "../workers/sign-in/complete.ts";
import { confirm, confirmWaysOf, sendConfirmCode } from "../workers/sign-in/confirm.ts";
import { confirmWithPasskey, takePasskeyStep } from "../workers/sign-in/passkey-steps.ts";
import { offersOf, sendSignInCode, takeTypedStep } from "../workers/sign-in/second-step.ts";
import { codeKinds } from "../workers/sign-in/step-proofs.ts";
import { assertionResponse, passkeyAnswer } from "../workers/sign-in/webauthn.ts";
import { isSent, type TypedWay } from "./components/ways.tsx";
import { enter } from "./enter.ts";

import { wayBackOf } from "./form-target.ts";
import { type FormFields, type Refusal, readForm, refusalOf } from "./forms.ts";

import { page, seeOther } from "./page.ts";
import { ConfirmAgainPage } from "./pages/confirm-again.tsx";
import { SecondStepPage } from "./pages/second-step.tsx";

const HOME = "/devices";
const STEP = "/sign-in/second-step";
const CONFIRM = "/confirm";

export const steps = service();
steps.use(CONFIRM, signedIn);
steps.use(`${CONFIRM}/*`, signedIn);

/** What a page of ways shows: which way, whether its code was sent, what went wrong. */
interface Shown {
  readonly returnTo: string | null;
  readonly way?: string | undefined;
  readonly sent?: boolean;
  readonly trust?: boolean;
  readonly refusal?: Refusal | null;
}

const shownOf = (c: Ctx): Shown => ({
  returnTo: localPath(c.req.query("return")),
  way: c.req.query("way"),
  sent: c.req.query("sent") !== undefined,
});

/** Back to the page of a way whose code is on its way. */
function sentTo(c: Ctx, path: string, way: string, returnTo: string | null): Response {
  const to = returnTo === null ? "" : `&return=${encodeURIComponent(returnTo)}`;
  return seeOther(c, `${path}?way=${way}&sent${to}`);
}

steps.get(STEP, (c) => stepPage(c, shownOf(c)));

steps.post(STEP, async (c) => {
  const form = await readForm(c);
  const returnTo = localPath(form("return"));
  const [way, code, trust] = [form("way"), form("code"), form("trust") === "yes"];
  const kind = codeKinds.find((candidate) => candidate === way) ?? null;
  if (kind === null && way !== "passkey") throw new Problem("bad-request", "way");
  let outcome: SignInOutcome | null = null;
  const refusal = await refusalOf(async () => {
    const options = { trust, trustToken: readCookie(c, "__Host-trust") };
    const token = readCookie(c, "__Host-step");
    outcome =
      kind === null
        ? await takePasskeyStep(c.env, token, shownPasskey(form), clientOf(c), options)
        : await takeTypedStep(c.env, token, { kind, code }, clientOf(c), options);
  });
  if (outcome !== null) return enter(c, outcome, returnTo ?? HOME);
  return await stepPage(c, { returnTo, way, sent: isSent(way), trust, refusal });
});

steps.post(`${STEP}/send`, async (c) => {
  const form = await readForm(c);
  const returnTo = localPath(form("return"));
  const refusal = await refusalOf(() =>
    sendSignInCode(c.env, readCookie(c, "__Host-step"), clientOf(c)),
  );
  if (refusal === null) return sentTo(c, STEP, "sms", returnTo);
  return await stepPage(c, { returnTo, way: "sms", refusal });
});
steps.get(`${STEP}/send`, (c) => seeOther(c, STEP));

async function stepPage(c: Ctx, { returnTo, way, sent, trust, refusal }: Shown): Promise<Response> {
  const offers = await offersOf(c.env, readCookie(c, "__Host-step"));
  const ways = codeKinds.filter((kind) => offers.includes(kind));
  const chosen = ways.find((candidate) => candidate === way) ?? ways[0];
  if (chosen === undefined) throw new Problem("sign-in-expired");
  const { formTarget } = await wayBackOf(c.env, returnTo);
  return page(
    c,
    { title: "One more step", refusal, formTarget },
    <SecondStepPage
      ways={ways}
      way={chosen}
      passkey={offers.includes("passkey")}
      sent={sent ?? false}
      returnTo={returnTo}
      trust={trust ?? false}
      mailPage={c.env.config.mailPage}
      errors={refusal?.errors}
    />,
  );
}

steps.get(CONFIRM, (c) => confirmPage(c, shownOf(c)));

steps.post(CONFIRM, async (c) => {
  const form = await readForm(c);
  const returnTo = localPath(form("return"));
  if (form("way") === "passkey") {
    const refusal = await refusalOf(() =>
      confirmWithPasskey(c.env, c.var, shownPasskey(form), clientOf(c)),
    );
    if (refusal === null) return seeOther(c, returnTo ?? "/account");
    return await confirmPage(c, { returnTo, refusal });
  }
  const way = typedWays.find((candidate) => candidate === form("way"));
  if (way === undefined) throw new Problem("bad-request", "way");
  const secret = form(way === "password" ? "password" : "code");
  const refusal = await refusalOf(() => confirm(c.env, c.var, { way, secret }, clientOf(c)));
  if (refusal === null) return seeOther(c, returnTo ?? "/account");
  const wrong = refusal.errors.password === undefined ? refusal : wrongPassword(refusal);
  return await confirmPage(c, { returnTo, way, sent: isSent(way), refusal: wrong });
});

steps.post(`${CONFIRM}/send`, async (c) => {
  const form = await readForm(c);
  const returnTo = localPath(form("return"));
  const way = form("way");
  if (!isSent(way)) throw new Problem("bad-request", "way");
  const refusal = await refusalOf(() => sendConfirmCode(c.env, c.var, way, clientOf(c)));
  if (refusal === null) return sentTo(c, CONFIRM, way, returnTo);
  return await confirmPage(c, { returnTo, way, refusal });
});
steps.get(`${CONFIRM}/send`, (c) => seeOther(c, CONFIRM));

const shownPasskey = (form: FormFields) => passkeyAnswer(assertionResponse, form("response"));

const typedWays: readonly TypedWay[] = ["password", "totp", "sms", "recovery-code", "contact"];

const wrongPassword = ({ status }: Refusal): Refusal => ({
  status,
  errors: { password: "This is not your password." },
});

async function confirmPage(c: Ctx, { returnTo, way, sent, refusal }: Shown): Promise<Response> {
  const [offered, elsewhere] = await Promise.all([
    confirmWaysOf(c.env, c.var.accountId),
    linkedProviders(c.env, c.var.accountId),
  ]);
  const ways = typedWays.filter((candidate) => offered.includes(candidate));
  const { formTarget } = await wayBackOf(c.env, returnTo);
  return page(
    c,
    { title: "Show that it is you", at: "account", refusal, formTarget },
    <ConfirmAgainPage
      ways={ways}
      way={ways.find((candidate) => candidate === way) ?? ways[0] ?? null}
      passkey={offered.includes("passkey")}
      elsewhere={elsewhere}
      sent={sent ?? false}
      returnTo={returnTo ?? "/account"}
      mailPage={c.env.config.mailPage}
      errors={refusal?.errors}
    />,
  );
}
