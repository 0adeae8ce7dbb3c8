/** Routes of people: contacts and asks, and what one person shows. */

import { signedIn } from "../workers/guard.ts";
import { type Ctx, service } from "../workers/http.ts";
import {
  acceptContact,
  askContact,
  blockPerson,
  declineContact,
  knownPeople,
  removeContact,
  unblockPerson,
} from "../workers/people/contacts.ts";
import { visibleOfKnown, visibleProfile } from "../workers/people/visible.ts";
import { Problem } from "../workers/problem.ts";
import { clientOf } from "../workers/sign-in/client.ts";
import { type Refusal, readForm, refusalOf } from "./forms.ts";
import { page, seeOther } from "./page.ts";
import { PeoplePage, PersonPage } from "./pages/people.tsx";

const done: Readonly<Record<string, string>> = {
  asked: "Asked. If they have an account here they find it on their page; more we do not say.",
  accept: "You are contacts.",
  decline: "Declined. They are not told.",
  remove: "Removed, on both sides.",
  block: "Blocked. They see nothing of you any more.",
  unblock: "Unblocked. They may ask you again.",
};

/** What a button on the page may do. */
const acts: Readonly<Record<string, (c: Ctx, other: string) => Promise<void>>> = {
  accept: (c, other) => acceptContact(c.env, c.var.accountId, other, clientOf(c)),
  decline: (c, other) => declineContact(c.env, c.var.accountId, other),
  remove: (c, other) => removeContact(c.env, c.var.accountId, other, clientOf(c)),
  block: (c, other) => blockPerson(c.env, c.var.accountId, other, clientOf(c)),
  unblock: (c, other) => unblockPerson(c.env, c.var.accountId, other),
};

export const peoplePages = service();

peoplePages.get("/people", signedIn, (c) => peoplePage(c));

peoplePages.post("/people/ask", signedIn, async (c) => {
  const form = await readForm(c);
  const other = form("account").trim();
  const refusal = await refusalOf(() => askContact(c.env, c.var.accountId, other, clientOf(c)));
  return refusal === null ? seeOther(c, "/people?done=asked") : peoplePage(c, other, refusal);
});

peoplePages.post("/people/act", signedIn, async (c) => {
  const form = await readForm(c);
  const name = form("do");
  const act = Object.hasOwn(acts, name) ? acts[name] : undefined;
  if (act === undefined) throw new Problem("bad-request");
  await act(c, form("account"));
  return seeOther(c, `/people?done=${name}`);
});

peoplePages.on("GET", ["/people/ask", "/people/act"], signedIn, (c) => seeOther(c, "/people"));

/** For strangers too: what is for everyone is for them. */
peoplePages.get("/people/:account", async (c) => {
  const viewer = c.get("accountId") ?? null;
  const seen = await visibleProfile(c.env, viewer, c.req.param("account"));
  if (seen === null) throw new Problem("not-found");
  const self = viewer === seen.accountId;
  return page(
    c,
    { title: seen.fields.name ?? "A person", at: "people" },
    <PersonPage seen={seen} self={self} signedIn={viewer !== null} />,
  );
});

async function peoplePage(c: Ctx, typed?: string, refusal?: Refusal): Promise<Response> {
  const { accountId } = c.var;
  const known = await knownPeople(c.env, accountId);
  const seen = await visibleOfKnown(c.env, accountId, known);
  const key = c.req.query("done") ?? "";
  return page(
    c,
    { title: "People", at: "people", refusal },
    <PeoplePage
      me={accountId}
      known={known}
      seen={seen}
      now={c.env.clock.now()}
      done={Object.hasOwn(done, key) ? (done[key] as string) : null}
      typed={typed}
      errors={refusal?.errors}
    />,
  );
}
