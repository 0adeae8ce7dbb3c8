/**
 * What gets in without its owner's password: personal access tokens, and apps that were allowed. A new
 * password does not end them, for a box at home would stop and nobody would know why; so whoever gets
 * back into an account is shown them, the notice names them, and one button ends them all.
 */

import { endGrant, listGrants } from "../openid/grants.ts";
import type { Ports } from "../ports.ts";
import { Problem } from "../problem.ts";
import type { Client } from "../sign-in/client.ts";
import { endPersonalToken, listPersonalTokens } from "./personal-tokens.ts";

export interface Program {
  readonly kind: "token" | "app";
  readonly id: string;
  readonly name: string;
  /** Of an app: a browser's name or a device's; null for a token. */
  readonly on: string | null;
  /** Start of the day (UTC) of its last use; null when it was never used. */
  readonly usedDay: number | null;
}

/** The tokens, then the apps of an account. */
export async function programsOf(ports: Ports, accountId: string): Promise<Program[]> {
  const [tokens, grants] = await Promise.all([
    listPersonalTokens(ports, accountId),
    listGrants(ports, accountId),
  ]);
  return [
    ...tokens.map(
      ({ id, name, usedDay }) => ({ kind: "token", id, name, on: null, usedDay }) as const,
    ),
    ...grants.map(
      ({ id, app, on, usedDay }) => ({ kind: "app", id, name: app, on, usedDay }) as const,
    ),
  ];
}

/** How each is called in a sentence. */
export const programNames = async (ports: Ports, accountId: string): Promise<string[]> =>
  (await programsOf(ports, accountId)).map(({ kind, name, on }) =>
    kind === "token" ? `${name} (access token)` : `${name} on ${on}`,
  );

/** Ends them all, at once; what another request ended a moment ago is ended. @returns how many */
export async function endPrograms(
  ports: Ports,
  accountId: string,
  client: Client,
): Promise<number> {
  const programs = await programsOf(ports, accountId);
  for (const { kind, id } of programs) {
    if (kind === "app") await endGrant(ports, accountId, id, client);
    else await endPersonalToken(ports, accountId, id, client).catch(unlessGone);
  }
  return programs.length;
}

function unlessGone(error: unknown): void {
  if (!(error instanceof Problem && error.code === "not-found")) throw error;
}
