/**
 * Who may know where a device is at home: its owner, and people whom the owner lets in by name. That a
 * door is open to everyone opens no home network to everyone (CON-10).
 */

import type { RegistrationRow } from "./registration.ts";
import type { WaysView } from "./rpc.ts";
import type { Shortcut } from "./shortcut.ts";

interface Known {
  readonly row: RegistrationRow;
  /** People whom the owner lets in by name. */
  readonly people: readonly string[];
  readonly connection: { readonly online: boolean };
  readonly shortcut: Shortcut;
}

/** What `accountId` may know; null for everybody who is not let in by name. */
export async function waysFor(
  accountId: string,
  { row, people, connection, shortcut }: Known,
): Promise<WaysView | null> {
  const isOwner = accountId === row.account_id;
  const isListed = people.includes(accountId);
  if (!isOwner && !isListed) return null;
  return {
    publicKey: row.public_key,
    isOwner,
    online: connection.online,
    reach: await shortcut.read(),
  };
}
