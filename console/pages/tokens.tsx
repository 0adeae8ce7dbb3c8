/** Personal access tokens: those there are, a new one, and the one time it is shown. */

import { limits } from "../../protocol/limits.ts";
import {
  type PersonalTokenView,
  personalTokenDays,
  type TokenScope,
  tokenScopes,
} from "../../workers/account/personal-tokens.ts";
import { AccountFrame } from "../account-nav.tsx";
import { Command, ErrorSummary, Field, type FormErrors, Notice } from "../components/form.tsx";
import { Icon } from "../components/icons.tsx";
import { sayDay } from "../words.ts";

/** What each scope allows, in words. */
const says: Readonly<Record<TokenScope, { name: string; says: string }>> = {
  "account:read": {
    name: "See your account",
    says: "Your Latchkey ID, your address, and how much is held about you.",
  },
  "devices:read": {
    name: "See your devices",
    says: "Their names, whether they are connected, and from where.",
  },
  "devices:write": {
    name: "Change your devices",
    says: "Switch features, say who may come in, make passwords of their names. Not remove them.",
  },
  "devices:connect": {
    name: "Open tunnels to your devices",
    says: "Reach the TCP services that a device offers, such as SSH, from the command line.",
  },
};

/** The lives that the page offers, in days. */
export const tokenDays = [7, 30, 90, personalTokenDays] as const;

export interface TypedToken {
  readonly name: string;
  readonly scopes: readonly TokenScope[];
  readonly days: number;
}

interface Props {
  readonly tokens: readonly PersonalTokenView[];
  /** True when who asks showed a moment ago who they are. */
  readonly fresh: boolean;
  /** The token that was made just now, in full. */
  readonly made?: string | null;
  readonly done: string | null;
  readonly typed?: TypedToken | undefined;
  readonly errors?: FormErrors | undefined;
}

export function TokensPage({ tokens, fresh, made, done, typed, errors }: Props) {
  return (
    <AccountFrame
      at="tokens"
      title="Access tokens"
      lead="A token lets a program of yours do a part of what you can do, by the API. It opens no page and changes nothing about your account."
      done={done}
    >
      <div class="stack-large">
        <ErrorSummary errors={errors} />
        {made != null && (
          <Notice tone="brass" alert>
            <p>
              <b>Copy the token now.</b> It is shown this once; we keep only a hash of it.
            </p>
            <Command text={made} label="the token" />
          </Notice>
        )}
        {tokens.length === 0 ? (
          <p>
            You have none. A program sends one as <code>Authorization: Bearer lk_pat_…</code>, and
            gets no further than what you tick here.
          </p>
        ) : (
          <List tokens={tokens} />
        )}
        {tokens.length > 0 && (
          <p class="aside">
            Somebody else was in your account?{" "}
            <a href="/account/programs">End all tokens and apps</a>.
          </p>
        )}
        <section class="stack" aria-labelledby="new-token">
          <h2 id="new-token">Make a token</h2>
          {fresh ? <NewToken typed={typed} errors={errors} /> : <AskFirst />}
        </section>
      </div>
    </AccountFrame>
  );
}

function List({ tokens }: { tokens: readonly PersonalTokenView[] }) {
  return (
    <ul class="rows">
      {tokens.map(({ id, name, scopes, createdAt, usedDay, expiresAt }) => (
        <li>
          <div>
            <b>{name}</b>
            <small>{scopes.map((scope) => says[scope].name).join(" · ")}</small>
            <small>
              Made {sayDay(createdAt)} ·{" "}
              {usedDay === null ? "not used yet" : `last used ${sayDay(usedDay)}`} · ends{" "}
              {sayDay(expiresAt)}
            </small>
          </div>
          <form method="post" action="/account/tokens/end">
            <input type="hidden" name="token" value={id} />
            <button class="button plain small" type="submit">
              End it
              <span class="hidden-text"> ({name})</span>
            </button>
          </form>
        </li>
      ))}
    </ul>
  );
}

function AskFirst() {
  return (
    <>
      <p class="hint">A token acts as you, so we ask first whether it is you.</p>
      <p class="actions">
        <a class="button" href={`/confirm?return=${encodeURIComponent("/account/tokens")}`}>
          <Icon name="key" />
          Go on
        </a>
      </p>
    </>
  );
}

function NewToken({ typed, errors }: Pick<Props, "typed" | "errors">) {
  const days = typed?.days ?? 30;
  return (
    <form class="form" method="post" action="/account/tokens" novalidate>
      <Field
        name="name"
        label="What is it for?"
        value={typed?.name}
        maxlength={limits.personalTokenNameLength}
        autocomplete="off"
        hint="The program or the machine it goes to, so that you know it again."
        errors={errors}
      />
      <fieldset
        class="choices"
        id="scopes"
        tabindex={-1}
        aria-describedby={errors?.scopes === undefined ? undefined : "scopes-error"}
      >
        <legend>What it may do</legend>
        {errors?.scopes !== undefined && (
          <p class="error" id="scopes-error">
            <Icon name="warning" />
            <span>{errors.scopes}</span>
          </p>
        )}
        {tokenScopes.map((scope) => (
          <label class="choice">
            <input
              type="checkbox"
              name={scope}
              value="yes"
              checked={typed?.scopes.includes(scope) ?? false}
            />
            <span>
              <b>{says[scope].name}</b>
              <small>{says[scope].says}</small>
            </span>
          </label>
        ))}
      </fieldset>
      <fieldset class="choices" id="days">
        <legend>How long it works</legend>
        {tokenDays.map((each) => (
          <label class="choice">
            <input type="radio" name="days" value={String(each)} checked={each === days} />
            <b>{each} days</b>
          </label>
        ))}
      </fieldset>
      <p class="actions">
        <button class="button" type="submit">
          Make the token
        </button>
      </p>
    </form>
  );
}
