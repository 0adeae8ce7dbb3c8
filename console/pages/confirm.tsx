/** Before something is gone: what goes, when, what stays. A page of its own, so it needs no script. */

import { ErrorSummary, Field, type FormErrors } from "../components/form.tsx";
import { Icon } from "../components/icons.tsx";

export interface Going {
  readonly what: string;
  /** When, and what remains. */
  readonly when: string;
}

interface ConfirmProps {
  readonly title: string;
  readonly lead: string;
  readonly going: readonly Going[];
  /** What people might fear for, and need not. */
  readonly staying?: readonly string[];
  readonly action: string;
  readonly button: string;
  readonly back: { readonly href: string; readonly label: string };
  readonly fields?: Readonly<Record<string, string>>;
  readonly password?: boolean;
  readonly errors?: FormErrors | undefined;
}

export function ConfirmPage(props: ConfirmProps) {
  const { title, lead, going, staying, action, button, back, fields, password, errors } = props;
  return (
    <div class="readable stack-large">
      <header>
        <a class="crumb" href={back.href}>
          {back.label}
        </a>
        <h1>{title}</h1>
        <p class="lead">{lead}</p>
      </header>
      <ErrorSummary errors={errors} />
      <section class="stack">
        <h2>What will be gone</h2>
        <ul class="gone">
          {going.map(({ what, when }) => (
            <li>
              <Icon name="trash" />
              <div>
                <b>{what}</b>
                <small>{when}</small>
              </div>
            </li>
          ))}
        </ul>
      </section>
      {staying !== undefined && (
        <section class="stack">
          <h2>What stays</h2>
          <ul>
            {staying.map((text) => (
              <li>{text}</li>
            ))}
          </ul>
        </section>
      )}
      <form class="form" method="post" action={action} novalidate>
        {Object.entries(fields ?? {}).map(([name, value]) => (
          <input type="hidden" name={name} value={value} />
        ))}
        {password && (
          <Field
            name="password"
            label="Your password"
            type="password"
            autocomplete="current-password"
            hint="So that nobody does this at a screen you left open."
            errors={errors}
          />
        )}
        <p class="actions">
          <button class="button danger" type="submit">
            {button}
          </button>
          <a class="button plain" href={back.href}>
            Keep everything
          </a>
        </p>
      </form>
    </div>
  );
}
