/** Routes of domains of one's own that lead to a device: added, looked at again, taken away. */

import { getDevice } from "../workers/devices/devices.ts";
import { signedIn } from "../workers/guard.ts";
import { type Ctx, service } from "../workers/http.ts";
import {
  type Asker,
  addDomain,
  domainsOf,
  lookAgain,
  removeDomain,
} from "../workers/name/domains.ts";
import { domainFrom } from "../workers/name/domains-check.ts";
import { Problem } from "../workers/problem.ts";
import { clientOf } from "../workers/sign-in/client.ts";
import { didFirst, type Refusal, readForm, refusalOf } from "./forms.ts";
import { page, seeOther } from "./page.ts";
import { DomainsPage, TakeAwayPage } from "./pages/domains.tsx";

const done: Readonly<Record<string, string>> = {
  there: "It is here: this is what was seen of it last.",
  added: "Added, and looked at.",
  looked: "Looked at just now.",
  gone: "Taken away. What DNS says of it is yours to change.",
};

export const domainPages = service();
domainPages.use("/devices/:id/domains", signedIn);
domainPages.use("/devices/:id/domains/*", signedIn);

const idOf = (c: Ctx) => c.req.param("id") ?? "";
const pathOf = (c: Ctx) => `/devices/${encodeURIComponent(idOf(c))}/domains`;
const askerOf = (c: Ctx): Asker => ({
  ...{ accountId: c.var.accountId, deviceId: idOf(c), client: clientOf(c) },
});

domainPages.get("/devices/:id/domains", (c) => domainsPage(c));

domainPages.post("/devices/:id/domains", async (c) => {
  const domain = (await readForm(c))("domain");
  const refusal = await refusalOf(() => addDomain(c.env, askerOf(c), domain), { "": "domain" });
  if (refusal === null) return seeOther(c, `${pathOf(c)}?done=added`);
  // Another click of the same person's may have added it just now.
  const list = await domainsOf(c.env, askerOf(c)).catch(() => []);
  const isThere = list.some(({ name }) => name === domainFrom(domain));
  if (isThere) return seeOther(c, `${pathOf(c)}?done=there`);
  return await domainsPage(c, { typed: domain, refusal });
});

domainPages.post("/devices/:id/domains/look", async (c) => {
  const domain = (await readForm(c))("domain");
  const refusal = await refusalOf(() => lookAgain(c.env, askerOf(c), domain), {});
  if (refusal === null) return seeOther(c, `${pathOf(c)}?done=looked`);
  return await domainsPage(c, { typed: "", refusal });
});

domainPages.get("/devices/:id/domains/take-away", async (c) => {
  const name = c.req.query("domain") ?? "";
  const device = await getDevice(c.env, c.var.accountId, idOf(c));
  const domain = (await domainsOf(c.env, askerOf(c))).find((one) => one.name === name);
  if (domain === undefined) throw new Problem("not-found");
  return page(
    c,
    { title: `Take ${name} away`, at: "devices" },
    <TakeAwayPage device={device} domain={domain} />,
  );
});

domainPages.post("/devices/:id/domains/take-away", async (c) => {
  const domain = (await readForm(c))("domain");
  await getDevice(c.env, c.var.accountId, idOf(c));
  await didFirst(() => removeDomain(c.env, askerOf(c), domain));
  return seeOther(c, `${pathOf(c)}?done=gone`);
});

/** Where a form goes, a person may come again by the address bar: to the page, then. */
domainPages.get("/devices/:id/domains/look", (c) => seeOther(c, pathOf(c)));

interface Shown {
  readonly typed?: string;
  readonly refusal?: Refusal;
}

async function domainsPage(c: Ctx, { typed, refusal }: Shown = {}): Promise<Response> {
  const device = await getDevice(c.env, c.var.accountId, idOf(c));
  const said = c.req.query("done") ?? "";
  const { config, clock } = c.env;
  return page(
    c,
    { title: `Domains of yours for ${device.label}`, at: "devices", refusal },
    <DomainsPage
      device={device}
      domains={device.features.name ? await domainsOf(c.env, askerOf(c)) : null}
      host={`${device.label}.${config.ddnsZone}`}
      looks={config.resolver !== null}
      now={clock.now()}
      done={Object.hasOwn(done, said) ? (done[said] as string) : null}
      typed={typed}
      errors={refusal?.errors}
    />,
  );
}
