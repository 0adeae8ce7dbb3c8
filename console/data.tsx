/** Routes of what is held about a person: the shelf, a copy of all of it, and erasing it. */

import { checkOwner, hasPassword } from "../workers/account/account.ts";
import { clearCookie } from "../workers/cookies.ts";
import { listDevices } from "../workers/devices/devices.ts";
import { confirmed, signedIn } from "../workers/guard.ts";
import { type Ctx, service } from "../workers/http.ts";
import { eraseAccount } from "../workers/privacy/erase.ts";
import { exportAccount } from "../workers/privacy/export.ts";
import { holdings } from "../workers/privacy/holdings.ts";
import { archiveResponse } from "../workers/privacy/routes.ts";
import { clientOf } from "../workers/sign-in/client.ts";
import { type Refusal, readForm, refusalOf } from "./forms.ts";
import { page, seeOther } from "./page.ts";
import { DataPage, ErasePage } from "./pages/data.tsx";

export const data = service();

data.get("/account/data", signedIn, (c) => dataPage(c));

data.post("/account/data/export", signedIn, confirmed, async (c) => {
  const { accountId } = c.var;
  let archive: Awaited<ReturnType<typeof exportAccount>> | null = null;
  const refusal = await refusalOf(async () => {
    archive = await exportAccount(c.env, accountId, clientOf(c));
  });
  return archive === null ? await dataPage(c, refusal) : archiveResponse(archive);
});
/** Where showing again who one is leads back to. */
data.get("/account/data/export", signedIn, (c) => seeOther(c, "/account/data"));

data.get("/account/erase", signedIn, (c) => erasePage(c));

data.post("/account/erase", signedIn, async (c) => {
  const form = await readForm(c);
  const { accountId } = c.var;
  const refusal = await refusalOf(async () => {
    await checkOwner(c.env, c.var, form("password"));
    await eraseAccount(c.env, accountId);
  });
  if (refusal !== null) {
    const wrong = refusal.status === 401;
    return await erasePage(
      c,
      wrong ? { ...refusal, errors: { password: "This is not your password." } } : refusal,
    );
  }
  clearCookie(c, "__Host-sid");
  return seeOther(c, "/sign-in?erased");
});

async function dataPage(c: Ctx, refusal?: Refusal | null): Promise<Response> {
  const { accountId } = c.var;
  const [held, devices] = await Promise.all([
    holdings(c.env, accountId),
    listDevices(c.env, accountId),
  ]);
  return page(
    c,
    { title: "Privacy", at: "privacy", refusal },
    <DataPage
      holdings={held}
      labels={new Map(devices.map(({ id, label }) => [id, label]))}
      now={c.env.clock.now()}
      errors={refusal?.errors}
    />,
  );
}

async function erasePage(c: Ctx, refusal?: Refusal): Promise<Response> {
  const { accountId } = c.var;
  const [held, devices, password] = await Promise.all([
    holdings(c.env, accountId),
    listDevices(c.env, accountId),
    hasPassword(c.env, accountId),
  ]);
  return page(
    c,
    { title: "Erase your account", at: "privacy", refusal },
    <ErasePage
      holdings={held}
      devices={devices.map(({ label }) => label)}
      password={password}
      errors={refusal?.errors}
    />,
  );
}
