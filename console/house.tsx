/** Routes of the house that belong to a person: sessions, account, erasing it. */

import { checkPassword, profile } from "../workers/account/account.ts";
import { clearCookie } from "../workers/cookies.ts";
import { listDevices } from "../workers/devices/devices.ts";
import { signedIn } from "../workers/guard.ts";
import { type Ctx, service } from "../workers/http.ts";
import { eraseAccount } from "../workers/privacy/erase.ts";
import { holdings } from "../workers/privacy/holdings.ts";
import { Problem } from "../workers/problem.ts";
import { listSessions, revokeSession } from "../workers/sign-in/sessions.ts";
import { type Refusal, readForm, refusalOf } from "./forms.ts";
import { page, seeOther } from "./page.ts";
import { AccountPage, ErasePage, SessionsPage } from "./pages/account.tsx";

export const house = service();
house.use("/sessions", signedIn);
house.use("/sessions/*", signedIn);
house.use("/account", signedIn);
house.use("/account/*", signedIn);

const done: Readonly<Record<string, string>> = {
  ended: "That session is over. The browser there must sign in again.",
  "ended-others": "All other sessions are over.",
};

house.get("/sessions", async (c) => {
  const sessions = await listSessions(c.env, c.var.accountId);
  return page(
    c,
    { title: "Sessions", at: "sessions" },
    <SessionsPage
      sessions={sessions}
      current={c.var.sessionId}
      now={c.env.clock.now()}
      done={done[c.req.query("done") ?? ""] ?? null}
    />,
  );
});

house.post("/sessions/end", async (c) => {
  const form = await readForm(c);
  const id = form("session");
  if (!(await revokeSession(c.env, c.var.accountId, id))) throw new Problem("not-found");
  if (id !== c.var.sessionId) return seeOther(c, "/sessions?done=ended");
  clearCookie(c, "__Host-sid");
  return seeOther(c, "/sign-in");
});

house.post("/sessions/end-others", async (c) => {
  const others = (await listSessions(c.env, c.var.accountId)).filter(
    ({ id }) => id !== c.var.sessionId,
  );
  await Promise.all(others.map(({ id }) => revokeSession(c.env, c.var.accountId, id)));
  return seeOther(c, "/sessions?done=ended-others");
});

house.on("GET", ["/sessions/end", "/sessions/end-others"], (c) => seeOther(c, "/sessions"));

house.get("/account", async (c) => {
  const { accountId } = c.var;
  const [own, held, devices] = await Promise.all([
    profile(c.env, accountId),
    holdings(c.env, accountId),
    listDevices(c.env, accountId),
  ]);
  const labels = new Map(devices.map(({ id, label }) => [id, label]));
  return page(
    c,
    { title: "Your account", at: "account" },
    <AccountPage profile={own} holdings={held} labels={labels} now={c.env.clock.now()} />,
  );
});

house.get("/account/erase", (c) => erasePage(c));

house.post("/account/erase", async (c) => {
  const form = await readForm(c);
  const { accountId } = c.var;
  const refusal = await refusalOf(async () => {
    if (!(await checkPassword(c.env, accountId, form("password")))) {
      throw new Problem("bad-credentials", "password");
    }
    await eraseAccount(c.env, accountId);
  });
  if (refusal !== null) {
    const wrong = refusal.status === 401;
    return await erasePage(
      c,
      wrong ? { ...refusal, errors: { password: "This is not your password." } } : refusal,
    );
  }
  clearCookie(c, "__Host-sid");
  return seeOther(c, "/sign-in?erased");
});

async function erasePage(c: Ctx, refusal?: Refusal): Promise<Response> {
  const { accountId } = c.var;
  const [held, devices] = await Promise.all([
    holdings(c.env, accountId),
    listDevices(c.env, accountId),
  ]);
  return page(
    c,
    { title: "Erase your account", at: "account", refusal },
    <ErasePage
      holdings={held}
      devices={devices.map(({ label }) => label)}
      errors={refusal?.errors}
    />,
  );
}
