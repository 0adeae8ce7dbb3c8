/**
 * The way to an account elsewhere and back, in one cookie of the browser that walks it (`__Host-fed`):
 * sealed under a key of ours, good for a few minutes. It never holds a token of a provider. Because the
 * state lives in the browser, a callback that somebody else's browser brings leads nowhere.
 */

import { limits } from "../../protocol/limits.ts";
import { localPath } from "../../protocol/local-path.ts";
import { base64url } from "../../protocol/tokens.ts";
import { clearCookie, readCookie, setCookie } from "../cookies.ts";
import type { Ctx } from "../http.ts";
import type { Ports } from "../ports.ts";
import { Problem } from "../problem.ts";
import { type Client, limitedNetwork } from "../sign-in/client.ts";
import type { IdentityProvider } from "./configuration.ts";
import { leaveForFacebook, returnFromFacebook } from "./facebook.ts";
import { type Identity, IdentityError, type Leave } from "./identity.ts";
import { leaveForOpenId, returnFromOpenId } from "./openid.ts";

/** What somebody goes there for. */
export type Purpose =
  | { readonly kind: "sign-in" }
  /** To show that a sign-up by mail is theirs: the secret in the mail's link. */
  | { readonly kind: "sign-up"; readonly token: string }
  /** Bound to the session that asked. */
  | { readonly kind: "link" | "confirm"; readonly sessionId: string };

interface Trip {
  /** Random: each way there and back is used once. */
  readonly id: string;
  readonly provider: string;
  readonly purpose: Purpose;
  /** A path of ours. */
  readonly returnTo: string | null;
  /** Milliseconds since the epoch. */
  readonly expiresAt: number;
}

interface Away extends Trip {
  readonly at: "away";
  readonly leave: Leave;
}

/** Somebody who came back, and whom the provider says they are. */
export interface Arrival extends Trip {
  readonly at: "back";
  readonly identity: Identity;
}

const KEY = "system/elsewhere";
const PLACE = "cookie.fed";
const SECRET_BYTES = 32;

/** The provider of that name. @throws Problem `not-found` */
export function providerOf(ports: Ports, id: string): IdentityProvider {
  const found = ports.config.identityProviders.find((provider) => provider.id === id);
  if (found === undefined) throw new Problem("not-found");
  return found;
}

export interface Departure {
  readonly purpose: Purpose;
  readonly returnTo?: string | null | undefined;
  readonly client: Client;
}

/**
 * Sets out: remembers the way in the browser.
 * @returns the provider's address to go to
 * @throws Problem `not-found`, `too-many-tries`, `provider-unavailable`
 */
export async function setOut(
  c: Ctx,
  providerId: string,
  { purpose, returnTo, client }: Departure,
): Promise<string> {
  const ports = c.env;
  const provider = providerOf(ports, providerId);
  const { elsewherePerNetwork, elsewhereWindowMs, elsewhereMs } = limits;
  const network = limitedNetwork(client.peer);
  if (!(await ports.limits.take("elsewhere", network, elsewherePerNetwork, elsewhereWindowMs))) {
    throw new Problem("too-many-tries");
  }
  const now = ports.clock.now();
  const random = () => base64url(ports.random.bytes(SECRET_BYTES));
  const fresh = purpose.kind === "confirm";
  const leave = { state: random(), nonce: random(), verifier: random(), fresh, leftAt: now };
  const url = await orProblem(ports, async () =>
    provider.kind === "oidc"
      ? await leaveForOpenId(ports, provider, leave)
      : leaveForFacebook(ports, provider, leave),
  );
  const path = localPath(returnTo);
  const away: Away = {
    at: "away",
    id: random(),
    provider: provider.id,
    purpose,
    // A cookie has no room for a long one.
    returnTo: path !== null && path.length <= limits.elsewhereReturnLength ? path : null,
    expiresAt: now + elsewhereMs,
    leave,
  };
  await keep(c, away);
  return url;
}

/**
 * Comes back: asks the provider whom it sent, and remembers that instead of the way.
 * @throws Problem `elsewhere-expired` when this browser is not on its way to that provider;
 *   `provider-declined`, `provider-unavailable`, `provider-answer`
 */
export async function comeBack(c: Ctx, providerId: string): Promise<Arrival> {
  const ports = c.env;
  const provider = providerOf(ports, providerId);
  const away = await read(c);
  if (away?.at !== "away" || away.provider !== provider.id) throw new Problem("elsewhere-expired");
  clearCookie(c, "__Host-fed");
  if (!(await once(ports, "elsewhere-back", away.id))) throw new Problem("elsewhere-expired");
  const parameters = new URL(c.req.url).searchParams;
  const identity = await orProblem(ports, () =>
    provider.kind === "oidc"
      ? returnFromOpenId(ports, provider, away.leave, parameters)
      : returnFromFacebook(ports, provider, away.leave, parameters),
  );
  const { leave: _, ...trip } = away;
  const arrival: Arrival = { ...trip, at: "back", identity };
  await keep(c, arrival);
  return arrival;
}

/** Who came back from that provider in this browser, and did nothing yet. @throws Problem `elsewhere-expired` */
export async function arrived(c: Ctx, providerId: string): Promise<Arrival> {
  const provider = providerOf(c.env, providerId);
  const back = await read(c);
  if (back?.at !== "back" || back.provider !== provider.id) throw new Problem("elsewhere-expired");
  return back;
}

/**
 * Ends the way: what came back is used up, also for a copy of the cookie.
 * @throws Problem `elsewhere-expired` when it was used before
 */
export async function useUp(c: Ctx, { id }: Arrival): Promise<void> {
  clearCookie(c, "__Host-fed");
  if (!(await once(c.env, "elsewhere-used", id))) throw new Problem("elsewhere-expired");
}

/** True for one caller: the counter of tries is the one place that can tell, and it forgets in time. */
function once(ports: Ports, kind: string, id: string): Promise<boolean> {
  return ports.limits.take(kind, id, 1, limits.elsewhereMs);
}

async function keep(c: Ctx, trip: Away | Arrival): Promise<void> {
  setCookie(c, "__Host-fed", await c.env.sealer.seal(KEY, PLACE, JSON.stringify(trip)));
}

async function read(c: Ctx): Promise<Away | Arrival | null> {
  const sealed = readCookie(c, "__Host-fed");
  const opened = sealed === null ? null : await c.env.sealer.open(KEY, PLACE, sealed);
  if (opened === null) return null;
  const trip = JSON.parse(opened) as Away | Arrival;
  return trip.expiresAt > c.env.clock.now() ? trip : null;
}

async function orProblem<T>(ports: Ports, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof IdentityError)) throw error;
    ports.log({ event: `identity-${error.kind}`, code: error.word });
    const codes = {
      declined: "provider-declined",
      unavailable: "provider-unavailable",
      invalid: "provider-answer",
    } as const;
    throw new Problem(codes[error.kind]);
  }
}
