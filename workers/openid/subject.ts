/** How an app knows a person: by an identifier that it shares with no other app. */

import type { Ports } from "../ports.ts";

/**
 * The pairwise subject of an account at a client (OpenID Connect Core §8.1): the same at every sign-in,
 * and of no use for finding the same person at another client.
 */
export async function subjectOf(ports: Ports, accountId: string, clientId: string) {
  return await ports.names.hash("subject", `${accountId}\n${clientId}`);
}
