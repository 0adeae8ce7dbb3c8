/** What an app gets to know of a person, by scope (OpenID Connect Core §5.1, §5.4): nothing more. */

import { identifiersOf, personKey, sealedAt } from "../../db/queries/accounts.ts";
import { fieldsOf, type ProfileFieldName } from "../../db/queries/profiles.ts";
import type { Ports } from "../ports.ts";
import type { Scope } from "./scopes.ts";

export interface Claims {
  readonly email?: string;
  readonly email_verified?: boolean;
  readonly phone_number?: string;
  readonly phone_number_verified?: boolean;
  readonly name?: string;
  readonly locale?: string;
  readonly zoneinfo?: string;
}

/** Which field of a profile says a claim. */
const profileClaims = {
  name: "name",
  language: "locale",
  time_zone: "zoneinfo",
} as const satisfies Partial<Record<ProfileFieldName, keyof Claims>>;

/** The claims that `scopes` open; null for an account that was erased. What is not held is left out. */
export async function claimsOf(
  ports: Ports,
  accountId: string,
  scopes: readonly Scope[],
): Promise<Claims | null> {
  const db = ports.regions.db(accountId);
  if (db === null) return null;
  const [rows, fields] = await Promise.all([
    identifiersOf(db, accountId),
    scopes.includes("profile") ? fieldsOf(db, accountId) : [],
  ]);
  if (rows.length === 0) return null;
  const open = (place: string, text: string) =>
    ports.sealer.open(personKey(accountId), place, text);
  const claims: Record<string, string | boolean> = {};
  for (const { id, field, valueSealed } of fields) {
    if (!Object.hasOwn(profileClaims, field)) continue;
    const value = await open(sealedAt.profile(id), valueSealed);
    if (value !== null) claims[profileClaims[field as keyof typeof profileClaims]] = value;
  }
  for (const [kind, claim] of [
    ["email", "email"],
    ["phone", "phone_number"],
  ] as const) {
    const first = scopes.includes(kind) ? rows.find((row) => row.kind === kind) : undefined;
    if (first === undefined) continue;
    const address = await open(sealedAt.address(first.id), first.addressSealed);
    if (address === null) continue;
    claims[claim] = address;
    claims[`${claim}_verified`] = true;
  }
  return claims;
}
