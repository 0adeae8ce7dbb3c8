/**
 * Whether an account could still be entered: a condition for the statement that takes a way in away,
 * so that two such statements at once never take the last.
 */

import { type SQL, sql } from "drizzle-orm";
import { linkedIdentity } from "../schema/region/linked.ts";
import { passkey } from "../schema/region/passkeys.ts";
import { password } from "../schema/region/sign-in.ts";

/**
 * True where the account has a way in `besides` the one with this identifier; a password has the
 * account's own.
 */
export function waysIn(accountId: string, { besides }: { readonly besides: string }): SQL {
  return sql`(
    EXISTS (SELECT 1 FROM ${password} AS "other"
            WHERE "other"."account_id" = ${accountId} AND "other"."account_id" <> ${besides})
    OR EXISTS (SELECT 1 FROM ${passkey} AS "other"
               WHERE "other"."account_id" = ${accountId} AND "other"."id" <> ${besides})
    OR EXISTS (SELECT 1 FROM ${linkedIdentity} AS "elsewhere"
               WHERE "elsewhere"."account_id" = ${accountId} AND "elsewhere"."id" <> ${besides})
  )`;
}
