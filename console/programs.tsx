/** Routes of what still gets in: shown after a way back in, and from the pages of tokens and apps. */

import { endPrograms, programsOf } from "../workers/account/programs.ts";
import { signedIn } from "../workers/guard.ts";
import { service } from "../workers/http.ts";
import { clientOf } from "../workers/sign-in/client.ts";
import { readForm } from "./forms.ts";
import { page, seeOther } from "./page.ts";
import { ProgramsPage } from "./pages/programs.tsx";

const LIST = "/account/programs";

/** Where somebody goes on who came back in, by how. */
const next: Readonly<Record<string, string>> = {
  reset: "/devices",
  recovered: "/account/second-step",
};

/** Where who got back in is led: to what still gets in. */
export const afterReset = `${LIST}?after=reset`;
export const afterRecovery = `${LIST}?after=recovered`;

export const programPages = service();
programPages.use(LIST, signedIn);
programPages.use(`${LIST}/*`, signedIn);

programPages.get(LIST, async (c) => {
  const after = c.req.query("after") ?? "";
  const onward = Object.hasOwn(next, after) ? (next[after] as string) : null;
  const programs = await programsOf(c.env, c.var.accountId);
  if (programs.length === 0 && onward !== null) return seeOther(c, onward);
  const done = c.req.query("done") === "ended" ? "All of them are ended." : null;
  return page(
    c,
    { title: "What still gets in", at: "account" },
    <ProgramsPage programs={programs} after={after} onward={onward} done={done} />,
  );
});

programPages.post(`${LIST}/end`, async (c) => {
  await readForm(c);
  await endPrograms(c.env, c.var.accountId, clientOf(c));
  return seeOther(c, `${LIST}?done=ended`);
});

/** Where the form above was sent to, fetched anew. */
programPages.get(`${LIST}/end`, (c) => seeOther(c, LIST));
