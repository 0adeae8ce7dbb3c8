/** Where somebody is reached: the field for an address, and the code that was sent there. */

import { Field, type FormErrors, Notice } from "./form.tsx";

/** How the field for an address is called. */
const addressLabel = (phones: boolean): string =>
  phones ? "E-mail address or phone number" : "E-mail address";

interface AddressFieldProps {
  readonly phones: boolean;
  readonly autocomplete?: string;
  readonly value?: string | undefined;
  readonly errors?: FormErrors | undefined;
  readonly hint?: string;
}

/** Where somebody is reached, and what they sign in with. */
export function AddressField({ phones, autocomplete = "username", ...rest }: AddressFieldProps) {
  return (
    <Field
      name="address"
      label={addressLabel(phones)}
      type={phones ? "text" : "email"}
      inputmode="email"
      autocomplete={autocomplete}
      spellcheck={false}
      {...rest}
    />
  );
}

/** Six digits that came in a message. */
export function CodeField({ errors }: { errors: FormErrors | undefined }) {
  return (
    <Field
      name="code"
      label="The code from the message"
      autocomplete="one-time-code"
      inputmode="numeric"
      class="mono"
      spellcheck={false}
      errors={errors}
    />
  );
}

/** Where messages go on a Latchkey for trying out; nothing where they are really sent. */
export function MessagesHere({ mailPage }: { mailPage: string | null }) {
  if (mailPage === null) return null;
  return (
    <Notice tone="brass">
      <p>
        This is a Latchkey for trying out: messages stay on this machine.{" "}
        <a href={mailPage}>Show the messages</a>
      </p>
    </Notice>
  );
}
