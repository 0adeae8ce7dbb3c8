/** Routes of a device's names: which it has, one more, another in place of one, one given up. */

import { labelFrom } from "../protocol/names.ts";
import { doorOrigin } from "../workers/config.ts";
import { getDevice } from "../workers/devices/devices.ts";
import { signedIn } from "../workers/guard.ts";
import { type Ctx, service } from "../workers/http.ts";
import {
  addName,
  furtherName,
  makePrimary,
  releaseName,
  renameName,
} from "../workers/name/labels.ts";
import { wantedLabel } from "../workers/name/wanted.ts";
import { Problem } from "../workers/problem.ts";
import { clientOf } from "../workers/sign-in/client.ts";
import { didFirst, type Refusal, readForm, refusalOf } from "./forms.ts";
import { page, seeOther } from "./page.ts";
import { ChangeNamePage, GiveUpPage, NamesPage, type TypedName } from "./pages/names.tsx";

const done: Readonly<Record<string, string>> = {
  there: "This is a name of the device: it answers.",
  added: "Added. It answers from now on.",
  changed: "Changed. The old name answers nothing any more, and is held for you.",
  first: "The device is called so from now on.",
  "given-up": "Given up. It answers nothing any more, and is held for you.",
};

export const namesPages = service();
namesPages.use("/devices/:id/names", signedIn);
namesPages.use("/devices/:id/names/*", signedIn);

const pathOf = (c: Ctx) => `/devices/${encodeURIComponent(c.req.param("id") ?? "")}/names`;
const idOf = (c: Ctx) => c.req.param("id") ?? "";

namesPages.get("/devices/:id/names", (c) => namesPage(c));

namesPages.post("/devices/:id/names", async (c) => {
  const more = (await readForm(c))("more");
  const refusal = await refusalOf(
    () => addName(c.env, c.var.accountId, idOf(c), more, clientOf(c)),
    { label: "more", "": "more" },
  );
  if (refusal === null) return seeOther(c, `${pathOf(c)}?done=added`);
  // Another click of the same person's may have added it just now.
  const { labels } = await getDevice(c.env, c.var.accountId, idOf(c));
  if (labels.includes(labelFrom(more))) return seeOther(c, `${pathOf(c)}?done=there`);
  return await namesPage(c, { typed: { more }, refusal });
});

/** Twice: what is typed leads to the page that says what breaks, and that page's form changes it. */
namesPages.post("/devices/:id/names/change", async (c) => {
  const form = await readForm(c);
  const [from, to, sure] = [form("from"), form("to"), form("sure") === "yes"];
  const { accountId } = c.var;
  const device = await getDevice(c.env, accountId, idOf(c));
  if (!device.labels.includes(from)) {
    if (!sure || !device.labels.includes(to)) throw new Problem("not-found");
    return seeOther(c, `${pathOf(c)}?done=changed`);
  }
  let wanted = to;
  const refusal = await refusalOf(
    async () => {
      if (sure) await renameName(c.env, accountId, device.id, { from, to }, clientOf(c));
      else wanted = await wantedLabel(c.env, accountId, to, device.labels);
    },
    { label: "to", "": "to" },
  );
  if (refusal !== null) return await namesPage(c, { typed: { from, to }, refusal });
  if (sure) return seeOther(c, `${pathOf(c)}?done=changed`);
  return page(
    c,
    { title: `Change ${from}`, at: "devices" },
    <ChangeNamePage device={device} label={from} to={wanted} {...zonesOf(c)} />,
  );
});

namesPages.post("/devices/:id/names/first", async (c) => {
  const label = (await readForm(c))("label");
  await makePrimary(c.env, c.var.accountId, idOf(c), label, clientOf(c));
  return seeOther(c, `${pathOf(c)}?done=first`);
});

namesPages.get("/devices/:id/names/give-up", async (c) => {
  const label = c.req.query("label") ?? "";
  const { accountId } = c.var;
  if (!(await didFirst(() => furtherName(c.env, accountId, idOf(c), label)))) {
    return await givenUp(c, label);
  }
  const device = await getDevice(c.env, accountId, idOf(c));
  return page(
    c,
    { title: `Give up ${label}`, at: "devices" },
    <GiveUpPage device={device} label={label} {...zonesOf(c)} />,
  );
});

namesPages.post("/devices/:id/names/give-up", async (c) => {
  const label = (await readForm(c))("label");
  const { accountId } = c.var;
  await didFirst(() => releaseName(c.env, accountId, idOf(c), label, clientOf(c)));
  return await givenUp(c, label);
});

/** @throws Problem `not-found` for a name that is not held for who asks */
async function givenUp(c: Ctx, label: string): Promise<Response> {
  await getDevice(c.env, c.var.accountId, idOf(c));
  const until = await c.env.directory.heldUntil(label, c.var.accountId);
  if (until === null) throw new Problem("not-found");
  return seeOther(c, `${pathOf(c)}?done=given-up`);
}

/** Where forms go, a person may come again by the address bar: to the page, then. */
namesPages.on(
  "GET",
  ["change", "first"].map((path) => `/devices/:id/names/${path}`),
  (c) => seeOther(c, pathOf(c as Ctx)),
);

interface Shown {
  readonly typed?: TypedName;
  readonly refusal?: Refusal;
}

async function namesPage(c: Ctx, { typed, refusal }: Shown = {}): Promise<Response> {
  const device = await getDevice(c.env, c.var.accountId, idOf(c));
  const said = c.req.query("done") ?? "";
  return page(
    c,
    { title: `The names of ${device.label}`, at: "devices", refusal },
    <NamesPage
      device={device}
      {...zonesOf(c)}
      done={Object.hasOwn(done, said) ? (done[said] as string) : null}
      typed={typed}
      errors={refusal?.errors}
    />,
  );
}

function zonesOf(c: Ctx) {
  const { config } = c.env;
  return { ddnsZone: config.ddnsZone, door: (label: string) => doorOrigin(config, label) };
}
