/** Routes of getting back in: a forgotten password, a lost second step, a change that is taken back. */

import { limits } from "../protocol/limits.ts";
import { undoChange } from "../workers/account/undo.ts";
import { readCookie } from "../workers/cookies.ts";
import { type Ctx, service } from "../workers/http.ts";
import { Problem } from "../workers/problem.ts";
import { clientOf } from "../workers/sign-in/client.ts";
import type { SignInOutcome } from "../workers/sign-in/complete.ts";
import { askReset, resetPassword } from "../workers/sign-in/forgot.ts";
import {
  askWithoutStep,
  finishWithoutStep,
  type LostStep,
  lostStepOf,
  stopByLink,
} from "../workers/sign-in/lost-step.ts";
import { sendsSms } from "../workers/sign-in/send.ts";
import type { SignUpSent } from "../workers/sign-in/sign-up.ts";
import { enter } from "./enter.ts";
import { type Refusal, readForm, refusalOf } from "./forms.ts";
import { page, seeOther } from "./page.ts";
import {
  ExpiredPage,
  FinishPage,
  ForgotPage,
  ForgotSentPage,
  LostPage,
  NewPasswordPage,
  StopPage,
  StoppedPage,
  UndoPage,
} from "./pages/recovery.tsx";
import { afterRecovery, afterReset } from "./programs.tsx";

export const recovery = service();

recovery.get("/forgot", (c) => forgotPage(c));

recovery.post("/forgot", async (c) => {
  const form = await readForm(c);
  const address = form("address");
  let sent: SignUpSent | null = null;
  const refusal = await refusalOf(async () => {
    sent = await askReset(c.env, address, clientOf(c));
  });
  return sent === null ? forgotPage(c, address, refusal) : seeOther(c, afterForgot(sent));
});

const afterForgot = (sent: SignUpSent): string =>
  sent.kind === "mail" ? "/forgot/sent" : `/forgot/new?by=phone&token=${sent.token}`;

recovery.get("/forgot/sent", (c) =>
  page(
    c,
    { title: "Look in your mail" },
    <ForgotSentPage mailPage={c.env.config.mailPage} minutes={limits.challengeMs / 60_000} />,
  ),
);

recovery.get("/forgot/new", (c) =>
  newPasswordPage(c, c.req.query("token") ?? "", c.req.query("by") === "phone"),
);

recovery.post("/forgot/new", async (c) => {
  const form = await readForm(c);
  const token = form("token");
  const byPhone = form("by") === "phone";
  return await orExpired(c, "/forgot", async () => {
    let outcome: SignInOutcome | null = null;
    const refusal = await refusalOf(async () => {
      const reset = { token, password: form("password"), code: form("code") };
      outcome = await resetPassword(c.env, reset, clientOf(c));
    });
    if (outcome !== null) return enter(c, outcome, afterReset);
    return newPasswordPage(c, token, byPhone, refusal);
  });
});

recovery.get("/undo", (c) =>
  page(c, { title: "Take the change back" }, <UndoPage token={c.req.query("token") ?? ""} />),
);

recovery.post("/undo", async (c) => {
  const form = await readForm(c);
  return await orExpired(c, "/forgot", async () => {
    const token = await undoChange(c.env, form("token"), clientOf(c));
    return seeOther(c, `/forgot/new?undone&token=${token}`);
  });
});

recovery.get("/sign-in/lost", async (c) => {
  const step = readCookie(c, "__Host-step");
  const running = await lostStepOf(c.env, step).catch(toSignIn);
  if (running === "sign-in") return seeOther(c, "/sign-in");
  return lostPage(c, running && { kind: "waiting", ...running });
});

recovery.post("/sign-in/lost", async (c) => {
  await readForm(c);
  const step = readCookie(c, "__Host-step");
  let lost: LostStep | null = null;
  const refusal = await refusalOf(async () => {
    lost = await askWithoutStep(c.env, step, clientOf(c));
  });
  return lost === null ? lostPage(c, null, refusal) : seeOther(c, afterLost(lost));
});

function afterLost(lost: LostStep): string {
  if (lost.kind === "waiting") return "/sign-in/lost";
  return lost.token === null
    ? "/sign-in/lost?sent"
    : `/recovery/finish?by=phone&token=${lost.token}`;
}

recovery.get("/recovery/finish", (c) =>
  finishPage(c, c.req.query("token") ?? "", c.req.query("by") === "phone"),
);

recovery.post("/recovery/finish", async (c) => {
  const form = await readForm(c);
  const token = form("token");
  const byPhone = form("by") === "phone";
  return await orExpired(c, "/sign-in", async () => {
    let outcome: SignInOutcome | null = null;
    const refusal = await refusalOf(async () => {
      const finish = { token, code: form("code"), stepToken: readCookie(c, "__Host-step") };
      outcome = await finishWithoutStep(c.env, finish, clientOf(c));
    });
    if (outcome !== null) return enter(c, outcome, afterRecovery);
    return finishPage(c, token, byPhone, refusal);
  });
});

recovery.get("/recovery/stop", (c) =>
  page(c, { title: "Stop it" }, <StopPage token={c.req.query("token") ?? ""} />),
);

recovery.post("/recovery/stop", async (c) => {
  const form = await readForm(c);
  return await orExpired(c, "/sign-in", async () => {
    await stopByLink(c.env, form("token"), clientOf(c));
    return seeOther(c, "/recovery/stopped");
  });
});

recovery.get("/recovery/stopped", (c) => page(c, { title: "It is stopped" }, <StoppedPage />));

/** Does the work; a link that opens nothing any more leads to where a new one comes from. */
async function orExpired(c: Ctx, again: string, work: () => Promise<Response>): Promise<Response> {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof Problem) || error.code !== "link-expired") throw error;
    const title = "This link opens nothing anymore";
    return page(c, { title, status: 410 }, <ExpiredPage again={again} />);
  }
}

function toSignIn(error: unknown): "sign-in" {
  if (error instanceof Problem && error.code === "sign-in-expired") return "sign-in";
  throw error;
}

function forgotPage(c: Ctx, address?: string, refusal?: Refusal | null): Response {
  return page(
    c,
    { title: "Forgotten password", refusal },
    <ForgotPage phones={sendsSms(c.env)} address={address} errors={refusal?.errors} />,
  );
}

function newPasswordPage(
  c: Ctx,
  token: string,
  byPhone: boolean,
  refusal?: Refusal | null,
): Response {
  return page(
    c,
    { title: "Choose a new password", refusal },
    <NewPasswordPage
      token={token}
      byPhone={byPhone}
      undone={c.req.query("undone") !== undefined}
      mailPage={c.env.config.mailPage}
      errors={refusal?.errors}
    />,
  );
}

function lostPage(c: Ctx, lost: LostStep | null, refusal?: Refusal | null): Response {
  return page(
    c,
    { title: "Without the second step", refusal },
    <LostPage
      running={lost}
      sent={c.req.query("sent") !== undefined}
      now={c.env.clock.now()}
      mailPage={c.env.config.mailPage}
      errors={refusal?.errors}
    />,
  );
}

function finishPage(c: Ctx, token: string, byPhone: boolean, refusal?: Refusal | null): Response {
  return page(
    c,
    { title: "Switch the second step off", refusal },
    <FinishPage
      token={token}
      byPhone={byPhone}
      mailPage={c.env.config.mailPage}
      errors={refusal?.errors}
    />,
  );
}
