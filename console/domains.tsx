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
import { Problem } from "../workers/problem.ts";
import { clientOf } from "../workers/sign-in/client.ts";
import { type Refusal, readForm, refusalOf } from "./forms.ts";
import { page, seeOther } from "./page.ts";
import { DomainsPage, TakeAwayPage } from "./pages/domains.tsx";

const done: Readonly<Record<string, string>> = {
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
  return await answered(c, "added", domain, () => addDomain(c.env, askerOf(c), domain));
});

domainPages.post("/devices/:id/domains/look", async (c) => {
  const domain = (await readForm(c))("domain");
  return await answered(c, "looked", "", () => lookAgain(c.env, askerOf(c), domain));
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
  await removeDomain(c.env, askerOf(c), (await readForm(c))("domain"));
  return seeOther(c, `${pathOf(c)}?done=gone`);
});

/** Where a form goes, a person may come again by the address bar: to the page, then. */
domainPages.get("/devices/:id/domains/look", (c) => seeOther(c, pathOf(c)));

async function answered(
  c: Ctx,
  word: string,
  typed: string,
  work: () => Promise<unknown>,
): Promise<Response> {
  const refusal = await refusalOf(work, typed === "" ? {} : { "": "domain" });
  if (refusal === null) return seeOther(c, `${pathOf(c)}?done=${word}`);
  return await domainsPage(c, { typed, refusal });
}

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
