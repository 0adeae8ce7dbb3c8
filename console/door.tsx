/** Routes of a device's door in detail: rules for paths, shares, what the box is told of who comes. */

import {
  accessModes,
  audiences,
  type DeviceDescription,
  identityModes,
} from "../durable-objects/device/rpc.ts";
import { DAY } from "../protocol/limits.ts";
import { webService } from "../protocol/link/headers.ts";
import { isTcpService } from "../protocol/tunnel.ts";
import { note } from "../workers/account/activity.ts";
import { doorOrigin } from "../workers/config.ts";
import {
  allow,
  disallow,
  getDevice,
  listDevices,
  removeRule,
  setIdentity,
  setRule,
} from "../workers/devices/devices.ts";
import { listShares, makeShare, stopShare } from "../workers/devices/shares.ts";
import { signedIn } from "../workers/guard.ts";
import { type Ctx, service } from "../workers/http.ts";
import { Problem } from "../workers/problem.ts";
import { objectToClosure, ownObjection } from "../workers/reports/objections.ts";
import { clientOf } from "../workers/sign-in/client.ts";
import { type FormFields, type Refusal, readForm, refusalOf } from "./forms.ts";
import { page, seeOther } from "./page.ts";
import { DeviceDoorPage } from "./pages/device-door.tsx";
import { shareDays, type TypedAtDoor } from "./pages/device-shares.tsx";

const done: Readonly<Record<string, string>> = {
  saved: "Saved. It holds from now on.",
  stopped: "Stopped. Whoever had it is out.",
  objected: "Sent. The operator looks at the door again, and you are told what comes of it.",
};

export const doorPages = service();
doorPages.use("/devices/share", signedIn);
doorPages.use("/devices/:id/door", signedIn);
doorPages.use("/devices/:id/door/*", signedIn);

/** Where a device's own page sends its owner to share what they look at. */
doorPages.get("/devices/share", async (c) => {
  const label = c.req.query("door") ?? "";
  const own = await listDevices(c.env, c.var.accountId);
  const device = own.find((one) => one.label === label);
  if (device === undefined) throw new Problem("not-found");
  const path = encodeURIComponent(c.req.query("path") ?? "");
  return seeOther(c, `/devices/${device.id}/door?path=${path}#share`);
});

doorPages.get("/devices/:id/door", async (c) => {
  const path = c.req.query("path");
  return await doorPage(c, path === undefined ? {} : { typed: { path } });
});

doorPages.post("/devices/:id/door/rules", async (c) => {
  const form = await readForm(c);
  const mode = accessModes.find((one) => one === form("mode"));
  if (mode === undefined) throw new Problem("bad-request", "mode");
  const rule = { service: webService, path: form("rule"), mode };
  return await acted(
    c,
    () => setRule(c.env, c.var.accountId, c.req.param("id"), rule),
    { path: "rule", "": "rule" },
    { rule: rule.path, mode },
  );
});

/** Who may open a tunnel to one of its services; a form of the device's own page. */
doorPages.post("/devices/:id/door/services", async (c) => {
  const form = await readForm(c);
  const mode = accessModes.find((one) => one === form("mode"));
  const named = form("service");
  if (mode === undefined || !isTcpService(named)) throw new Problem("bad-request", "service");
  const [id, rule] = [c.req.param("id"), { service: named, path: "/", mode }];
  const act = () => setRule(c.env, c.var.accountId, id, rule);
  return await acted(c, act, { path: "" }, {}, "?done=access#services");
});

doorPages.post("/devices/:id/door/rules/remove", async (c) => {
  const form = await readForm(c);
  return await acted(c, () => removeRule(c.env, c.var.accountId, c.req.param("id"), form("of")));
});

doorPages.post("/devices/:id/door/rules/people", async (c) => {
  const form = await readForm(c);
  const [id, person] = [c.req.param("id"), form("person").trim()];
  const act = () => allow(c.env, c.var.accountId, id, person, form("of"));
  return await acted(c, act, { account: "" });
});

doorPages.post("/devices/:id/door/rules/people/remove", async (c) => {
  const form = await readForm(c);
  const [id, person] = [c.req.param("id"), form("person").trim()];
  const act = () => disallow(c.env, c.var.accountId, id, person, form("of"));
  return await acted(c, act, { account: "" });
});

doorPages.post("/devices/:id/door/identity", async (c) => {
  const form = await readForm(c);
  const mode = identityModes.find((one) => one === form("identity"));
  if (mode === undefined) throw new Problem("bad-request", "identity");
  return await acted(c, () => setIdentity(c.env, c.var.accountId, c.req.param("id"), mode));
});

doorPages.post("/devices/:id/door/shares", async (c) => {
  const form = await readForm(c);
  let address: string | null = null;
  const refusal = await refusalOf(async () => {
    const wish = wishOf(form, c.env.clock.now());
    const id = c.req.param("id");
    ({ address } = await makeShare(c.env, c.var.accountId, id, wish, clientOf(c)));
  });
  if (refusal === null) return await doorPage(c, { address });
  return await doorPage(c, { refusal, typed: typedOf(form) });
});

doorPages.post("/devices/:id/door/shares/stop", async (c) => {
  const form = await readForm(c);
  const id = c.req.param("id");
  await stopShare(c.env, c.var.accountId, id, form("share"), clientOf(c));
  return seeOther(c, `/devices/${encodeURIComponent(id)}/door?done=stopped`);
});

doorPages.post("/devices/:id/door/objection", async (c) => {
  const words = (await readForm(c))("objection");
  const id = c.req.param("id");
  const act = () => objectToClosure(c.env, c.var.accountId, id, words);
  const refusal = await refusalOf(act, { words: "objection" });
  if (refusal !== null) return await doorPage(c, { refusal, typed: { objection: words } });
  return seeOther(c, `/devices/${encodeURIComponent(id)}/door?done=objected`);
});

/** Where forms go, a person may come again by the address bar: to the page, then. */
const formPaths = [
  "services",
  "rules",
  "rules/remove",
  "rules/people",
  "rules/people/remove",
  "identity",
];
doorPages.on(
  "GET",
  [...formPaths, "shares", "shares/stop", "objection"].map((path) => `/devices/:id/door/${path}`),
  (c) => seeOther(c, `/devices/${encodeURIComponent(c.req.param("id") ?? "")}/door`),
);

function wishOf(form: FormFields, now: number) {
  const audience = audiences.find((one) => one === form("audience"));
  const days = shareDays.find((one) => String(one) === form("days"));
  if (audience === undefined || days === undefined) throw new Problem("bad-request", "audience");
  const people = form("people").trim();
  return {
    path: form("path"),
    name: form("name"),
    audience,
    people: audience !== "people" || people === "" ? [] : people.split(/[\s,;]+/),
    password: audience === "link" && form("password") !== "" ? form("password") : null,
    expiresAt: now + days * DAY,
  };
}

/** What was typed, without the password. */
function typedOf(form: FormFields): TypedAtDoor {
  const names = ["path", "name", "audience", "people", "days"];
  return Object.fromEntries(names.map((name) => [name, form(name)]));
}

/** Does what a form asks for and comes back to the device's page at `backTo`, or says beside its fields why not. */
async function acted(
  c: Ctx,
  work: () => Promise<DeviceDescription>,
  names: Readonly<Record<string, string>> = {},
  typed: TypedAtDoor = {},
  backTo = "/door?done=saved",
): Promise<Response> {
  const refusal = await refusalOf(async () => {
    const { label } = await work();
    const about = { client: clientOf(c), about: label };
    await note(c.env, c.var.accountId, "access-changed", about);
  }, names);
  if (refusal !== null) return await doorPage(c, { refusal, typed });
  return seeOther(c, `/devices/${encodeURIComponent(c.req.param("id") ?? "")}${backTo}`);
}

async function doorPage(
  c: Ctx,
  more: { refusal?: Refusal; typed?: TypedAtDoor; address?: string | null } = {},
): Promise<Response> {
  const id = c.req.param("id") ?? "";
  const device = await getDevice(c.env, c.var.accountId, id);
  const shares = await listShares(c.env, c.var.accountId, id);
  const isClosed = device.access.closed !== null;
  const objection = isClosed ? await ownObjection(c.env, c.var.accountId, id) : null;
  const said = c.req.query("done") ?? "";
  return page(
    c,
    { title: `The door of ${device.label}`, at: "devices", refusal: more.refusal },
    <DeviceDoorPage
      device={device}
      shares={shares}
      door={doorOrigin(c.env.config, device.label)}
      now={c.env.clock.now()}
      objection={objection}
      done={Object.hasOwn(done, said) ? (done[said] as string) : null}
      address={more.address}
      typed={more.typed}
      errors={more.refusal?.errors}
    />,
  );
}
