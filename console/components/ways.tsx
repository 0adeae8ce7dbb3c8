/** The ways to show who one is: one form for the way that is chosen, and links to the others. */

import type { Child } from "hono/jsx";
import { Field, type FormErrors, Notice } from "./form.tsx";

/** Everything that is typed to show who one is. */
export type TypedWay = "password" | "totp" | "sms" | "recovery-code" | "contact";

/** How a link names a way. */
const links: Readonly<Record<TypedWay, string>> = {
  password: "Your password",
  totp: "A code from your app",
  sms: "A code by text message",
  "recovery-code": "A recovery code",
  contact: "A code that we send you",
};

const fields: Readonly<Record<Exclude<TypedWay, "password">, { label: string; hint: string }>> = {
  totp: {
    label: "The code from your app",
    hint: "Six digits, new every half minute. Each works once.",
  },
  sms: { label: "The code from the text message", hint: "Six digits. It works once." },
  "recovery-code": {
    label: "A recovery code",
    hint: "Twelve letters and digits from the list you printed or saved. Each works once.",
  },
  contact: { label: "The code from our message", hint: "Six digits. It works once." },
};

/** True for ways whose code has to be sent first. */
export const isSent = (way: string): way is "sms" | "contact" => way === "sms" || way === "contact";

/** The one field of a way. */
export function WayField({ way, errors }: { way: TypedWay; errors: FormErrors | undefined }) {
  if (way === "password") {
    return (
      <Field
        name="password"
        label="Your password"
        type="password"
        autocomplete="current-password"
        autofocus
        errors={errors}
      />
    );
  }
  return (
    <Field
      name="code"
      label={fields[way].label}
      hint={fields[way].hint}
      autocomplete={way === "recovery-code" ? "off" : "one-time-code"}
      inputmode={way === "recovery-code" ? "text" : "numeric"}
      class="mono"
      spellcheck={false}
      autofocus
      errors={errors}
    />
  );
}

interface SendProps {
  readonly way: "sms" | "contact";
  readonly action: string;
  readonly returnTo: string | null;
  /** True when a code was sent just now. */
  readonly sent: boolean;
  readonly mailPage: string | null;
}

/** Asks for the code of a way that needs one sent, or says that it is on its way. */
export function SendCode({ way, action, returnTo, sent, mailPage }: SendProps) {
  return (
    <>
      {sent && (
        <Notice tone="good" focus>
          <p>
            The code is on its way. It works once, within 15 minutes.
            {mailPage !== null && (
              <>
                {" "}
                On this machine, messages stay here: <a href={mailPage}>show them</a>.
              </>
            )}
          </p>
        </Notice>
      )}
      <form class="form" method="post" action={action} novalidate>
        <Return to={returnTo} />
        <input type="hidden" name="way" value={way} />
        <button class={sent ? "button plain small" : "button wide"} type="submit">
          {sent ? "Send a new code" : "Send me a code"}
        </button>
      </form>
    </>
  );
}

/** Where a form goes on to, taken along. */
export function Return({ to }: { to: string | null }) {
  return to === null ? null : <input type="hidden" name="return" value={to} />;
}

interface OthersProps {
  readonly ways: readonly { readonly way: string; readonly name: string }[];
  readonly path: string;
  readonly returnTo: string | null;
}

/** Links to the ways that are not shown. */
export function OtherWays({ ways, path, returnTo }: OthersProps) {
  if (ways.length === 0) return null;
  const to = returnTo === null ? "" : `&return=${encodeURIComponent(returnTo)}`;
  return (
    <nav class="stack" aria-labelledby="other-ways">
      <h2 id="other-ways">Another way</h2>
      <ul class="plain-list">
        {ways.map(({ way, name }) => (
          <li>
            <a href={`${path}?way=${way}${to}`}>{name}</a>
          </li>
        ))}
      </ul>
    </nav>
  );
}

/** The name of a way in a list of links. */
export const wayName = (way: TypedWay): string => links[way];

/** Where a form says that something more is asked of it: beside its field, and its button below. */
export function WayForm(props: {
  readonly action: string;
  readonly way: TypedWay;
  readonly returnTo: string | null;
  readonly errors: FormErrors | undefined;
  readonly button: string;
  readonly children?: Child;
}) {
  const { action, way, returnTo, errors, button, children } = props;
  return (
    <form class="form" method="post" action={action} novalidate>
      <Return to={returnTo} />
      <input type="hidden" name="way" value={way} />
      <WayField way={way} errors={errors} />
      {children}
      <button class="button wide" type="submit">
        {button}
      </button>
    </form>
  );
}
