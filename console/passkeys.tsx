/** Routes of the passkeys in the account center. */

import { limits } from "../protocol/limits.ts";
import { confirmed, signedIn } from "../workers/guard.ts";
import { type Ctx, service } from "../workers/http.ts";
import { Problem } from "../workers/problem.ts";
import { clientOf } from "../workers/sign-in/client.ts";
import {
  addPasskey,
  listPasskeys,
  namePasskey,
  type PasskeyView,
  removePasskey,
} from "../workers/sign-in/passkeys.ts";
import { passkeyAnswer, registrationResponse } from "../workers/sign-in/webauthn.ts";
import { type Refusal, readForm, refusalOf } from "./forms.ts";
import { page, seeOther } from "./page.ts";
import { PasskeyPage, PasskeysPage } from "./pages/passkeys.tsx";

const LIST = "/account/passkeys";

export const passkeyPages = service();
passkeyPages.use(LIST, signedIn);
passkeyPages.use(`${LIST}/*`, signedIn);

const done: Readonly<Record<string, string>> = {
  added: "The passkey is added. From now on the sign-in page offers it.",
  named: "The name is kept.",
  removed: "The passkey is removed. It opens nothing any more.",
};

passkeyPages.get(LIST, (c) => listPage(c));

passkeyPages.post(LIST, confirmed, async (c) => {
  const form = await readForm(c);
  const refusal = await refusalOf(async () => {
    const response = passkeyAnswer(registrationResponse, form("response"));
    await addPasskey(c.env, c.var.accountId, { response }, clientOf(c));
  });
  return refusal === null ? seeOther(c, `${LIST}?done=added`) : await listPage(c, refusal);
});

passkeyPages.get(`${LIST}/:id`, async (c) => onePage(c, await own(c, c.req.param("id"))));

passkeyPages.post(`${LIST}/:id`, async (c) => {
  const id = c.req.param("id");
  const passkey = await own(c, id);
  const name = (await readForm(c))("name");
  const refusal = await refusalOf(() => namePasskey(c.env, c.var.accountId, id, name));
  if (refusal === null) return seeOther(c, `${LIST}?done=named`);
  const errors =
    refusal.errors.name === undefined
      ? refusal.errors
      : { name: `A name has 1 to ${limits.passkeyNameLength} characters.` };
  return onePage(c, passkey, name, { ...refusal, errors });
});

passkeyPages.post(`${LIST}/:id/remove`, confirmed, async (c) => {
  const id = c.req.param("id");
  const passkey = await own(c, id);
  const refusal = await refusalOf(() => removePasskey(c.env, c.var, id, clientOf(c)));
  return refusal === null
    ? seeOther(c, `${LIST}?done=removed`)
    : onePage(c, passkey, undefined, refusal);
});

/** Where the form above was sent to, fetched anew. */
passkeyPages.get(`${LIST}/:id/remove`, (c) => seeOther(c, `${LIST}/${c.req.param("id")}`));

async function own(c: Ctx, id: string): Promise<PasskeyView> {
  const passkey = (await listPasskeys(c.env, c.var.accountId)).find((each) => each.id === id);
  if (passkey === undefined) throw new Problem("not-found");
  return passkey;
}

async function listPage(c: Ctx, refusal?: Refusal): Promise<Response> {
  const passkeys = await listPasskeys(c.env, c.var.accountId);
  return page(
    c,
    { title: "Passkeys", at: "account", refusal },
    <PasskeysPage
      passkeys={passkeys}
      fresh={c.env.clock.now() - c.var.confirmedAt < limits.confirmedMs}
      done={done[c.req.query("done") ?? ""] ?? null}
      errors={refusal?.errors}
    />,
  );
}

function onePage(c: Ctx, passkey: PasskeyView, typed?: string, refusal?: Refusal): Response {
  return page(
    c,
    { title: passkey.name, at: "account", refusal },
    <PasskeyPage passkey={passkey} typed={typed} errors={refusal?.errors} />,
  );
}
