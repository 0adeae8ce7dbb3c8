/** Routes of the personal access tokens in the account center. */

import { limits } from "../protocol/limits.ts";
import {
  endPersonalToken,
  listPersonalTokens,
  makePersonalToken,
  tokenScopes,
} from "../workers/account/personal-tokens.ts";
import { confirmed, signedIn } from "../workers/guard.ts";
import { type Ctx, service } from "../workers/http.ts";
import { clientOf } from "../workers/sign-in/client.ts";
import { type Refusal, readForm, refusalOf } from "./forms.ts";
import { page, seeOther } from "./page.ts";
import { TokensPage, type TypedToken } from "./pages/tokens.tsx";

const LIST = "/account/tokens";

export const tokenPages = service();
tokenPages.use(LIST, signedIn);
tokenPages.use(`${LIST}/*`, signedIn);

tokenPages.get(LIST, (c) => tokensPage(c));

tokenPages.post(LIST, confirmed, async (c) => {
  const form = await readForm(c);
  const typed = {
    name: form("name"),
    scopes: tokenScopes.filter((scope) => form(scope) === "yes"),
    days: Number(form("days")),
  };
  let made: string | null = null;
  const refusal = await refusalOf(async () => {
    made = (await makePersonalToken(c.env, c.var.accountId, typed, clientOf(c))).token;
  });
  return refusal === null
    ? await tokensPage(c, { made })
    : await tokensPage(c, { typed, refusal: inWords(refusal) });
});

tokenPages.post(`${LIST}/end`, async (c) => {
  const form = await readForm(c);
  await endPersonalToken(c.env, c.var.accountId, form("token"), clientOf(c));
  return seeOther(c, `${LIST}?done=ended`);
});

/** Where the form above was sent to, fetched anew. */
tokenPages.get(`${LIST}/end`, (c) => seeOther(c, LIST));

const sentences: Readonly<Record<string, string>> = {
  name: `Say in 1 to ${limits.personalTokenNameLength} characters what it is for.`,
  scopes: "Choose at least one thing that it may do.",
  days: "Choose how long it works.",
};

function inWords({ status, errors }: Refusal): Refusal {
  const said = Object.entries(errors).map(([field, text]) => [field, sentences[field] ?? text]);
  return { status, errors: Object.fromEntries(said) };
}

interface Shown {
  readonly made?: string | null;
  readonly typed?: TypedToken;
  readonly refusal?: Refusal;
}

async function tokensPage(c: Ctx, { made = null, typed, refusal }: Shown = {}): Promise<Response> {
  const tokens = await listPersonalTokens(c.env, c.var.accountId);
  const ended = c.req.query("done") === "ended";
  return page(
    c,
    { title: "Access tokens", at: "account", refusal },
    <TokensPage
      tokens={tokens}
      fresh={c.env.clock.now() - c.var.confirmedAt < limits.confirmedMs}
      made={made}
      done={ended ? "The token is ended. Programs that hold it get nothing any more." : null}
      typed={typed}
      errors={refusal?.errors}
    />,
  );
}
