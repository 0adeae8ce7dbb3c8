/**
 * Tunnels: a visitor's WebSocket joined to a stream of the device. What passes is TLS between the two
 * ends; here are only its bytes, in memory, under the credits of both sides: a side that stops reading
 * stops the other, and no more than a window waits for either.
 *
 * Who may come is asked when a tunnel opens and whenever a right changes; a tunnel whose right ended is
 * closed at once.
 */

import type { Clock, Random } from "../../../db/primitives.ts";
import { DAY, limits } from "../../../protocol/limits.ts";
import { resetCode } from "../../../protocol/link/frames.ts";
import { encodeHead, type OpenHead } from "../../../protocol/link/headers.ts";
import type { LinkStream, StreamHandler } from "../../../protocol/link/stream.ts";
import { base64url } from "../../../protocol/tokens.ts";
import { isTcpService, tunnelCloseCodes, tunnelSubprotocol } from "../../../protocol/tunnel.ts";
import { tryClose } from "../agents.ts";
import type { Socket, Sockets } from "../context.ts";
import { tunnelHeaders } from "../rpc.ts";
import type { After } from "./after.ts";
import { Tunnel, type TunnelVisitor } from "./joint.ts";

/** What stands in a visitor's socket: survives hibernation, is on no disk of ours. */
export interface TunnelAttachment extends TunnelVisitor {
  readonly kind: typeof TUNNEL;
  readonly id: string;
}

const TUNNEL = "tunnel";

/** What tunnels need of the object. */
export interface TunnelContext {
  readonly clock: Clock;
  readonly random: Random;
  readonly sockets: Sockets;
}

/** Opens a stream to the device. */
export type OpenStream = (
  service: string,
  payload: Uint8Array,
  handler: StreamHandler,
) => LinkStream | "offline" | "busy";

export type TunnelRefusal = "offline" | "busy";

export class Tunnels {
  readonly #context: TunnelContext;
  readonly #after: After;
  readonly #open: OpenStream;
  readonly #live = new Map<Socket, Tunnel>();
  #ticking = false;
  /** Bytes since the day began, of all tunnels. */
  #today = { day: 0, bytes: 0 };

  constructor(context: TunnelContext, after: After, open: OpenStream) {
    this.#context = context;
    this.#after = after;
    this.#open = open;
  }

  /** For gauges: how many there are, and the bytes that wait in them. */
  get load(): { tunnels: number; waitingBytes: number } {
    let waitingBytes = 0;
    for (const tunnel of this.#live.values()) waitingBytes += tunnel.waitingBytes;
    return { tunnels: this.#live.size, waitingBytes };
  }

  /** Upgrades the request of a visitor who may come; refused while there are too many. */
  accept(request: Request, visitor: TunnelVisitor): Response | TunnelRefusal {
    const all = [...this.#live.values()];
    const own = all.filter((tunnel) => tunnel.visitor.account === visitor.account);
    if (all.length >= limits.tunnelsPerDevice || own.length >= limits.tunnelsPerVisitor) {
      return "busy";
    }
    if (this.#bytesLeft() <= 0) return "busy";
    const head: OpenHead = { service: visitor.service, method: "GET", path: "/", headers: [] };
    const tunnel = new Tunnel(visitor, {
      now: () => this.#context.clock.now(),
      onBytes: (bytes) => this.#count(bytes),
      onOver: (socket) => this.#live.delete(socket),
    });
    const stream = this.#open(visitor.service, encodeHead(head) as Uint8Array, tunnel);
    if (typeof stream === "string") return stream;
    const id = base64url(this.#context.random.bytes(12));
    const attachment: TunnelAttachment = { ...visitor, kind: TUNNEL, id };
    const tags = [TUNNEL, `${TUNNEL}:${id}`];
    const response = this.#context.sockets.accept(request, tags, attachment);
    const [socket] = this.#context.sockets.tagged(`${TUNNEL}:${id}`);
    if (socket === undefined) {
      stream.reset(resetCode.cancel);
      return "busy";
    }
    this.#live.set(socket, tunnel);
    tunnel.start(socket, stream);
    response.headers.set("sec-websocket-protocol", tunnelSubprotocol);
    this.#tick();
    return response;
  }

  isTunnel(socket: Socket): boolean {
    return attachmentOf(socket) !== null;
  }

  onMessage(socket: Socket, data: string | ArrayBuffer): void {
    const tunnel = this.#live.get(socket);
    if (tunnel !== undefined) tunnel.onMessage(data);
    // What was on its way when a tunnel ended is of no use; a tunnel that was forgotten is.
    else tryClose(socket, tunnelCloseCodes.lost, "the edge was restarted");
  }

  onClose(socket: Socket): void {
    this.#live.get(socket)?.visitorLeft();
  }

  /** Ends the tunnels of visitors who may no longer use them. */
  keepOnly(may: (visitor: TunnelVisitor) => boolean): void {
    for (const socket of this.#context.sockets.tagged(TUNNEL)) {
      const visitor = attachmentOf(socket);
      if (visitor !== null && !may(visitor)) this.#end(socket, "revoked");
    }
  }

  /** Ends what has lasted its time: the token's, or without a byte. */
  sweep(): void {
    const now = this.#context.clock.now();
    for (const socket of this.#context.sockets.tagged(TUNNEL)) {
      if ((attachmentOf(socket)?.until ?? 0) <= now) this.#end(socket, "revoked");
      else if (this.#live.get(socket)?.tick(now) === "idle") this.#end(socket, "idle");
    }
  }

  /** When the next token ends by itself; null without tunnels. */
  nextExpiry(): number | null {
    const sockets = this.#context.sockets.tagged(TUNNEL);
    const ends = sockets.flatMap((socket) => attachmentOf(socket)?.until ?? []);
    return ends.length === 0 ? null : Math.min(...ends);
  }

  #end(socket: Socket, why: "revoked" | "idle"): void {
    const tunnel = this.#live.get(socket);
    if (tunnel !== undefined) tunnel.stop(why);
    else tryClose(socket, tunnelCloseCodes[why], why);
  }

  /** One timer while there are tunnels, and none when there are none. */
  #tick(): void {
    if (this.#ticking || this.#live.size === 0) return;
    this.#ticking = true;
    this.#after(limits.linkTickMs, () => {
      this.#ticking = false;
      this.sweep();
      this.#tick();
    });
  }

  #bytesLeft(): number {
    const day = Math.floor(this.#context.clock.now() / DAY);
    if (day !== this.#today.day) this.#today = { day, bytes: 0 };
    return limits.tunnelBytesPerDay - this.#today.bytes;
  }

  #count(bytes: number): boolean {
    const left = this.#bytesLeft();
    this.#today.bytes += bytes;
    return left > 0;
  }
}

/** Reads what the edge says of a visitor; null when it is not whole, or its time is over. */
export function tunnelVisitor(request: Request, now: number): TunnelVisitor | null {
  const account = request.headers.get(tunnelHeaders.account) ?? "";
  const token = request.headers.get(tunnelHeaders.token) ?? "";
  const until = Number(request.headers.get(tunnelHeaders.until));
  const service = new URL(request.url).searchParams.get("service") ?? "";
  if (account === "" || token === "" || !(until > now) || !isTcpService(service)) return null;
  return { account, token, service, until };
}

function attachmentOf(socket: Socket): TunnelAttachment | null {
  const attachment = socket.attachment() as TunnelAttachment | { kind: string } | null;
  return attachment?.kind === TUNNEL ? (attachment as TunnelAttachment) : null;
}
