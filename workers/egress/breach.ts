/**
 * The range search of a breached-password service: five letters of a SHA-1 leave the house, never the
 * password or its whole hash (k-anonymity; haveibeenpwned.com/API/v3#PwnedPasswords). Part of the
 * egress gate: nobody else may call it.
 */

import { limits } from "../../protocol/limits.ts";

type Fields = Readonly<Record<string, string>>;

/** @param breachUrl what the prefix is appended to, e.g. `https://api.pwnedpasswords.com/range/` */
export function breachTransport(breachUrl: string | null): (fields: Fields) => Promise<string> {
  return async ({ prefix = "" }) => {
    if (breachUrl === null) return "";
    if (!/^[0-9A-F]{5}$/.test(prefix)) throw new Error("not a range");
    const response = await fetch(breachUrl + prefix, {
      // Pads the answer, so that its length tells an observer nothing of the range.
      headers: { "add-padding": "true" },
      redirect: "manual",
      signal: AbortSignal.timeout(limits.breachMs),
    });
    if (!response.ok) throw new Error(`the service answered ${response.status}`);
    return await response.text();
  };
}
