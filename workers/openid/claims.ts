/** What an app gets to know of a person, by scope (OpenID Connect Core §5.1, §5.4): nothing more. */

import { identifiersOf, personKey, sealedAt } from "../../db/queries/accounts.ts";
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

/** The claims that `scopes` open; null for an account that was erased. What is not held is left out. */
export async function claimsOf(
  ports: Ports,
  accountId: string,
  scopes: readonly Scope[],
): Promise<Claims | null> {
  const db = ports.regions.db(accountId);
  const rows = db === null ? [] : await identifiersOf(db, accountId);
  if (rows.length === 0) return null;
  const first = async (kind: "email" | "phone") => {
    const row = rows.find((one) => one.kind === kind);
    if (row === undefined) return null;
    return await ports.sealer.open(
      personKey(accountId),
      sealedAt.address(row.id),
      row.addressSealed,
    );
  };
  const email = scopes.includes("email") ? await first("email") : null;
  const phone = scopes.includes("phone") ? await first("phone") : null;
  return {
    ...(email === null ? {} : { email, email_verified: true }),
    ...(phone === null ? {} : { phone_number: phone, phone_number_verified: true }),
  };
}
