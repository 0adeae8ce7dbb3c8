/** Routes of the house that belong to a person: sessions and the account's overview. */

import { overview } from "../workers/account/overview.ts";
import { clearCookie } from "../workers/cookies.ts";
import { signedIn } from "../workers/guard.ts";
import { service } from "../workers/http.ts";
import { Problem } from "../workers/problem.ts";
import { listSessions, revokeSession } from "../workers/sign-in/sessions.ts";
import { readForm } from "./forms.ts";
import { page, seeOther } from "./page.ts";
import { AccountPage, SessionsPage } from "./pages/account.tsx";

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
    { title: "Sessions", at: "account" },
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
  const own = await overview(c.env, c.var.accountId);
  return page(
    c,
    { title: "Your account", at: "account" },
    <AccountPage overview={own} now={c.env.clock.now()} />,
  );
});
