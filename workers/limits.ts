/**
 * Limits per network are sized for homes. Where many people share few addresses (a company behind one
 * NAT, or everybody on the machine that tries Latchkey out), the operator multiplies them.
 */

import type { Limits } from "./ports.ts";

/** The kinds of tries that are counted against a network rather than an account or an address. */
const networkKinds: ReadonlySet<string> = new Set([
  "mail-network",
  "sms-network",
  "sign-in-network",
  "second-step-network",
  "breach-network",
  "elsewhere",
  "enrolment",
  "device-code",
  "badauth",
  "port-check-network",
  "report",
  "share-network",
]);

/** `inner`, with `factor` times as many tries for each kind that counts networks. */
export function forNetworks(inner: Limits, factor: number): Limits {
  return {
    take: (kind, subject, max, windowMs) =>
      inner.take(kind, subject, networkKinds.has(kind) ? max * factor : max, windowMs),
  };
}
