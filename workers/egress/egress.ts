/**
 * The egress gate: whatever leaves the house passes here, to a recipient and with fields that the
 * data map declares (SHR-1). Anything else fails closed. No other module may call `fetch` or open a
 * connection to the outside.
 */

import { type EgressRecipient, egressMap } from "../../db/data-map/outside.ts";
import type { Egress } from "../ports.ts";

export { smtpTransport } from "./smtp.ts";

/** What a recipient's transport does with the declared fields. */
export type Transports = {
  readonly [R in EgressRecipient]: (fields: Readonly<Record<string, string>>) => Promise<void>;
};

export function egressGate(transports: Transports): Egress {
  return {
    async send(recipient, fields) {
      const declared: readonly string[] | undefined = egressMap[recipient]?.fields;
      if (declared === undefined) throw new Error(`egress to ${recipient} is not declared`);
      for (const field of Object.keys(fields)) {
        if (!declared.includes(field)) throw new Error(`egress field ${field} is not declared`);
      }
      await transports[recipient](fields);
    },
  };
}
