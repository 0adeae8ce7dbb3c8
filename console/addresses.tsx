/** Routes of the account center's parts on addresses and on the password. */

import { limits } from "../protocol/limits.ts";
import { hasPassword } from "../workers/account/account.ts";
import {
  type Address,
  type AddressSent,
  askAddress,
  listAddresses,
  makePrimary,
  removeAddress,
  verifyAddress,
} from "../workers/account/addresses.ts";
import { confirmed, signedIn } from "../workers/guard.ts";
import { type Ctx, service } from "../workers/http.ts";
import { Problem } from "../workers/problem.ts";
import { changePassword, removePassword } from "../workers/sign-in/change-password.ts";
import { clientOf } from "../workers/sign-in/client.ts";
import { ownRecovery, stopOwn } from "../workers/sign-in/lost-step.ts";
import { sendsSms } from "../workers/sign-in/send.ts";
import { type Refusal, readForm, refusalOf } from "./forms.ts";
import { page, seeOther } from "./page.ts";
import { AddAddressPage, AddressesPage, VerifyAddressPage } from "./pages/addresses.tsx";
import { ConfirmPage } from "./pages/confirm.tsx";
import { PasswordPage } from "./pages/password.tsx";

const BOOK = "/account/addresses";
const PASSWORD = "/account/password";

export const addressPages = service();
for (const path of [BOOK, PASSWORD]) {
  addressPages.use(path, signedIn);
  addressPages.use(`${path}/*`, signedIn);
}
for (const path of [`${BOOK}/add`, `${BOOK}/primary`, `${BOOK}/remove`, `${PASSWORD}/remove`]) {
  addressPages.use(path, confirmed);
}

const done: Readonly<Record<string, string>> = {
  added: "The address is yours. You can sign in with it.",
  primary: "Notices go there from now on.",
  removed: "The address is removed, and opens nothing anymore.",
  changed: "Your password is changed. Every other session is over.",
  without: "Your account has no password anymore.",
  stopped: "It is stopped. Change your password, for whoever asked knows it or reads your mail.",
};
const doneText = (c: Ctx): string | null => {
  const key = c.req.query("done") ?? "";
  return Object.hasOwn(done, key) ? (done[key] ?? null) : null;
};

addressPages.get(BOOK, (c) => bookPage(c));

addressPages.get(`${BOOK}/add`, (c) => addPage(c));

addressPages.post(`${BOOK}/add`, async (c) => {
  const address = (await readForm(c))("address");
  let sent: AddressSent | null = null;
  const refusal = await refusalOf(async () => {
    sent = await askAddress(c.env, c.var.accountId, address, clientOf(c));
  });
  return sent === null ? addPage(c, address, refusal) : seeOther(c, verifyPath(sent));
});

const verifyPath = ({ kind, token }: AddressSent): string =>
  `${BOOK}/verify?to=${kind}&token=${token}`;

addressPages.get(`${BOOK}/verify`, (c) => verifyPage(c, c.req.query("token") ?? ""));

addressPages.post(`${BOOK}/verify`, async (c) => {
  const form = await readForm(c);
  const typed = { token: form("token"), code: form("code") };
  const refusal = await refusalOf(() => verifyAddress(c.env, c.var.accountId, typed, clientOf(c)));
  if (refusal === null) return seeOther(c, `${BOOK}?done=added`);
  return verifyPage(c, typed.token, refusal);
});

addressPages.get(`${BOOK}/primary`, (c) => seeOther(c, BOOK));

addressPages.post(`${BOOK}/primary`, async (c) => {
  const id = (await readForm(c))("id");
  const refusal = await refusalOf(() => makePrimary(c.env, c.var.accountId, id, clientOf(c)));
  return refusal === null ? seeOther(c, `${BOOK}?done=primary`) : await bookPage(c, refusal);
});

addressPages.get(`${BOOK}/remove`, async (c) => removePage(c, c.req.query("id") ?? ""));

addressPages.post(`${BOOK}/remove`, async (c) => {
  const id = (await readForm(c))("id");
  const refusal = await refusalOf(() => removeAddress(c.env, c.var.accountId, id, clientOf(c)));
  return refusal === null ? seeOther(c, `${BOOK}?done=removed`) : await bookPage(c, refusal);
});

async function bookPage(c: Ctx, refusal?: Refusal | null): Promise<Response> {
  const addresses = await listAddresses(c.env, c.var.accountId);
  return page(
    c,
    { title: "Addresses", at: "account", refusal },
    <AddressesPage addresses={addresses} done={doneText(c)} errors={refusal?.errors} />,
  );
}

function addPage(c: Ctx, address?: string, refusal?: Refusal | null): Response {
  return page(
    c,
    { title: "Add an address", at: "account", refusal },
    <AddAddressPage phones={sendsSms(c.env)} address={address} errors={refusal?.errors} />,
  );
}

function verifyPage(c: Ctx, token: string, refusal?: Refusal | null): Response {
  return page(
    c,
    { title: "Is it yours?", at: "account", refusal },
    <VerifyAddressPage
      token={token}
      phone={c.req.query("to") === "phone"}
      mailPage={c.env.config.mailPage}
      errors={refusal?.errors}
    />,
  );
}

async function removePage(c: Ctx, id: string): Promise<Response> {
  const own = await listAddresses(c.env, c.var.accountId);
  const address: Address | undefined = own.find((one) => one.id === id);
  if (address === undefined) throw new Problem("not-found");
  return page(
    c,
    { title: "Remove an address", at: "account" },
    <ConfirmPage
      title={`Remove ${address.text}?`}
      lead="It opens your account no longer, and no notice goes there."
      going={[{ what: address.text, when: "At once. Somebody else may use it from then on." }]}
      action={`${BOOK}/remove`}
      button="Remove it"
      back={{ href: BOOK, label: "Addresses" }}
      fields={{ id }}
    />,
  );
}

addressPages.get(PASSWORD, (c) => passwordPage(c));

addressPages.post(PASSWORD, async (c) => {
  const form = await readForm(c);
  const input = { password: form("password"), oldPassword: form("old_password") };
  const refusal = await refusalOf(() => changePassword(c.env, c.var, input, clientOf(c)));
  return refusal === null ? seeOther(c, `${PASSWORD}?done=changed`) : passwordPage(c, refusal);
});

addressPages.get(`${PASSWORD}/remove`, (c) => seeOther(c, PASSWORD));

addressPages.post(`${PASSWORD}/remove`, async (c) => {
  const refusal = await refusalOf(() => removePassword(c.env, c.var, clientOf(c)));
  return refusal === null ? seeOther(c, `${PASSWORD}?done=without`) : passwordPage(c, refusal);
});

addressPages.get(`${PASSWORD}/stop-recovery`, (c) => seeOther(c, PASSWORD));

addressPages.post(`${PASSWORD}/stop-recovery`, async (c) => {
  const stopped = await stopOwn(c.env, c.var.accountId, clientOf(c));
  return seeOther(c, stopped ? `${PASSWORD}?done=stopped` : PASSWORD);
});

async function passwordPage(c: Ctx, refusal?: Refusal): Promise<Response> {
  const { accountId, confirmedAt } = c.var;
  const [has, recovery] = await Promise.all([
    hasPassword(c.env, accountId),
    ownRecovery(c.env, accountId),
  ]);
  const now = c.env.clock.now();
  const wrong = refusal?.errors.old_password !== undefined;
  const errors = wrong ? { old_password: "This is not your password." } : refusal?.errors;
  return page(
    c,
    { title: "Password", at: "account", refusal },
    <PasswordPage
      has={has}
      fresh={now - confirmedAt < limits.confirmedMs}
      recovery={recovery}
      done={doneText(c)}
      errors={errors}
    />,
  );
}
