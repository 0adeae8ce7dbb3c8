/** Routes of a device's name in detail: the passwords that routers and programs use. */

import { type NameScope, nameScopes } from "../durable-objects/device/rpc.ts";
import { DAY, limits } from "../protocol/limits.ts";
import { getDevice } from "../workers/devices/devices.ts";
import { signedIn } from "../workers/guard.ts";
import { type Ctx, service } from "../workers/http.ts";
import {
  endNameToken,
  excuseNameToken,
  listNameTokens,
  makeNameToken,
  nameHistory,
} from "../workers/name/tokens.ts";
import { clientOf } from "../workers/sign-in/client.ts";
import { type FormFields, type Refusal, readForm, refusalOf } from "./forms.ts";
import { page, seeOther } from "./page.ts";
import { NamePage, type TypedAtName } from "./pages/name.tsx";

const done: Readonly<Record<string, string>> = {
  ended: "Ended. What still uses that password is refused from now on.",
  excused: "It goes on. Should it ask too often again, you find it here again.",
};

export const namePages = service();
namePages.use("/devices/:id/name", signedIn);
namePages.use("/devices/:id/name/*", signedIn);

namePages.get("/devices/:id/name", (c) => namePage(c));

/** The one answer that is no redirect: the password is in this page and nowhere else. */
namePages.post("/devices/:id/name/tokens", async (c) => {
  const form = await readForm(c);
  const typed = typedOf(form);
  let secret = "";
  const refusal = await refusalOf(
    async () => {
      const id = c.req.param("id");
      const asked = askedOf(form, c.env.clock.now());
      ({ secret } = await makeNameToken(c.env, c.var.accountId, id, asked, clientOf(c)));
    },
    { name: "for", "": "for" },
  );
  if (refusal !== null) return await namePage(c, { typed, refusal: inWords(refusal) });
  return await namePage(c, { made: { secret, scopes: typed.scopes } });
});

namePages.post("/devices/:id/name/tokens/end", async (c) => {
  const [id, token] = [c.req.param("id"), (await readForm(c))("token")];
  await endNameToken(c.env, c.var.accountId, id, token, clientOf(c));
  return seeOther(c, `/devices/${encodeURIComponent(id)}/name?done=ended`);
});

namePages.post("/devices/:id/name/tokens/excuse", async (c) => {
  const [id, token] = [c.req.param("id"), (await readForm(c))("token")];
  await excuseNameToken(c.env, c.var.accountId, id, token, clientOf(c));
  return seeOther(c, `/devices/${encodeURIComponent(id)}/name?done=excused`);
});

/** Where forms go, a person may come again by the address bar: to the page, then. */
namePages.on(
  "GET",
  ["tokens", "tokens/end", "tokens/excuse"].map((path) => `/devices/:id/name/${path}`),
  (c) => seeOther(c, `/devices/${encodeURIComponent(c.req.param("id") ?? "")}/name`),
);

function askedOf(form: FormFields, now: number) {
  const days = Number(form("days"));
  return {
    name: form("for"),
    scopes: scopesOf(form),
    networks: form("networks")
      .split(/[\s,;]+/)
      .filter((text) => text !== ""),
    ...reachOf(form("reach")),
    endsAt: Number.isInteger(days) && days > 0 ? now + days * DAY : null,
  };
}

/** Every name of the device, one of them, or (`*`) all devices. */
const reachOf = (said: string) => ({
  labels: said === "" || said === "*" ? [] : [said],
  allDevices: said === "*",
});

const scopesOf = (form: FormFields): NameScope[] =>
  nameScopes.filter((scope) => form(scope) === "yes");

function typedOf(form: FormFields): TypedAtName {
  const [name, networks, days] = [form("for"), form("networks"), form("days")];
  return { for: name, networks, days, reach: form("reach"), scopes: scopesOf(form) };
}

const sentences: Readonly<Record<string, string>> = {
  scopes: "Choose at least one thing that it may do.",
  networks: `Give up to ${limits.nameTokenNetworks} addresses or networks, such as 2001:db8::/32.`,
};

function inWords({ status, errors }: Refusal): Refusal {
  const said = Object.entries(errors).map(([field, text]) => [field, sentences[field] ?? text]);
  return { status, errors: Object.fromEntries(said) };
}

interface Shown {
  readonly made?: { readonly secret: string; readonly scopes: readonly NameScope[] };
  readonly typed?: TypedAtName;
  readonly refusal?: Refusal;
}

async function namePage(c: Ctx, { made, typed, refusal }: Shown = {}): Promise<Response> {
  const id = c.req.param("id") ?? "";
  const device = await getDevice(c.env, c.var.accountId, id);
  const tokens = device.features.name ? await listNameTokens(c.env, c.var.accountId, id) : [];
  const events = device.features.name ? await nameHistory(c.env, c.var.accountId, id) : [];
  const said = c.req.query("done") ?? "";
  return page(
    c,
    { title: `The name of ${device.label}`, at: "devices", refusal },
    <NamePage
      device={device}
      tokens={tokens}
      events={events}
      host={`${device.label}.${c.env.config.ddnsZone}`}
      origin={c.env.config.origin}
      now={c.env.clock.now()}
      done={Object.hasOwn(done, said) ? (done[said] as string) : null}
      made={made}
      typed={typed}
      errors={refusal?.errors}
    />,
  );
}
