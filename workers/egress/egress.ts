/**
 * The egress gate: whatever leaves the house passes here, to a recipient and with fields that the
 * data map declares (SHR-1). Anything else fails closed. No other module may call `fetch` or open a
 * connection to the outside.
 */

import { type EgressRecipient, egressMap } from "../../db/data-map/outside.ts";
import type { CloudflareZone } from "../config.ts";
import type { Egress, EgressAnswers } from "../ports.ts";
import type { smtpTransport as SmtpTransport } from "./smtp.ts";

export { authorityTransport } from "./authority.ts";
export { breachTransport } from "./breach.ts";
export { identityTransport } from "./identity.ts";
export { smsTransport } from "./sms.ts";

/** Mail over SMTP (smtp.ts), whose library is loaded with the first mail. */
export function smtpTransport(...settings: Parameters<typeof SmtpTransport>): Transports["mail"] {
  return async (fields) => (await import("./smtp.ts")).smtpTransport(...settings)(fields);
}

/** One port of the asker's own address (port.ts), which is loaded with the first. */
export function portTransport(allowTrial: boolean): Transports["asker's own port"] {
  return async (fields) => (await import("./port.ts")).portTransport(allowTrial)(fields);
}

/** The operator's resolver (resolver.ts), which is loaded with the first question. */
export function resolverTransport(url: string | null): Transports["dns resolver"] {
  return async (fields) => (await import("./resolver.ts")).resolverTransport(url)(fields);
}

/** The zone at Cloudflare's DNS (cloudflare.ts), which is loaded with the first request. */
export function cloudflareTransport(zone: CloudflareZone | null): Transports["cloudflare dns"] {
  return async (fields) => (await import("./cloudflare.ts")).cloudflareTransport(zone)(fields);
}

/** What a recipient's transport does with the declared fields. */
export type Transports = {
  readonly [R in EgressRecipient]: (
    fields: Readonly<Record<string, string>>,
  ) => Promise<EgressAnswers[R]>;
};

/** Something was to leave that the data map does not declare. It names nothing: it may be logged. */
export class EgressRefused extends Error {
  override readonly name = "EgressRefused";

  constructor(what: "recipient" | "field") {
    super(`this ${what} is not declared in the data map`);
  }
}

/** The gate before `transports`. @throws EgressRefused before anything was sent */
export function egressGate(transports: Transports): Egress {
  return {
    async send(recipient, fields) {
      if (!Object.hasOwn(egressMap, recipient)) throw new EgressRefused("recipient");
      const declared: readonly string[] = egressMap[recipient].fields;
      const known = Object.entries(fields).every(
        ([field, value]) => declared.includes(field) && typeof value === "string",
      );
      if (!known) throw new EgressRefused("field");
      return await transports[recipient](fields);
    },
  };
}
