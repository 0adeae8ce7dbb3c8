/** Fields and what goes wrong with them: beside the field, and together at the top, announced. */

import type { Child } from "hono/jsx";
import { Icon, type IconName } from "./icons.tsx";

/** What was wrong with a form: a sentence per field; the empty name is the form itself. */
export type FormErrors = Readonly<Record<string, string>>;

interface FieldProps {
  readonly name: string;
  readonly label: string;
  readonly errors?: FormErrors | undefined;
  readonly hint?: Child;
  readonly type?: "text" | "email" | "password";
  readonly value?: string | undefined;
  readonly autocomplete?: string;
  readonly autofocus?: boolean;
  readonly minlength?: number;
  readonly maxlength?: number;
  readonly class?: string;
  readonly inputmode?: "text" | "email" | "numeric";
  readonly spellcheck?: boolean;
  readonly suffix?: string | undefined;
  readonly island?: string;
  /** May be left empty. */
  readonly optional?: boolean;
  readonly dir?: "auto";
}

interface LabeledProps extends Pick<FieldProps, "name" | "label" | "hint" | "errors"> {
  readonly children: Child;
}

/** What one types into, between its label, its hint and its error. */
export function Labeled({ name, label, hint, errors, children }: LabeledProps) {
  const error = errors?.[name];
  return (
    <div class="field">
      <label for={name}>{label}</label>
      {children}
      {hint !== undefined && (
        <p class="hint" id={`${name}-hint`}>
          {hint}
        </p>
      )}
      {error !== undefined && (
        <p class="error" id={`${name}-error`}>
          <Icon name="warning" />
          <span>{error}</span>
        </p>
      )}
    </div>
  );
}

/** Says of what one types into that it is wrong, and where its hint and error stand. */
export function describing({ name, hint, errors }: Pick<FieldProps, "name" | "hint" | "errors">) {
  const error = errors?.[name];
  const described = [
    ...(hint === undefined ? [] : [`${name}-hint`]),
    ...(error === undefined ? [] : [`${name}-error`]),
  ];
  return {
    "aria-invalid": error === undefined ? undefined : ("true" as const),
    "aria-describedby": described.length === 0 ? undefined : described.join(" "),
  };
}

/** A labeled input with its hint and its error; keeps what was typed. */
export function Field(props: FieldProps) {
  const { name, suffix, island } = props;
  const input = (
    <input
      class={`input ${props.class ?? ""}`}
      id={name}
      name={name}
      type={props.type ?? "text"}
      value={props.value}
      autocomplete={props.autocomplete}
      autofocus={props.autofocus}
      minlength={props.minlength}
      maxlength={props.maxlength}
      inputmode={props.inputmode}
      spellcheck={props.spellcheck}
      autocapitalize={props.spellcheck === undefined ? undefined : "none"}
      required={!props.optional}
      dir={props.dir}
      {...describing(props)}
      data-island={island}
    />
  );
  return (
    <Labeled name={name} label={props.label} hint={props.hint} errors={props.errors}>
      {suffix === undefined ? (
        input
      ) : (
        <div class="suffix">
          {input}
          <span class="mono">{suffix}</span>
        </div>
      )}
    </Labeled>
  );
}

/** All errors of a form at its top: announced on load, each leading to its field. */
export function ErrorSummary({ errors }: { errors: FormErrors | undefined }) {
  const entries = Object.entries(errors ?? {});
  if (entries.length === 0) return null;
  return (
    <Notice tone="bad" alert>
      <p>
        <b>{entries.length === 1 ? "This did not work yet" : "Some things need another look"}</b>
      </p>
      <ul>
        {entries.map(([field, text]) => (
          <li>{field === "" ? text : <a href={`#${field}`}>{text}</a>}</li>
        ))}
      </ul>
    </Notice>
  );
}

const icons: Record<"good" | "bad" | "brass", IconName> = {
  good: "check",
  bad: "warning",
  brass: "key",
};

interface NoticeProps {
  readonly tone: "good" | "bad" | "brass";
  /** Spoken at once by a screen reader, and focused. */
  readonly alert?: boolean;
  /** Focused by the console's script: what came of a form, from where Tab goes on. */
  readonly focus?: boolean;
  readonly class?: string;
  readonly children: Child;
}

/** A word from the house: done, not done, or worth knowing. */
export function Notice({ tone, alert, focus = alert, children, ...rest }: NoticeProps) {
  return (
    <div
      class={`notice ${tone === "good" ? "" : tone} ${rest.class ?? ""}`}
      role={alert ? "alert" : tone === "good" ? "status" : undefined}
      tabindex={focus ? -1 : undefined}
      data-focus={focus ? "" : undefined}
    >
      <Icon name={icons[tone]} />
      <div>{children}</div>
    </div>
  );
}

/** What the form before this page did; null for none. */
export function Done({ text }: { text: string | null }) {
  if (text === null) return null;
  return (
    <Notice tone="good" focus class="page-notice">
      <p>{text}</p>
    </Notice>
  );
}

/** Text to take along, with a button that copies it where scripts run. */
export function Command({ text, label }: { text: string; label: string }) {
  return (
    <div class="command">
      <pre>
        <code>{text}</code>
      </pre>
      <button class="copy" type="button" data-copy={text} hidden>
        <Icon name="copy" />
        <span>Copy</span>
        <span class="hidden-text"> {label}</span>
      </button>
    </div>
  );
}

/** Radio buttons, each with what it means; they stand in a fieldset of class `choices`. */
export function Choices({
  name,
  chosen,
  choices,
}: {
  name: string;
  chosen: string;
  choices: readonly (readonly [value: string, title: string, means: string])[];
}) {
  return (
    <>
      {choices.map(([value, title, means]) => (
        <label class="choice">
          <input type="radio" name={name} value={value} checked={value === chosen} />
          <span>
            <b>{title}</b>
            <small>{means}</small>
          </span>
        </label>
      ))}
    </>
  );
}
