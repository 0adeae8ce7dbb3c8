/** Routes of the account center's part on second steps and trusted browsers. */

import { clearCookie, readCookie } from "../workers/cookies.ts";
import { confirmed, signedIn } from "../workers/guard.ts";
import { type Ctx, service } from "../workers/http.ts";
import { Problem } from "../workers/problem.ts";
import { clientOf } from "../workers/sign-in/client.ts";
import {
  renewRecoveryCodes,
  setUpSms,
  setUpTotp,
  stepSettings,
  switchOff,
  switchOnSms,
  switchOnTotp,
} from "../workers/sign-in/step-settings.ts";
import { listTrusted, revokeAllTrusted, revokeTrusted } from "../workers/sign-in/trust.ts";
import { type Refusal, readForm, refusalOf } from "./forms.ts";
import { page, seeOther } from "./page.ts";
import { StepOverviewPage } from "./pages/account-second-step.tsx";
import { ConfirmPage } from "./pages/confirm.tsx";
import { CodesPage } from "./pages/recovery-codes.tsx";
import { SmsPage, TotpPage } from "./pages/second-step-set-up.tsx";

const HOME = "/account/second-step";

export const secondStep = service();
secondStep.use(HOME, signedIn);
secondStep.use(`${HOME}/*`, signedIn);
for (const path of ["totp", "sms", "sms/code", "codes", "off"]) {
  secondStep.use(`${HOME}/${path}`, confirmed);
}

const done: Readonly<Record<string, string>> = {
  on: "It is on. From now on, signing in asks for it.",
  off: "It is off. Every browser you trusted is forgotten.",
  untrusted: "That browser is asked for the second step again.",
  "untrusted-all": "Every browser is asked for the second step again.",
};

secondStep.get(HOME, async (c) => {
  const { accountId } = c.var;
  const [settings, trusted] = await Promise.all([
    stepSettings(c.env, accountId),
    listTrusted(c.env, accountId, readCookie(c, "__Host-trust")),
  ]);
  const key = c.req.query("done") ?? "";
  return page(
    c,
    { title: "Second step", at: "account" },
    <StepOverviewPage
      settings={settings}
      trusted={trusted}
      now={c.env.clock.now()}
      done={Object.hasOwn(done, key) ? (done[key] ?? null) : null}
    />,
  );
});

secondStep.get(`${HOME}/totp`, (c) => totpPage(c));

secondStep.post(`${HOME}/totp`, async (c) => {
  const form = await readForm(c);
  return await switchedOn(
    c,
    () => switchOnTotp(c.env, c.var.accountId, form("code"), clientOf(c)),
    (refusal) => totpPage(c, refusal),
  );
});

async function totpPage(c: Ctx, refusal?: Refusal): Promise<Response> {
  const { totp } = await stepSettings(c.env, c.var.accountId);
  if (totp) return seeOther(c, HOME);
  const setUp = await setUpTotp(c.env, c.var.accountId);
  return page(
    c,
    { title: "Codes from an app", at: "account", refusal },
    <TotpPage setUp={setUp} errors={refusal?.errors} />,
  );
}

secondStep.get(`${HOME}/sms`, (c) => smsPage(c, c.req.query("sent") !== undefined));

secondStep.post(`${HOME}/sms`, async (c) => {
  const form = await readForm(c);
  const refusal = await refusalOf(() =>
    setUpSms(c.env, c.var.accountId, form("phone"), clientOf(c)),
  );
  return refusal === null ? seeOther(c, `${HOME}/sms?sent`) : await smsPage(c, false, refusal);
});

secondStep.post(`${HOME}/sms/code`, async (c) => {
  const form = await readForm(c);
  return await switchedOn(
    c,
    () => switchOnSms(c.env, c.var.accountId, form("code"), clientOf(c)),
    (refusal) => smsPage(c, true, refusal),
  );
});
secondStep.get(`${HOME}/sms/code`, (c) => seeOther(c, `${HOME}/sms`));

async function smsPage(c: Ctx, sent: boolean, refusal?: Refusal): Promise<Response> {
  const { sms, phones } = await stepSettings(c.env, c.var.accountId);
  if (sms !== null) return seeOther(c, HOME);
  return page(
    c,
    { title: "Codes by text message", at: "account", refusal },
    <SmsPage
      phones={phones}
      sent={sent}
      mailPage={c.env.config.mailPage}
      errors={refusal?.errors}
    />,
  );
}

/** After a step was switched on: its recovery codes, which no other answer shows, or the overview. */
async function switchedOn(
  c: Ctx,
  work: () => Promise<string[] | null>,
  again: (refusal: Refusal) => Promise<Response>,
): Promise<Response> {
  let codes: string[] | null = null;
  const refusal = await refusalOf(async () => {
    codes = await work();
  });
  if (refusal !== null) return await again(refusal);
  return codes === null ? seeOther(c, `${HOME}?done=on`) : codesPage(c, codes, done.on);
}

secondStep.get(`${HOME}/codes`, async (c) => {
  const { totp, sms, recoveryCodesLeft } = await stepSettings(c.env, c.var.accountId);
  if (!totp && sms === null) return seeOther(c, HOME);
  return codesPage(c, null, null, recoveryCodesLeft);
});

secondStep.post(`${HOME}/codes`, async (c) =>
  codesPage(c, await renewRecoveryCodes(c.env, c.var.accountId, clientOf(c))),
);

function codesPage(c: Ctx, codes: string[] | null, said: string | null = null, left = 0): Response {
  return page(
    c,
    { title: "Recovery codes", at: "account" },
    <CodesPage codes={codes} left={left} done={said} />,
  );
}

const names = { totp: "codes from an app", sms: "codes by text message" } as const;

function kindOf(text: string | undefined): "totp" | "sms" {
  if (text !== "totp" && text !== "sms") throw new Problem("not-found");
  return text;
}

secondStep.get(`${HOME}/off`, async (c) => {
  if (c.req.query("kind") === undefined) return seeOther(c, HOME);
  const kind = kindOf(c.req.query("kind"));
  const { totp, sms } = await stepSettings(c.env, c.var.accountId);
  const isLast = !(totp && sms !== null);
  return page(
    c,
    { title: "Switch off", at: "account" },
    <ConfirmPage
      title={`Switch off ${names[kind]}?`}
      lead={
        isLast
          ? "It is your only second step: whoever knows your password can then sign in."
          : "Your other second step stays on."
      }
      going={[
        {
          what: kind === "totp" ? "The secret that your app has" : "Codes to your phone",
          when: "At once. To have it back you set it up anew.",
        },
        { what: "The trust in every browser", when: "At once." },
        ...(isLast ? [{ what: "Your recovery codes", when: "At once." }] : []),
      ]}
      action={`${HOME}/off`}
      button="Switch it off"
      back={{ href: HOME, label: "Second step" }}
      fields={{ kind }}
    />,
  );
});

secondStep.post(`${HOME}/off`, async (c) => {
  const form = await readForm(c);
  await switchOff(c.env, c.var.accountId, kindOf(form("kind")), clientOf(c));
  return seeOther(c, `${HOME}?done=off`);
});

secondStep.post(`${HOME}/trusted/end`, async (c) => {
  const form = await readForm(c);
  if (!(await revokeTrusted(c.env, c.var.accountId, form("browser"), clientOf(c)))) {
    throw new Problem("not-found");
  }
  return seeOther(c, `${HOME}?done=untrusted`);
});

secondStep.post(`${HOME}/trusted/end-all`, async (c) => {
  await revokeAllTrusted(c.env, c.var.accountId, clientOf(c));
  if (readCookie(c, "__Host-trust") !== null) clearCookie(c, "__Host-trust");
  return seeOther(c, `${HOME}?done=untrusted-all`);
});
secondStep.on("GET", [`${HOME}/trusted/end`, `${HOME}/trusted/end-all`], (c) => seeOther(c, HOME));
