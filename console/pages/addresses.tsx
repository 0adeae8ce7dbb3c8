/** The account center's part on addresses: the list, adding one, the code that proves it. */

import { limits } from "../../protocol/limits.ts";
import type { Address } from "../../workers/account/addresses.ts";
import { AccountFrame } from "../account-nav.tsx";
import { AddressField, CodeField, MessagesHere } from "../components/address.tsx";
import { ErrorSummary, type FormErrors } from "../components/form.tsx";
import { sayDay } from "../words.ts";

const home = "/account/addresses";

interface BookProps {
  readonly addresses: readonly Address[];
  readonly done: string | null;
  readonly errors?: FormErrors | undefined;
}

export function AddressesPage({ addresses, done, errors }: BookProps) {
  const full = addresses.length >= limits.addressesPerAccount;
  return (
    <AccountFrame
      at="addresses"
      title="Addresses"
      lead="You sign in with any of them, and choose a new password with any of them. Keep at least two, so that one that is lost locks nobody out."
      done={done}
    >
      <ErrorSummary errors={errors} />
      <ul class="rows known">
        {addresses.map((address) => (
          <Row address={address} />
        ))}
      </ul>
      {full ? (
        <p class="hint after-list">You have as many as you can have. Remove one to add another.</p>
      ) : (
        <p class="after-list">
          <a class="button" href={`${home}/add`} data-command="Add an address">
            Add an address
          </a>
        </p>
      )}
    </AccountFrame>
  );
}

function Row({ address }: { address: Address }) {
  const { id, text, primary, secondStep, verifiedAt } = address;
  return (
    <li>
      <div>
        <b>
          {text} {primary && <span class="tag">Notices go here</span>}
          {secondStep && <span class="tag">Second step</span>}
        </b>
        <small>Yours since {sayDay(verifiedAt)}</small>
      </div>
      {!primary && (
        <div class="actions">
          <form method="post" action={`${home}/primary`}>
            <input type="hidden" name="id" value={id} />
            <button class="button plain small" type="submit">
              Send notices here<span class="hidden-text"> ({text})</span>
            </button>
          </form>
          {!secondStep && (
            <a class="button plain small" href={`${home}/remove?id=${id}`}>
              Remove<span class="hidden-text"> {text}</span>
            </a>
          )}
        </div>
      )}
    </li>
  );
}

interface AddProps {
  readonly phones: boolean;
  readonly address?: string | undefined;
  readonly errors?: FormErrors | undefined;
}

export function AddAddressPage({ phones, address, errors }: AddProps) {
  return (
    <AccountFrame at="addresses" title="Add an address">
      <ErrorSummary errors={errors} />
      <form class="form" method="post" action={`${home}/add`} novalidate>
        <AddressField
          phones={phones}
          autocomplete={phones ? "off" : "email"}
          value={address}
          errors={errors}
          hint="We send a code there, to see that it is yours."
        />
        <p class="actions">
          <button class="button" type="submit">
            Send the code
          </button>
          <a class="button plain" href={home}>
            Back
          </a>
        </p>
      </form>
    </AccountFrame>
  );
}

interface VerifyProps {
  readonly token: string;
  readonly phone: boolean;
  readonly mailPage: string | null;
  readonly errors?: FormErrors | undefined;
}

export function VerifyAddressPage({ token, phone, mailPage, errors }: VerifyProps) {
  return (
    <AccountFrame
      at="addresses"
      title="Is it yours?"
      lead={`We sent a ${phone ? "text message" : "mail"} there. Type its code within ${limits.challengeMs / 60_000} minutes.`}
    >
      <ErrorSummary errors={errors} />
      <MessagesHere mailPage={mailPage} />
      <form class="form" method="post" action={`${home}/verify`} novalidate>
        <input type="hidden" name="token" value={token} />
        <CodeField errors={errors} />
        <p class="actions">
          <button class="button" type="submit">
            Add the address
          </button>
          <a class="button plain" href={`${home}/add`}>
            Ask for another code
          </a>
        </p>
      </form>
      <p class="aside">
        A message without a code says why. We tell nobody but its reader whether an address has an
        account.
      </p>
    </AccountFrame>
  );
}
