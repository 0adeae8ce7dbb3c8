/**
 * All WebSockets that visitors have at a device. What they are stands in their sockets' attachments, so
 * an object that slept goes on with them: the first word of a visitor or of the device makes a session
 * that names them (RESUME), and they never notice.
 */

import { limits } from "../../../protocol/limits.ts";
import type { Close } from "../../../protocol/link/frames.ts";
import type { Resumption } from "../../../protocol/link/sockets.ts";
import type { LinkStream } from "../../../protocol/link/stream.ts";
import type { Socket, Sockets } from "../context.ts";
import { refusal } from "../door.ts";
import { WebSocketManner } from "./manner.ts";
import {
  closeVisitor,
  Passage,
  type PassageHost,
  type VisitorAttachment,
  visitorCloses,
} from "./passage.ts";
import { type TunnelVisitor, tunnelOf } from "./tunnel.ts";
import { TunnelManner } from "./watch.ts";

const VISITOR = "visitor";
const AGENT = "agent";

/** Whose WebSocket it is, or whose tunnel. */
export interface Passenger {
  readonly visitor: string | null;
  readonly network: string;
}

/** What this needs of Link. */
export interface PassagesHost {
  readonly sockets: Sockets;
  now(): number;
  soon(work: () => void): void;
  /** Makes the session of a device's socket, unless it has one. */
  wake(agent: Socket): void;
  /** Something is under way: keep awake. */
  stir(): void;
  /** A visitor of `network` moved bytes; false when they used up what they may. */
  moved(network: string, bytes: number): boolean;
  /** One is over. */
  ended(): void;
}

export class Passages {
  readonly #host: PassagesHost;
  readonly #passageHost: PassageHost;
  readonly #bySocket = new Map<Socket, Passage>();
  /** Those that the device accepted and whose visitor's socket is not there yet. */
  readonly #coming = new Map<Passage, Passenger>();
  /** A visitor's socket whose close woke the object: it is named once more, so that the device hears. */
  #closing: Socket | null = null;
  /** Sockets of visitors that stand; null until looked up. */
  #known: Socket[] | null = null;
  /** Those that are over and still say their last to the device. */
  readonly #lingering = new Set<Passage>();
  /** Bytes that went to each network since it was last heard of, where nobody can tell what it reads. */
  readonly #unseen = new Map<string, number>();

  constructor(host: PassagesHost) {
    this.#host = host;
    this.#passageHost = {
      now: () => host.now(),
      soon: (work) => host.soon(work),
      held: () => this.#held(),
      moved: (network, bytes) => {
        host.stir();
        return host.moved(network, bytes);
      },
      unseen: (network, bytes) => this.#mayBeUnseen(network, bytes),
      onOver: (passage) => this.#forget(passage),
    };
  }

  /** How many there are. */
  get size(): number {
    return this.#coming.size + this.#standing().length;
  }

  /** How many a socket of the device carries. */
  on(agent: Socket): number {
    const connection = connectionOf(agent);
    return this.#standing().filter((socket) => visitorOf(socket)?.connection === connection).length;
  }

  /** How many a network has. */
  ofNetwork(network: string): number {
    let count = 0;
    for (const socket of this.#standing()) if (visitorOf(socket)?.network === network) count++;
    for (const passenger of this.#coming.values()) if (passenger.network === network) count++;
    return count;
  }

  /** The visitors of all tunnels. */
  tunnels(): TunnelVisitor[] {
    const passes = this.#standing().map((socket) => visitorOf(socket)?.visitor ?? null);
    const coming = [...this.#coming.values()].map(({ visitor }) => visitor);
    return [...passes, ...coming].flatMap((pass) => tunnelOf(pass) ?? []);
  }

  /** True while something is under way that an object which sleeps would lose. */
  get busy(): boolean {
    if (this.#coming.size > 0) return true;
    for (const passage of this.#all()) if (passage.busy) return true;
    return false;
  }

  /** The device said 101: the stream is a WebSocket. */
  begin(stream: LinkStream, passenger: Passenger): Passage {
    const { visitor, network } = passenger;
    const passage = this.#passage(stream, passenger);
    this.#coming.set(passage, { visitor, network }); // and nothing else: it stands in the attachment
    return passage;
  }

  /** Answers the visitor with 101. */
  accept(request: Request, agent: Socket, passage: Passage, headers: Headers): Response {
    const passenger = this.#coming.get(passage);
    this.#coming.delete(passage);
    if (passenger === undefined || !passage.lives) return refusal("failed");
    const attachment: VisitorAttachment = {
      kind: VISITOR,
      connection: connectionOf(agent),
      stream: passage.streamId,
      ...passenger,
      over: false,
    };
    const [response, socket] = this.#host.sockets.acceptSocket(request, [VISITOR], attachment);
    for (const [name, value] of headers) response.headers.append(name, value);
    this.#known = null;
    this.#bySocket.set(socket, passage);
    passage.attach(socket);
    return response;
  }

  /** What a new session on the device's socket goes on with. */
  resumptions(agent: Socket): Resumption[] {
    const connection = connectionOf(agent);
    const sockets = new Set(this.#standing());
    if (this.#closing !== null) sockets.add(this.#closing);
    return [...sockets]
      .filter((socket) => visitorOf(socket)?.connection === connection)
      .map((socket) => ({
        id: visitorOf(socket)?.stream ?? 0,
        serve: (stream) => this.#resume(socket, stream),
      }));
  }

  /** Somebody at this network said something: they are there, and are taken to read what they were told. */
  heardOf(network: string): void {
    this.#unseen.delete(network);
  }

  isVisitor(socket: Socket): boolean {
    return visitorOf(socket) !== null;
  }

  /** A visitor said something. */
  hear(socket: Socket, data: string | ArrayBuffer): void {
    this.heardOf(visitorOf(socket)?.network ?? "");
    const passage = this.#passageOf(socket);
    if (passage === null) this.#giveUp(socket);
    else passage.hear(data);
    this.#host.stir();
  }

  /** A visitor's socket is closed. */
  left(socket: Socket, code: number, reason: string): void {
    this.#known = null;
    if (visitorOf(socket)?.over !== false) return;
    this.#closing = socket;
    const passage = this.#passageOf(socket);
    this.#closing = null;
    passage?.left(code, reason);
    this.#host.stir();
  }

  /** A socket of the device has gone, and with it what it carried; `unsaid`: without a close frame. */
  agentGone(agent: Socket, unsaid: boolean): void {
    const close = unsaid ? visitorCloses.vanished : visitorCloses.restart;
    const connection = connectionOf(agent);
    for (const socket of this.#standing()) {
      if (visitorOf(socket)?.connection !== connection) continue;
      const passage = this.#bySocket.get(socket);
      if (passage !== undefined) passage.lost(close);
      else this.#end(socket, close);
    }
  }

  /** Ends those of visitors who may no longer enter; the device hears of it too. */
  keepOnly(mayEnter: (visitor: string | null) => boolean, close: Close): void {
    const agents = new Set<string>();
    for (const socket of this.#standing()) {
      const attachment = visitorOf(socket);
      if (attachment === null || mayEnter(attachment.visitor)) continue;
      // A device keeps a tunnel for a while when it hears nothing: it is told.
      if (tunnelOf(attachment.visitor) !== null) this.#passageOf(socket);
      if (!this.#bySocket.has(socket)) agents.add(attachment.connection);
      this.#end(socket, close);
    }
    for (const [passage, { visitor }] of [...this.#coming]) {
      if (!mayEnter(visitor)) passage.end(close);
    }
    // What no session of this memory knew of, a new one leaves out.
    for (const connection of agents) this.#wake(connection);
  }

  /** Ends those whose connection of the device is gone or deaf. @param stands tells of a device's socket */
  check(stands: (agent: Socket) => boolean): void {
    for (const socket of this.#standing()) {
      const agent = this.#agentOf(visitorOf(socket)?.connection ?? "");
      if (agent === null || !stands(agent)) this.#end(socket, visitorCloses.restart);
    }
  }

  tick(now: number): void {
    for (const passage of this.#all()) passage.tick(now);
    for (const passage of this.#lingering) if (!passage.busy) this.#lingering.delete(passage);
  }

  #all(): Passage[] {
    return [...this.#bySocket.values(), ...this.#coming.keys(), ...this.#lingering];
  }

  /** What waits for a browser that went to sleep lies in the object, and nobody can look how much it is. */
  #mayBeUnseen(network: string, bytes: number): boolean {
    const unseen = (this.#unseen.get(network) ?? 0) + bytes;
    this.#unseen.set(network, unseen);
    return unseen <= limits.linkSocketBlindBytes;
  }

  /** Looked up once: every request asks how many there are. */
  #standing(): readonly Socket[] {
    this.#known ??= this.#host.sockets
      .tagged(VISITOR)
      .filter((socket) => visitorOf(socket)?.over === false);
    return this.#known;
  }

  #held(): number {
    let bytes = 0;
    for (const passage of this.#all()) bytes += passage.held;
    return bytes;
  }

  /** The passage of a socket; after sleep it is made anew, with the session. */
  #passageOf(socket: Socket): Passage | null {
    const known = this.#bySocket.get(socket);
    if (known !== undefined) return known;
    const attachment = visitorOf(socket);
    if (attachment === null || attachment.over || !this.#wake(attachment.connection)) return null;
    return this.#bySocket.get(socket) ?? null;
  }

  #wake(connection: string): boolean {
    const agent = this.#agentOf(connection);
    if (agent !== null) this.#host.wake(agent);
    return agent !== null;
  }

  #agentOf(connection: string): Socket | null {
    const agents = this.#host.sockets.tagged(AGENT);
    return agents.find((agent) => connectionOf(agent) === connection) ?? null;
  }

  #passage(stream: LinkStream, { visitor, network }: Passenger): Passage {
    const now = this.#host.now();
    const manner = tunnelOf(visitor) === null ? new WebSocketManner(now) : new TunnelManner();
    return new Passage(this.#passageHost, stream, network, manner);
  }

  #resume(socket: Socket, stream: LinkStream): Passage {
    const passage = this.#passage(stream, socket.attachment() as VisitorAttachment);
    this.#bySocket.set(socket, passage);
    passage.attach(socket);
    return passage;
  }

  #end(socket: Socket, close: Close): void {
    this.#known = null;
    const passage = this.#bySocket.get(socket);
    if (passage !== undefined) passage.end(close);
    else if (tunnelOf(visitorOf(socket)?.visitor ?? null) === null) closeVisitor(socket, close);
    else closeVisitor(socket, new TunnelManner().close(close));
  }

  #giveUp(socket: Socket): void {
    if (visitorOf(socket)?.over === false) this.#end(socket, visitorCloses.restart);
  }

  #forget(passage: Passage): void {
    this.#known = null;
    this.#coming.delete(passage);
    if (passage.socket !== null) this.#bySocket.delete(passage.socket);
    if (passage.busy) this.#lingering.add(passage);
    if (this.ofNetwork(passage.network) === 0) this.#unseen.delete(passage.network);
    this.#host.ended();
  }
}

/** When a device's WebSockets are looked after next; null when there are none. */
export function nextCheck(count: number, now: number): number | null {
  return count === 0 ? null : now + limits.linkSocketCheckMs;
}

function visitorOf(socket: Socket): VisitorAttachment | null {
  const attachment = socket.attachment() as { readonly kind?: string } | null;
  return attachment?.kind === VISITOR ? (attachment as VisitorAttachment) : null;
}

/** What names a device's connection, also after sleep: each assertion opens one. */
function connectionOf(agent: Socket): string {
  const attachment = agent.attachment() as { readonly jti?: string } | null;
  return attachment?.jti ?? "";
}
