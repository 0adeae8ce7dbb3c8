/** Routes of devices: the list, adding one, one device, and what can be changed about it. */

import {
  type AccessMode,
  accessModes,
  type DeviceDescription,
  type FeatureName,
  featureNames,
} from "../durable-objects/device/rpc.ts";
import { doorOrigin } from "../workers/config.ts";
import {
  allow,
  disallow,
  getDevice,
  listDevices,
  lookupEnrolment,
  ownReach,
  setAccess,
  setFeature,
} from "../workers/devices/devices.ts";
import { addDevice, removeDevice } from "../workers/devices/owning.ts";
import { checkPort } from "../workers/devices/reachability.ts";
import { confirmed, signedIn } from "../workers/guard.ts";
import { type Ctx, service } from "../workers/http.ts";
import { waitingOffers } from "../workers/name/offers.ts";
import { Problem } from "../workers/problem.ts";
import { clientOf } from "../workers/sign-in/client.ts";
import { type Refusal, readForm, refusalOf } from "./forms.ts";
import { page, seeOther } from "./page.ts";
import { DevicePage } from "./pages/device.tsx";
import type { Found } from "./pages/device-reachability.tsx";
import { AddDevicePage, DevicesPage } from "./pages/devices.tsx";
import { SwitchOffPage, UnregisterPage } from "./pages/leave-device.tsx";

const MINUTE_MS = 60_000;

export const devices = service();
devices.use("/devices", signedIn);
devices.use("/devices/*", signedIn);

/** What a redirect may say was done; anything else says nothing. */
const done: Readonly<Record<string, string>> = {
  added: "Added. Everything is still switched off: choose below what it may do.",
  "link-on": "The door is on. It opens for you alone until you say otherwise.",
  "link-off": "The door is off. Every visit has ended and what it kept is deleted.",
  "name-on": "The name is on. It answers with the address the box is connected from.",
  "name-off": "The name is off. Its addresses and its passwords are deleted.",
  "lan-on": "The shortcut is on. The box says where it is as soon as it is connected.",
  "lan-off": "The shortcut is off. Where the box is at home is deleted.",
  access: "Saved. It holds from now on.",
  listed: "On the list.",
  unlisted: "Off the list. If they were in, they are out.",
  unregistered: "Unregistered. Everything we held about it is dropped.",
};

function doneOf(c: Ctx): string | null {
  const key = c.req.query("done") ?? "";
  return Object.hasOwn(done, key) ? (done[key] as string) : null;
}

devices.get("/devices", async (c) => {
  const me = c.var.accountId;
  const list = await listDevices(c.env, me);
  return page(
    c,
    { title: "Your devices", at: "devices" },
    <DevicesPage
      devices={list}
      offers={await waitingOffers(c.env, me)}
      origin={c.env.config.origin}
      now={c.env.clock.now()}
      done={doneOf(c)}
    />,
  );
});

devices.get("/devices/add", async (c) => {
  const code = (c.req.query("code") ?? "").trim();
  if (code === "") return addPage(c, { code, label: "" }, null);
  return await foundPage(c, { code, label: "" });
});

devices.post("/devices/add", async (c) => {
  const form = await readForm(c);
  const typed = { code: form("code"), label: form("label") };
  let device: DeviceDescription | null = null;
  const refusal = await refusalOf(
    async () => {
      const request = { userCode: typed.code, label: typed.label };
      device = await addDevice(c.env, c.var.accountId, request, clientOf(c));
    },
    { user_code: "code" },
  );
  if (device !== null)
    return seeOther(c, `/devices/${(device as DeviceDescription).id}?done=added`);
  if (refusal?.errors.code !== undefined) return addPage(c, typed, null, refusal);
  return await foundPage(c, typed, refusal);
});

/** The second step of adding: the device behind the code, to compare and to name. */
async function foundPage(
  c: Ctx,
  typed: { code: string; label: string },
  refusal?: Refusal | null,
): Promise<Response> {
  let found: Awaited<ReturnType<typeof lookupEnrolment>> = null;
  const refused = await refusalOf(async () => {
    found = await lookupEnrolment(c.env, c.var.accountId, typed.code);
    if (found === null) throw new Problem("code-expired", "code");
  });
  return addPage(c, typed, refused === null ? found : null, refused ?? refusal);
}

function addPage(
  c: Ctx,
  typed: { code: string; label: string },
  found: { readonly fingerprint: string; readonly expiresAt: number } | null,
  refusal?: Refusal | null,
): Response {
  const { linkZone, origin } = c.env.config;
  const left = found === null ? 0 : found.expiresAt - c.env.clock.now();
  return page(
    c,
    { title: "Add a device", at: "devices", refusal },
    <AddDevicePage
      typed={typed}
      found={
        found && {
          fingerprint: found.fingerprint,
          minutesLeft: Math.max(1, Math.round(left / MINUTE_MS)),
        }
      }
      linkZone={linkZone}
      origin={origin}
      errors={refusal?.errors}
    />,
  );
}

devices.get("/devices/:id", async (c) => {
  return devicePage(c, await ofThisPage(c));
});

devices.post("/devices/:id/features/:feature", async (c) => {
  const feature = featureOf(c);
  const { id } = await setFeature(c.env, c.var.accountId, c.req.param("id"), feature, true);
  return seeOther(c, `/devices/${id}?done=${feature}-on`);
});

devices.get("/devices/:id/features/:feature/off", async (c) => {
  const feature = featureOf(c);
  const device = await ofThisPage(c);
  if (!device.features[feature]) return seeOther(c, `/devices/${device.id}`);
  return page(
    c,
    { title: `Switch off for ${device.label}`, at: "devices" },
    <SwitchOffPage device={device} feature={feature} host={hostOf(c, device)} />,
  );
});

devices.post("/devices/:id/features/:feature/off", async (c) => {
  const feature = featureOf(c);
  const { id } = await setFeature(c.env, c.var.accountId, c.req.param("id"), feature, false);
  return seeOther(c, `/devices/${id}?done=${feature}-off`);
});

devices.post("/devices/:id/access", async (c) => {
  const form = await readForm(c);
  const mode = accessModes.find((candidate) => candidate === form("mode"));
  if (mode === undefined) throw new Problem("bad-request", "mode");
  const { id } = await setAccess(c.env, c.var.accountId, c.req.param("id"), mode as AccessMode);
  return seeOther(c, `/devices/${id}?done=access`);
});

devices.post("/devices/:id/people", async (c) => {
  const form = await readForm(c);
  const person = form("person").trim();
  const id = c.req.param("id");
  const refusal = await refusalOf(() => allow(c.env, c.var.accountId, id, person), {
    account: "person",
    "": "person",
  });
  if (refusal === null) return seeOther(c, `/devices/${id}?done=listed`);
  const errors =
    refusal.status === 400
      ? { person: "This is not a Latchkey ID: it begins with acc_ and ends with 16 characters." }
      : refusal.errors;
  return devicePage(c, await ofThisPage(c), { refusal: { ...refusal, errors }, typed: { person } });
});

devices.post("/devices/:id/people/remove", async (c) => {
  const form = await readForm(c);
  const { id } = await disallow(c.env, c.var.accountId, c.req.param("id"), form("person"));
  return seeOther(c, `/devices/${id}?done=unlisted`);
});

devices.post("/devices/:id/reachability", async (c) => {
  const port = Number((await readForm(c))("port"));
  const device = await ofThisPage(c);
  let found: Found | undefined;
  const refusal = await refusalOf(
    async () => {
      found = { port, result: await checkPort(c.env, device, port, false) };
    },
    { "": "port" },
  );
  return devicePage(c, device, { ...(refusal === null ? { found } : { refusal }) });
});

/** Where forms go, a person may come again by the address bar: to the device, then. */
const formPaths = ["reachability", "people", "people/remove", "access", "features/:feature"];
devices.on(
  "GET",
  formPaths.map((path) => `/devices/:id/${path}`),
  (c) => seeOther(c, `/devices/${encodeURIComponent(c.req.param("id") ?? "")}`),
);

// Asked before the page as well, so that its button works.
devices.get("/devices/:id/unregister", confirmed, async (c) => {
  const device = await ofThisPage(c);
  return page(
    c,
    { title: `Unregister ${device.label}`, at: "devices" },
    <UnregisterPage device={device} host={hostOf(c, device)} />,
  );
});

devices.post("/devices/:id/unregister", confirmed, async (c) => {
  await removeDevice(c.env, c.var.accountId, c.req.param("id"), clientOf(c));
  return seeOther(c, "/devices?done=unregistered");
});

function featureOf(c: Ctx): FeatureName {
  const feature = featureNames.find((candidate) => candidate === c.req.param("feature"));
  if (feature === undefined) throw new Problem("not-found");
  return feature;
}

function ofThisPage(c: Ctx): Promise<DeviceDescription> {
  return getDevice(c.env, c.var.accountId, c.req.param("id") ?? "");
}

function hostOf(c: Ctx, { label }: DeviceDescription): string {
  return `${label}.${c.env.config.ddnsZone}`;
}

async function devicePage(
  c: Ctx,
  device: DeviceDescription,
  more: {
    refusal?: Refusal;
    typed?: { person: string };
    found?: Found | undefined;
  } = {},
): Promise<Response> {
  const { refusal, typed, found } = more;
  const reach = device.features.lan ? await ownReach(c.env, c.var.accountId, device.id) : null;
  return page(
    c,
    { title: device.label, at: "devices", refusal },
    <DevicePage
      device={device}
      origin={c.env.config.origin}
      door={doorOrigin(c.env.config, device.label)}
      host={hostOf(c, device)}
      now={c.env.clock.now()}
      reach={reach}
      done={doneOf(c)}
      errors={refusal?.errors}
      typed={typed}
      found={found}
    />,
  );
}
