/** Reporting the page behind a door: the form, for anybody, and the receipt. */

import { span } from "../../db/data-map/periods.ts";
import { limits } from "../../protocol/limits.ts";
import type { ReportKind } from "../../protocol/reports.ts";
import { Choices, ErrorSummary, Field, type FormErrors } from "../components/form.tsx";
import { WordsField } from "../components/words-field.tsx";

const kinds: readonly (readonly [ReportKind, string, string])[] = [
  ["phishing", "A trap", "It asks for passwords or money and pretends to be somebody else."],
  ["malware", "Harmful programs", "It offers a program that does harm, or runs one."],
  ["illegal", "Something illegal", "What it shows is against the law."],
  ["rights", "Somebody’s rights", "It shows what is somebody’s own: a work, a picture, a secret."],
  ["other", "Something else", "Say below what it is."],
];

export interface TypedReport {
  readonly door: string;
  readonly about: string;
  readonly words: string;
  readonly address: string;
}

interface ReportProps {
  readonly typed: TypedReport;
  /** Sent along, so that a form that is sent twice is one report. */
  readonly once: string;
  readonly linkZone: string;
  readonly errors?: FormErrors | undefined;
}

export function ReportPage({ typed, once, linkZone, errors }: ReportProps) {
  return (
    <div class="narrow stack">
      <header>
        <h1>Report a page</h1>
        <p class="lead">
          Pages under <span class="mono">{linkZone}</span> come from people’s own devices. If one
          does harm, say so: a person looks at it. You need no account.
        </p>
      </header>
      <ErrorSummary errors={errors} />
      <form class="form" method="post" action="/report" novalidate>
        <input type="hidden" name="once" value={once} />
        <Field
          name="door"
          label="The device’s name"
          class="mono"
          value={typed.door}
          autocomplete="off"
          spellcheck={false}
          maxlength={limits.doorPathLength}
          hint={`What stands before .${linkZone} in its address. Of an address only the name is kept.`}
          errors={errors}
        />
        <fieldset class="choices" id="about">
          <legend>What is wrong with it</legend>
          <Choices name="about" chosen={typed.about} choices={kinds} />
        </fieldset>
        <WordsField
          name="words"
          label="In your words"
          hint="Where on the page it is, what it does, how you know. Nothing that nobody needs to know."
          value={typed.words}
          maxlength={limits.reportLength}
          errors={errors}
        />
        <Field
          name="address"
          label="E-mail address, if you want an answer"
          type="email"
          inputmode="email"
          autocomplete="email"
          spellcheck={false}
          optional
          value={typed.address}
          hint="It is deleted when the answer is sent. The owner of the device never sees it."
          errors={errors}
        />
        <button class="button wide" type="submit">
          Send the report
        </button>
      </form>
      <p class="aside">
        We keep what you typed here, sealed, until somebody has decided, {span(limits.reportMs)} at
        most, and {span(limits.reportDecidedMs)} after. Only the operator reads it. We keep nothing
        else about you: not from where you came, not what you looked at.{" "}
        <a href="/privacy">What we hold</a>
      </p>
    </div>
  );
}

export function ReceivedPage({ reference }: { reference: string }) {
  return (
    <div class="narrow stack">
      <header>
        <h1>Your report is here</h1>
        <p class="lead">A person looks at it and decides. If you left an address, you are told.</p>
      </header>
      <dl class="facts">
        <dt>Reference</dt>
        <dd class="mono">{reference}</dd>
      </dl>
      <p>Keep the reference if you may want to ask about it. It opens nothing.</p>
      <p class="actions">
        <a class="button plain" href="/report">
          Report another page
        </a>
      </p>
    </div>
  );
}
