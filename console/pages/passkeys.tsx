/** The passkeys of an account: adding one, its name, removing it. */

import { limits } from "../../protocol/limits.ts";
import type { PasskeyView } from "../../workers/sign-in/passkeys.ts";
import { AccountFrame } from "../account-nav.tsx";
import { ErrorSummary, Field, type FormErrors } from "../components/form.tsx";
import { Icon } from "../components/icons.tsx";
import { PasskeyForm } from "../components/passkey.tsx";
import { sayDay } from "../words.ts";

interface ListProps {
  readonly passkeys: readonly PasskeyView[];
  /** True when who asks showed a moment ago who they are. */
  readonly fresh: boolean;
  readonly done: string | null;
  readonly errors?: FormErrors | undefined;
}

export function PasskeysPage({ passkeys, fresh, done, errors }: ListProps) {
  return (
    <AccountFrame
      at="passkeys"
      title="Passkeys"
      lead="A passkey signs you in with the finger, face or PIN that unlocks your device. It works on this site only, so nobody can talk you out of it."
      done={done}
    >
      <div class="stack-large">
        <ErrorSummary errors={errors} />
        {passkeys.length === 0 ? <Nothing /> : <List passkeys={passkeys} />}
        {passkeys.length < limits.passkeysPerAccount ? (
          <Add fresh={fresh} />
        ) : (
          <p class="hint">You have as many passkeys as you can have. Remove one to add another.</p>
        )}
      </div>
    </AccountFrame>
  );
}

function Nothing() {
  return (
    <p>
      You have none yet. Add one here, on the device you are holding: from then on the sign-in page
      offers it, and neither an address nor a password is typed.
    </p>
  );
}

function List({ passkeys }: { passkeys: readonly PasskeyView[] }) {
  return (
    <ul class="rows">
      {passkeys.map((passkey) => (
        <li>
          <div>
            <b>
              {passkey.name} {passkey.backedUp && <span class="tag">Synced</span>}
            </b>
            <small>
              Added {sayDay(passkey.createdAt)} · {lastUse(passkey)}
            </small>
          </div>
          <a class="button plain small" href={`/account/passkeys/${passkey.id}`}>
            Change
            <span class="hidden-text"> {passkey.name}</span>
          </a>
        </li>
      ))}
    </ul>
  );
}

const lastUse = ({ usedDay }: PasskeyView): string =>
  usedDay === null ? "not used yet" : `last used ${sayDay(usedDay)}`;

function Add({ fresh }: { fresh: boolean }) {
  if (!fresh) {
    return (
      <div class="stack">
        <p class="hint">A passkey opens your account, so we ask first whether it is you.</p>
        <p class="actions">
          <a class="button" href={`/confirm?return=${encodeURIComponent("/account/passkeys")}`}>
            <Icon name="key" />
            Add a passkey
          </a>
        </p>
      </div>
    );
  }
  return (
    <PasskeyForm
      does="create"
      action="/account/passkeys"
      options="/api/passkeys/options"
      button="Add a passkey"
      missing="This browser cannot make passkeys, or scripts are switched off in it."
    />
  );
}

interface OneProps {
  readonly passkey: PasskeyView;
  /** The name as it was typed, when it was refused. */
  readonly typed?: string | undefined;
  readonly errors?: FormErrors | undefined;
}

export function PasskeyPage({ passkey, typed, errors }: OneProps) {
  const path = `/account/passkeys/${passkey.id}`;
  return (
    <AccountFrame
      at="passkeys"
      title={passkey.name}
      lead={`Added ${sayDay(passkey.createdAt)}, ${lastUse(passkey)}. ${copies(passkey)}`}
    >
      <div class="stack-large">
        <ErrorSummary errors={errors} />
        <form class="form" method="post" action={path} novalidate>
          <Field
            name="name"
            label="Its name"
            value={typed ?? passkey.name}
            maxlength={limits.passkeyNameLength}
            autocomplete="off"
            hint="For you to know it by. Nobody else sees it."
            errors={errors}
          />
          <p class="actions">
            <button class="button" type="submit">
              Keep the name
            </button>
            <a class="button plain" href="/account/passkeys">
              Back
            </a>
          </p>
        </form>
        <section class="stack" aria-labelledby="remove">
          <h2 id="remove">Remove it</h2>
          <p>
            It stops working here at once, everywhere you have it. The other sessions that a passkey
            opened end, and browsers you trust are asked for the second step again. Your device may
            go on offering it until you delete it there, too.
          </p>
          <form method="post" action={`${path}/remove`}>
            <button class="button danger plain" type="submit">
              <Icon name="trash" />
              Remove this passkey
            </button>
          </form>
        </section>
      </div>
    </AccountFrame>
  );
}

const copies = ({ backedUp }: PasskeyView): string =>
  backedUp
    ? "Your password manager keeps it on all your devices."
    : "It is on one device only: should that be lost, so is the passkey.";
