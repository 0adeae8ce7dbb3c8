/** What Link needs of the object around it, and what it can tell by a look (link.ts). */

import type { Clock, Random } from "../../../db/primitives.ts";
import { limits } from "../../../protocol/limits.ts";
import { capability } from "../../../protocol/link/frames.ts";
import { type OpenHead, webService } from "../../../protocol/link/headers.ts";
import type { Session } from "../../../protocol/link/session.ts";
import { agentOf } from "../agents.ts";
import type { Budgets, Refusal } from "../budgets.ts";
import type { DeviceContext, Socket, Sockets } from "../context.ts";
import { refusal } from "../door.ts";
import type { Traffic } from "../traffic.ts";
import type { Gathering } from "./gathering.ts";
import type { Passages } from "./passages.ts";

/** The device's sockets, as far as Link must know them (agents.ts). */
export interface AgentSockets {
  /** Those that may take a new visitor, the one to prefer first. */
  ready(): readonly Socket[];
  /** Those that only finish what lives on them. */
  leaving(): readonly Socket[];
  isLeaving(socket: Socket): boolean;
  /** False for a socket whose other end is gone, or whose time to finish is over. */
  stands(socket: Socket): boolean;
  /** The agent wants no new visitors on this socket. */
  leave(socket: Socket): void;
  /** We ask the agent for another connection in place of this one; false when we did before. */
  told(socket: Socket): boolean;
}

/** What Link needs of the object. */
export interface LinkContext extends Pick<DeviceContext, "clientOf"> {
  readonly clock: Clock;
  readonly random: Random;
  readonly agents: AgentSockets;
  readonly sockets: Sockets;
  readonly budgets?: Budgets;
  readonly traffic: Pick<Traffic, "count" | "turnedAway" | "bytesToday" | "isKnown" | "learn">;
  /** Called each second while somebody is on the way, and once when nobody is any more (`idle`). */
  onTick(idle: boolean): void;
}

/** What a request goes over. */
export interface Over {
  readonly socket: Socket;
  readonly session: Session;
}

/** The session on a socket. */
export interface Live extends Over {
  readonly gathering: Gathering;
  /** For how many ticks nothing was heard of it while somebody waited. */
  quietTicks: number;
}

/** Whether a socket of the device leads to a service; each leads to its page. */
export function offers(service: string): (socket: Socket) => boolean {
  if (service === webService) return () => true;
  return (socket) => agentOf(socket)?.tcp.includes(service) ?? false;
}

/** True for a device whose agent said that it passes WebSockets on. */
export function carriesWebSockets(session: Session): boolean {
  return ((session.capabilities ?? 0) & capability.webSocket) !== 0;
}

/** True for a device whose agent fetches what is left of a long request. */
export function fetchesRests(session: Session): boolean {
  return ((session.capabilities ?? 0) & capability.upload) !== 0;
}

export function ignore(): void {
  // The key store is away: the budget of the day begins with what passes from now on.
}

/** RFC 9110 §9.2.2: repeating these changes nothing, and without a body nothing is used up. */
export function isRepeatable(request: Request, head: OpenHead): boolean {
  return request.body === null && (head.method === "GET" || head.method === "HEAD");
}

/** A random start: a late frame of a session that was forgotten meets no stream of the new one. */
export function firstIdOf(random: Random): number {
  const [a = 0, b = 0, c = 0, d = 0] = random.bytes(4);
  return (((a & 0x3f) << 24) | (b << 16) | (c << 8) | d) >>> 0;
}

/** Says that a budget is used up, and after how long to come again. */
export function turnedAway({ verdict, retryAfter }: Refusal): Response {
  const response = refusal(verdict);
  response.headers.set("retry-after", String(retryAfter));
  return response;
}

/** False while one network has so much under way that the rest is for others. */
export function hasShare(
  passages: Passages,
  exchanges: ReadonlySet<{ readonly errand: { readonly network: string } }>,
  who: { readonly network: string; readonly upgrade: boolean; readonly most: number },
): boolean {
  if (who.upgrade && passages.size >= limits.linkSockets) return false;
  if (exchanges.size + passages.size < who.most) return true;
  let count = passages.ofNetwork(who.network);
  for (const exchange of exchanges) if (exchange.errand.network === who.network) count++;
  return count < who.most;
}

/** Called each second while somebody waits: asks a silent device for a sign of life; true without one. */
export function isSilent(live: Live): boolean {
  if (live.session.size === 0) return false;
  live.quietTicks++;
  const patience = limits.linkProbeMs / limits.linkTickMs;
  if (live.quietTicks === patience) live.session.ping();
  return live.quietTicks >= 2 * patience;
}
