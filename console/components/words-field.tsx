/** A field for some sentences, with its hint and its error; keeps what was typed. */

import { describing, type FormErrors, Labeled } from "./form.tsx";

interface WordsFieldProps {
  readonly name: string;
  readonly label: string;
  readonly hint: string;
  readonly value?: string | undefined;
  readonly maxlength: number;
  readonly errors?: FormErrors | undefined;
}

export function WordsField(props: WordsFieldProps) {
  const { name, label, hint, value, maxlength, errors } = props;
  return (
    <Labeled name={name} label={label} hint={hint} errors={errors}>
      <textarea
        class="input"
        id={name}
        name={name}
        rows={5}
        maxlength={maxlength}
        dir="auto"
        required
        {...describing(props)}
      >
        {value}
      </textarea>
    </Labeled>
  );
}
