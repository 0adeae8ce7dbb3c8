/** Routes of names that go from one person to another. */

import { getDevice, listDevices } from "../workers/devices/devices.ts";
import { confirmed, signedIn } from "../workers/guard.ts";
import { type Ctx, service } from "../workers/http.ts";
import { furtherName } from "../workers/name/labels.ts";
import { acceptOffer, endOffer, offerName, offersOf } from "../workers/name/offers.ts";
import { knownPeople } from "../workers/people/contacts.ts";
import { namesOf } from "../workers/people/named.ts";
import { Problem } from "../workers/problem.ts";
import { clientOf } from "../workers/sign-in/client.ts";
import { didFirst, type Refusal, readForm, refusalOf } from "./forms.ts";
import { page, seeOther } from "./page.ts";
import { GivePage, OffersPage } from "./pages/name-offers.tsx";

const done: Readonly<Record<string, string>> = {
  taken: "Taken. The name leads to your device from now on.",
  ended: "Done. Nothing waits for an answer there any more.",
  over: "Nothing waits for an answer there any more. What you took stands with your devices.",
  offered: "Offered. The name is yours until they take it.",
};

export const nameOfferPages = service();
for (const path of ["/names", "/names/*"]) nameOfferPages.use(path, signedIn);
nameOfferPages.use("/devices/:id/names/give", signedIn);

nameOfferPages.get("/names", (c) => offersPage(c));

nameOfferPages.post("/names/take", async (c) => {
  const form = await readForm(c);
  let isTaken = false;
  const refusal = await refusalOf(
    async () => {
      const [offer, device] = [form("offer"), form("device")];
      const { accountId } = c.var;
      isTaken = await didFirst(() => acceptOffer(c.env, accountId, offer, device, clientOf(c)));
    },
    { device: "" },
  );
  if (refusal !== null) return await offersPage(c, refusal);
  const isWaiting = (await offersOf(c.env, c.var.accountId)).some(({ id }) => id === form("offer"));
  if (isWaiting) throw new Problem("not-found");
  return seeOther(c, `/names?done=${isTaken ? "taken" : "over"}`);
});

nameOfferPages.post("/names/end", async (c) => {
  const offer = (await readForm(c))("offer");
  const isEnded = await didFirst(() => endOffer(c.env, c.var.accountId, offer));
  return seeOther(c, `/names?done=${isEnded ? "ended" : "over"}`);
});

nameOfferPages.get("/devices/:id/names/give", confirmed, (c) =>
  givePage(c, c.req.query("label") ?? ""),
);

nameOfferPages.post("/devices/:id/names/give", confirmed, async (c) => {
  const form = await readForm(c);
  const [label, to, id] = [form("label"), form("to"), c.req.param("id")];
  const refusal = await refusalOf(() =>
    offerName(c.env, c.var.accountId, id, { label, to }, clientOf(c)),
  );
  return refusal === null ? seeOther(c, "/names?done=offered") : await givePage(c, label, refusal);
});

/** Where forms go, a person may come again by the address bar: to the page, then. */
nameOfferPages.on("GET", ["/names/take", "/names/end"], (c) => seeOther(c, "/names"));

async function offersPage(c: Ctx, refusal: Refusal | null = null): Promise<Response> {
  const me = c.var.accountId;
  const offers = await offersOf(c.env, me);
  const people = await namesOf(
    c.env,
    me,
    offers.flatMap(({ from, to }) => [from, to]),
  );
  const said = c.req.query("done") ?? "";
  return page(
    c,
    { title: "Names that change hands", at: "devices", refusal },
    <OffersPage
      me={me}
      offers={offers}
      devices={await listDevices(c.env, me)}
      ddnsZone={c.env.config.ddnsZone}
      nameOf={(id) => people.get(id) ?? id}
      done={Object.hasOwn(done, said) ? (done[said] as string) : null}
      errors={refusal?.errors}
    />,
  );
}

async function givePage(c: Ctx, label: string, refusal: Refusal | null = null): Promise<Response> {
  const me = c.var.accountId;
  const id = c.req.param("id") ?? "";
  await furtherName(c.env, me, id, label);
  const device = await getDevice(c.env, me, id);
  const known = await knownPeople(c.env, me);
  const ids = known.flatMap((one) => (one.relation === "contact" ? [one.accountId] : []));
  const people = await namesOf(c.env, me, ids);
  const contacts = ids.map((one) => ({ id: one, name: people.get(one) ?? one }));
  return page(
    c,
    { title: `Give ${label} away`, at: "devices", refusal },
    <GivePage
      device={device}
      label={label}
      ddnsZone={c.env.config.ddnsZone}
      contacts={contacts}
      errors={refusal?.errors}
    />,
  );
}
