/** The Durable Object of the zone: a shell. There is one; zone.ts decides. */

import { DurableObject } from "cloudflare:workers";
import { pingText, pongText } from "../../protocol/agent.ts";
import type { Position } from "../../protocol/feed.ts";
import { keysOf, systemClock, systemRandom } from "../platform.ts";
import { finishClose, socketOf, socketsOf, sqlOf } from "../shell.ts";
import type { Publication, ZoneRpc } from "./rpc.ts";
import { Zone } from "./zone.ts";

/** The one object's name. */
export const zoneObjectName = "zone";

export class ZoneObject extends DurableObject<Record<string, unknown>> implements ZoneRpc {
  readonly #zone: Zone;

  constructor(state: DurableObjectState, env: Record<string, unknown>) {
    super(state, env);
    state.setWebSocketAutoResponse(new WebSocketRequestResponsePair(pingText, pongText));
    this.#zone = new Zone({
      sql: sqlOf(state),
      sockets: socketsOf(state),
      clock: systemClock,
      random: systemRandom,
      keys: keysOf(env),
      wakeAt: (at) => {
        if (at === null) void state.storage.deleteAlarm();
        else void state.storage.setAlarm(at);
      },
    });
  }

  publish(publication: Publication) {
    return this.#zone.publish(publication);
  }

  unpublished() {
    return this.#zone.unpublished();
  }
  published(to: Position, reading: boolean) {
    return this.#zone.published(to, reading);
  }

  override fetch(request: Request): Promise<Response> {
    return this.#zone.fetch(request);
  }
  override webSocketMessage(socket: WebSocket, message: string | ArrayBuffer): Promise<void> {
    return this.#zone.onMessage(socketOf(this.ctx, socket), message);
  }
  override webSocketClose(socket: WebSocket, code: number, reason: string): void {
    finishClose(socket, code, reason);
  }
  override alarm(): Promise<void> {
    return this.#zone.onAlarm();
  }
}
