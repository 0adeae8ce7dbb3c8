/** The name of a device in detail: what may speak for it. */

import { Done, ErrorSummary, Notice } from "../components/form.tsx";
import { type NamePageProps, TokensSubject } from "./name-tokens.tsx";

export type { TypedAtName } from "./name-tokens.tsx";

export function NamePage(props: NamePageProps) {
  const { device, host, done, errors } = props;
  return (
    <>
      <Done text={done} />
      <ErrorSummary errors={errors} />
      <header class="page-head">
        <div>
          <a class="crumb" href={`/devices/${device.id}`}>
            {device.label}
          </a>
          <h1>The name of {device.label}</h1>
          <p class="lead mono">{host}</p>
        </div>
      </header>
      {device.features.name ? (
        <TokensSubject {...props} />
      ) : (
        <Notice tone="brass">
          <p>
            The name is off, so there is nothing to speak for.{" "}
            <a href={`/devices/${device.id}#name`}>Switch it on</a>
          </p>
        </Notice>
      )}
    </>
  );
}
