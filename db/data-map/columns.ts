/** The kinds of columns that most tables have. */

import type { SealedRule } from "./types.ts";

export const id = { kind: "id" } as const;
export const secret = { kind: "secret hash" } as const;
export const keyedHash = { kind: "keyed hash" } as const;
export const time = { kind: "time" } as const;
export const state = { kind: "state" } as const;

/**
 * A column sealed under the person's key at the place `<at>:<the row's by>`, e.g.
 * `sealed("identifier.address", "id")` for what is sealed at `identifier.address:idn_…`. The export
 * opens it by this rule, so it must say what the code seals at (`sealedAt` in db/queries).
 * @param options.shows the fields of sealed JSON that its owner's export shows, where others are
 *   secrets; `[]` for a secret as a whole. Without it the export shows all.
 * @param options.source who said it, where it was somebody other than the person (SHR-6)
 */
export function sealed<const Column extends string>(
  at: string,
  by: Column,
  options: { readonly shows?: readonly string[]; readonly source?: string } = {},
): SealedRule<Column> {
  return { kind: "sealed", at, by, ...options };
}
