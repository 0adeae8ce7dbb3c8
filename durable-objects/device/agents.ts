/**
 * The sockets of a device's agents: who may open one, which replaces which, and which may take a
 * visitor. Several programs of one box may be connected, each with one connection and, while that is
 * being relieved, an older one that finishes what lives on it.
 *
 * Everything it knows stands in the sockets' attachments, so it survives hibernation; it keeps no timer.
 */

import {
  type AgentGreeting,
  agentAddressHeader,
  agentHeader,
  agentSubprotocol,
  closeCodes,
  type EdgeNotice,
  keptAddress,
  parseGreeting,
  type ServiceState,
} from "../../protocol/agent.ts";
import { limits } from "../../protocol/limits.ts";
import { tcpHeader, tcpServicesIn } from "../../protocol/tunnel.ts";
import type { DeviceContext, Socket } from "./context.ts";
import type { FeatureStates } from "./features.ts";
import { agentRefusalHeader, peerHeader } from "./rpc.ts";

const AGENT = "agent";

/** What stands in a socket's attachment: survives hibernation, is on no disk of ours. */
export interface AgentAttachment extends AgentGreeting {
  readonly kind: typeof AGENT;
  readonly since: number;
  readonly address: string | null;
  readonly agent: string;
  /** The IPv6 address that it says it keeps; null: it has not said. */
  readonly ipv6: string | null;
  /** The names of its TCP services. */
  readonly tcp: readonly string[];
  /** The assertion that opened it: not good for a second socket, also after hibernation. */
  readonly jti: string;
  /** What the agent said of its service; null while it has said nothing. */
  readonly service: ServiceState | null;
  /** We asked the agent for another connection in place of this one. */
  readonly told: boolean;
  /** Takes no new streams since then; null: it does. */
  readonly leavingSince: number | null;
}

/** Why a device that proved who it is gets no socket. */
export type AgentRefusal = "malformed" | "too-many" | "older";

export class Agents {
  readonly #context: Pick<DeviceContext, "sockets" | "clock" | "deviceId">;
  /** Told of a socket that was given up here: nothing more passes over it. */
  readonly #onGone: (socket: Socket) => void;
  /** Assertions already used, until they expire: one assertion opens one socket. */
  readonly #usedAssertions = new Map<string, number>();

  constructor(
    context: Pick<DeviceContext, "sockets" | "clock" | "deviceId">,
    onGone: (socket: Socket) => void,
  ) {
    this.#context = context;
    this.#onGone = onGone;
  }

  /**
   * Checks the assertion of a device that wants a socket, and uses it up.
   * @returns its unique identifier; null when anything is off or it was used before
   */
  async admit(request: Request, publicKey: string): Promise<string | null> {
    const now = this.#context.clock.now();
    const token = request.headers.get("authorization")?.replace(/^Bearer /i, "") ?? "";
    const audience = new URL(request.url).origin;
    // Loaded by the first device: the library of tokens is an eighth of what a start would evaluate.
    const { verifyAssertion } = await import("../../protocol/assertion.ts");
    const assertion = await verifyAssertion(publicKey, token, audience, now);
    if (assertion === null || assertion.deviceId !== this.#context.deviceId) return null;
    for (const [jti, expiresAt] of this.#usedAssertions) {
      if (expiresAt * 1000 + limits.agentAssertionMs < now) this.#usedAssertions.delete(jti);
    }
    const { jti } = assertion;
    const used = this.all().some((socket) => agentOf(socket)?.jti === jti);
    if (used || this.#usedAssertions.has(jti)) return null;
    this.#usedAssertions.set(jti, assertion.expiresAt);
    return jti;
  }

  /** Upgrades the request of an admitted device, or says why not. */
  accept(request: Request, jti: string): Response | AgentRefusal {
    this.#dropDead();
    const greeting = this.#greetingOf(request);
    if (greeting === null) return "malformed";
    const own = this.all().filter((socket) => agentOf(socket)?.id === greeting.id);
    if (own.some((socket) => epochOf(socket) >= greeting.epoch)) return "older";
    const others = this.ready().filter((socket) => !own.includes(socket));
    if (others.length >= limits.agentsPerDevice) return "too-many";
    const attachment: AgentAttachment = {
      kind: AGENT,
      ...greeting,
      since: this.#context.clock.now(),
      address: request.headers.get(peerHeader),
      agent: (request.headers.get("user-agent") ?? "").slice(0, 100),
      ipv6: keptAddress(request.headers.get(agentAddressHeader)),
      tcp: tcpServicesIn(request.headers.get(tcpHeader)),
      jti,
      service: null,
      told: false,
      leavingSince: null,
    };
    const tags = greeting.id === "" ? [AGENT] : [AGENT, `a:${greeting.id}`];
    const response = this.#context.sockets.accept(request, tags, attachment);
    response.headers.set("sec-websocket-protocol", agentSubprotocol);
    for (const socket of own) if (!this.isLeaving(socket)) this.#relieve(socket);
    return response;
  }

  /** The program and its connection; a program that says nothing of itself counts here. */
  #greetingOf(request: Request): AgentGreeting | null {
    const text = request.headers.get(agentHeader);
    if (text !== null) return parseGreeting(text);
    const epochs = this.all().flatMap((socket) => {
      const agent = agentOf(socket);
      return agent?.id === "" ? [agent.epoch] : [];
    });
    return { id: "", epoch: Math.max(0, ...epochs) + 1 };
  }

  /** A newer connection of the same program came: what we asked it for, or because this one broke. */
  #relieve(socket: Socket): void {
    if (agentOf(socket)?.told) this.leave(socket);
    else this.#giveUp(socket, closeCodes.replaced, "replaced by a newer connection");
  }

  /** Every socket that is open, the newest first. */
  all(): Socket[] {
    const sockets = this.#context.sockets
      .tagged(AGENT)
      .filter((socket) => agentOf(socket) !== null);
    if (sockets.length < 2) return sockets;
    return sockets.sort((a, b) => sinceOf(b) - sinceOf(a) || epochOf(b) - epochOf(a));
  }

  /** The sockets whose other end is there, the newest first. */
  live(): Socket[] {
    return this.all().filter((socket) => this.stands(socket));
  }

  /** Those that may take a new visitor, the newest first. */
  ready(): Socket[] {
    return this.live().filter((socket) => agentOf(socket)?.leavingSince === null);
  }

  /** The TCP services that one or the other offers, sorted. */
  tcpServices(): string[] {
    return [...new Set(this.ready().flatMap((socket) => agentOf(socket)?.tcp ?? []))].sort();
  }

  /** Those that only finish what lives on them. */
  leaving(): Socket[] {
    return this.all().filter((socket) => this.isLeaving(socket));
  }

  isLeaving(socket: Socket): boolean {
    return (agentOf(socket)?.leavingSince ?? null) !== null;
  }

  /**
   * False for a socket that has not pinged for `limits.agentStaleMs`, whose other end is gone whatever
   * TCP says, and for one that had `limits.linkDrainMs` to finish.
   */
  stands(socket: Socket): boolean {
    const agent = agentOf(socket);
    if (agent === null) return false;
    const now = this.#context.clock.now();
    const drained = now - (agent.leavingSince ?? now) > limits.linkDrainMs;
    return !drained && now - heardAt(socket) <= limits.agentStaleMs;
  }

  /** From now on this socket takes no new visitor; the oldest of too many is given up. */
  leave(socket: Socket): void {
    const agent = agentOf(socket);
    if (agent === null || agent.leavingSince !== null) return;
    socket.attach({ ...agent, leavingSince: this.#context.clock.now() } satisfies AgentAttachment);
    const leaving = this.leaving();
    for (const old of leaving.slice(limits.agentsPerDevice)) {
      this.#giveUp(old, 1000, "too many connections are being given up");
    }
  }

  /**
   * We ask this agent for another connection: the next one relieves this one and ends nothing.
   * @returns false when we did before
   */
  told(socket: Socket): boolean {
    const agent = agentOf(socket);
    if (agent === null || agent.told) return false;
    socket.attach({ ...agent, told: true } satisfies AgentAttachment);
    return true;
  }

  /** Notes which address an agent says that it keeps; false when that is nothing new. */
  noteAddress(socket: Socket, ipv6: string): boolean {
    const agent = agentOf(socket);
    if (agent === null || agent.ipv6 === ipv6) return false;
    socket.attach({ ...agent, ipv6 } satisfies AgentAttachment);
    return true;
  }

  /** Notes what an agent said of its service; false when that is nothing new. */
  noteService(socket: Socket, service: ServiceState): boolean {
    const agent = agentOf(socket);
    if (agent === null || agent.service === service) return false;
    socket.attach({ ...agent, service } satisfies AgentAttachment);
    return true;
  }

  tellFeatures(features: FeatureStates): void {
    const notice: EdgeNotice = { type: "features", ...features };
    for (const socket of this.live()) trySend(socket, JSON.stringify(notice));
  }

  /** Says what the device is called. */
  tellLabel(label: string): void {
    const notice: EdgeNotice = { type: "label", label };
    for (const socket of this.live()) trySend(socket, JSON.stringify(notice));
  }

  closeAll(reason: "unregistered"): void {
    for (const socket of this.all()) {
      trySend(socket, JSON.stringify({ type: "unregistered" } satisfies EdgeNotice));
      socket.close(closeCodes.unregistered, reason);
    }
  }

  /** Gives up what only seems to be open, so that it takes nobody's place. */
  #dropDead(): void {
    for (const socket of this.all()) {
      if (!this.stands(socket)) this.#giveUp(socket, closeCodes.silent, "not heard of");
    }
  }

  #giveUp(socket: Socket, code: number, reason: string): void {
    tryClose(socket, code, reason);
    this.#onGone(socket);
  }
}

/** What stands in an agent's attachment; null for a socket of another kind. */
export function agentOf(socket: Socket): AgentAttachment | null {
  const attachment = socket.attachment() as AgentAttachment | { kind: string } | null;
  return attachment?.kind === AGENT ? (attachment as AgentAttachment) : null;
}

/** When an agent's socket was last heard of, ms since the epoch. */
export function heardAt(socket: Socket): number {
  return Math.max(socket.heardAt() ?? 0, sinceOf(socket));
}

function sinceOf(socket: Socket): number {
  return agentOf(socket)?.since ?? 0;
}

function epochOf(socket: Socket): number {
  return agentOf(socket)?.epoch ?? 0;
}

/** A socket may have closed between the look and the word; its close event tells the rest. */
export function trySend(socket: Socket, text: string): void {
  try {
    socket.send(text);
  } catch {
    // The close handler runs for this socket; nothing is owed to it.
  }
}

export function tryClose(socket: Socket, code: number, reason: string): void {
  try {
    socket.close(code, reason);
  } catch {
    // It closed a moment ago.
  }
}

/** Says why a device gets no socket; the edge makes a problem of it. */
export function refusedAgent(reason: AgentRefusal): Response {
  const status = reason === "malformed" ? 400 : 409;
  return new Response(null, { status, headers: { [agentRefusalHeader]: reason } });
}
