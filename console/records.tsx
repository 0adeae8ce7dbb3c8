/** What DNS says at a device's name and below it: the wildcard, records, neighbors, the key of updates. */

import { ownTypes } from "../protocol/dns/presentation.ts";
import { isKeptOut } from "../workers/certificates/caa.ts";
import { getDevice } from "../workers/devices/devices.ts";
import { signedIn } from "../workers/guard.ts";
import { type Ctx, service } from "../workers/http.ts";
import {
  type Asker,
  putNeighbor,
  putRecords,
  readRecords,
  setWildcard,
} from "../workers/name/records.ts";
import {
  endSigningKey,
  makeSigningKey,
  type SigningKeyShown,
  signingKeyState,
} from "../workers/name/signing-key.ts";
import { Problem } from "../workers/problem.ts";
import { clientOf } from "../workers/sign-in/client.ts";
import { type FormFields, type Refusal, readForm, refusalOf } from "./forms.ts";
import { page, seeOther } from "./page.ts";
import { RecordsPage, type TypedRecords } from "./pages/records.tsx";

const done: Readonly<Record<string, string>> = {
  put: "Done. Resolvers that asked before may say the old for a minute.",
  ended: "Ended. Messages that it signs are refused from now on.",
};

export const recordPages = service();
recordPages.use("/devices/:id/records", signedIn);
recordPages.use("/devices/:id/records/*", signedIn);

const idOf = (c: Ctx) => c.req.param("id") ?? "";
const pathOf = (c: Ctx) => `/devices/${encodeURIComponent(idOf(c))}/records`;
const askerOf = (c: Ctx): Asker => ({
  ...{ accountId: c.var.accountId, deviceId: idOf(c), client: clientOf(c) },
});

recordPages.get("/devices/:id/records", (c) => recordsPage(c));

recordPages.post("/devices/:id/records", async (c) => {
  const form = await readForm(c);
  const type = ownTypes.find((one) => one === form("type"));
  if (type === undefined) throw new Problem("bad-request", "type");
  const lines = form("values").split("\n");
  const values = form("gone") === "yes" ? [] : lines.filter((line) => line.trim() !== "");
  return await answered(c, form, ["type", "owner", "values"], async () => {
    if (values.length === 0 && form("gone") !== "yes") throw new Problem("record-text", "values");
    await putRecords(c.env, askerOf(c), { owner: form("owner"), type, values });
  });
});

recordPages.post("/devices/:id/records/wildcard", async (c) => {
  const form = await readForm(c);
  return await answered(c, form, [], () => setWildcard(c.env, askerOf(c), form("on") === "yes"));
});

recordPages.post("/devices/:id/records/neighbors", async (c) => {
  const form = await readForm(c);
  const address = form("gone") === "yes" ? null : form("interface");
  return await answered(c, form, ["host", "interface"], () =>
    putNeighbor(c.env, askerOf(c), form("host"), address),
  );
});

/** A new key is answered by no redirect: it is in this page and nowhere else. */
recordPages.post("/devices/:id/records/key", async (c) => {
  const isEnd = (await readForm(c))("gone") === "yes";
  const who = [c.env, c.var.accountId, idOf(c), clientOf(c)] as const;
  if (!isEnd) return await recordsPage(c, { made: await makeSigningKey(...who) });
  await endSigningKey(...who);
  return seeOther(c, `${pathOf(c)}?done=ended`);
});

/** Where forms go, a person may come again by the address bar: to the page, then. */
recordPages.on(
  "GET",
  ["wildcard", "neighbors", "key"].map((path) => `/devices/:id/records/${path}`),
  (c) => seeOther(c, pathOf(c)),
);

/** Does the work of a form, and says what came of it. */
async function answered(
  c: Ctx,
  form: FormFields,
  fields: readonly string[],
  work: () => Promise<void>,
): Promise<Response> {
  // A machine's name stands in a field of its own.
  const names = fields.includes("host") ? { owner: "host", "": "host" } : { "": "values" };
  const refusal = await refusalOf(work, names);
  if (refusal === null) return seeOther(c, `${pathOf(c)}?done=put`);
  const typed = Object.fromEntries(fields.map((field) => [field, form(field)]));
  return await recordsPage(c, { typed, refusal });
}

interface Shown {
  readonly made?: SigningKeyShown;
  readonly typed?: TypedRecords;
  readonly refusal?: Refusal;
}

async function recordsPage(c: Ctx, { made, typed, refusal }: Shown = {}): Promise<Response> {
  const { accountId } = c.var;
  const device = await getDevice(c.env, accountId, idOf(c));
  const isOn = device.features.name;
  const said = c.req.query("done") ?? "";
  const { ddnsZone, authority } = c.env.config;
  const object = c.env.devices.get(device.id);
  const [state, own] = [await object.certificate(), await object.ownRecords()];
  return page(
    c,
    { title: `What DNS says of ${device.label}`, at: "devices", refusal },
    <RecordsPage
      device={device}
      view={isOn ? await readRecords(c.env, accountId, device.id) : null}
      signing={isOn ? await signingKeyState(c.env, accountId, device.id) : null}
      made={made}
      isKeptOut={state !== null && own !== null && isKeptOut(authority, state, own)}
      host={`${device.label}.${ddnsZone}`}
      zone={ddnsZone}
      done={Object.hasOwn(done, said) ? (done[said] as string) : null}
      typed={typed}
      errors={refusal?.errors}
    />,
  );
}
