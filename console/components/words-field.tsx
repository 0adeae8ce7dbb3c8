/** A field for some sentences, with its hint and its error; keeps what was typed. */

import type { FormErrors } from "./form.tsx";
import { Icon } from "./icons.tsx";

interface WordsFieldProps {
  readonly name: string;
  readonly label: string;
  readonly hint: string;
  readonly value?: string | undefined;
  readonly maxlength: number;
  readonly errors?: FormErrors | undefined;
}

export function WordsField({ name, label, hint, value, maxlength, errors }: WordsFieldProps) {
  const error = errors?.[name];
  return (
    <div class="field">
      <label for={name}>{label}</label>
      <textarea
        class="input"
        id={name}
        name={name}
        rows={5}
        maxlength={maxlength}
        dir="auto"
        required
        aria-invalid={error === undefined ? undefined : "true"}
        aria-describedby={error === undefined ? `${name}-hint` : `${name}-hint ${name}-error`}
      >
        {value}
      </textarea>
      <p class="hint" id={`${name}-hint`}>
        {hint}
      </p>
      {error !== undefined && (
        <p class="error" id={`${name}-error`}>
          <Icon name="warning" />
          <span>{error}</span>
        </p>
      )}
    </div>
  );
}
