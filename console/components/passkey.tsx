/**
 * A form whose answer an authenticator gives: the island asks it and sends the form, so that the
 * server's answer is a page like any other. Without scripts there is no passkey, and no form.
 */

import { Icon } from "./icons.tsx";

interface Props {
  /** `get` shows a passkey, `create` makes one. */
  readonly does: "get" | "create";
  /** Where the form goes, with the answer in `response`. */
  readonly action: string;
  /** The API route that says what to ask. */
  readonly options: string;
  readonly button: string;
  readonly plain?: boolean;
  /** True to let the browser offer passkeys in a field's autofill as well. */
  readonly autofill?: boolean;
  readonly fields?: Readonly<Record<string, string | null>>;
  /** Said in place of the form where there is no way to ask a passkey. */
  readonly missing?: string | undefined;
}

export function PasskeyForm(props: Props) {
  const { does, action, options, button, plain, autofill, fields, missing } = props;
  return (
    <>
      {missing !== undefined && (
        <p class="hint" data-passkey-missing>
          {missing}
        </p>
      )}
      <form
        class="form"
        method="post"
        action={action}
        data-passkey={does}
        data-options={options}
        data-autofill={autofill ? "" : undefined}
        hidden
      >
        {Object.entries(fields ?? {}).map(
          ([name, value]) => value !== null && <input type="hidden" name={name} value={value} />,
        )}
        <input type="hidden" name="response" />
        <p class="actions">
          <button
            class={`button ${does === "get" ? "wide" : ""} ${plain ? "plain" : ""}`}
            type="submit"
          >
            <Icon name="key" />
            {button}
          </button>
        </p>
        <p class="hint" role="status" data-passkey-says />
      </form>
    </>
  );
}
