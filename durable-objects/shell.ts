/** What the platform gives every object, behind the small interfaces that its logic knows. */

import type { ObjectSql, Socket, Sockets } from "./device/context.ts";

export function sqlOf(state: DurableObjectState): ObjectSql {
  return {
    all: (query, ...params) => state.storage.sql.exec(query, ...params).toArray() as never,
    run: (query, ...params) => {
      state.storage.sql.exec(query, ...params);
    },
    transaction: (work) => state.storage.transactionSync(work),
  };
}

/** RFC 6455 §7.1.5: the connection went without a close. */
export const NO_CLOSE = 1006;
/** RFC 6455 §7.4.1. */
const PROTOCOL_ERROR = 1002;

/**
 * Answers the other end's close frame. workerd 2026-11 hands the socket over in CLOSING, in spite of
 * the compatibility date; unanswered, the other end waits seconds and calls the close abnormal.
 */
export function finishClose(socket: WebSocket, code: number, reason: string): void {
  if (socket.readyState !== WebSocket.CLOSING) return;
  try {
    // RFC 6455 §7.4: 1005, 1006 and 1015 are never sent.
    if ([1005, 1006, 1015].includes(code)) socket.close();
    else socket.close(code, reason);
  } catch {
    refuseClose(socket);
  }
}

/** What came is no close that may be said back; or the connection is gone and nobody waits. */
function refuseClose(socket: WebSocket): void {
  try {
    socket.close(PROTOCOL_ERROR);
  } catch {
    // It is gone.
  }
}

const known = new WeakMap<WebSocket, Socket>();

/** One wrapper per WebSocket, so that logic may compare sockets by identity. */
export function socketOf(state: DurableObjectState, socket: WebSocket): Socket {
  let wrapped = known.get(socket);
  if (wrapped === undefined) {
    // Read once: what the platform keeps through hibernation changes only by `attach`.
    let attachment: unknown;
    wrapped = {
      send: (data) => socket.send(data),
      close: (code, reason) => (code === null ? socket.close() : socket.close(code, reason)),
      bufferedBytes: () => null,
      attachment: () => {
        attachment ??= socket.deserializeAttachment();
        return attachment;
      },
      attach: (value) => {
        socket.serializeAttachment(value);
        attachment = value;
      },
      heardAt: () => state.getWebSocketAutoResponseTimestamp(socket)?.getTime() ?? null,
    };
    known.set(socket, wrapped);
  }
  return wrapped;
}

export function socketsOf(state: DurableObjectState): Sockets {
  return {
    accept(request, tags, attachment) {
      return this.acceptSocket(request, tags, attachment)[0];
    },
    acceptSocket(_request, tags, attachment) {
      const { 0: client, 1: server } = new WebSocketPair();
      state.acceptWebSocket(server, [...tags]);
      server.serializeAttachment(attachment);
      const response = new Response(null, { status: 101, webSocket: client });
      return [response, socketOf(state, server)];
    },
    tagged: (tag) =>
      state
        .getWebSockets(tag)
        .filter((socket) => socket.readyState === WebSocket.OPEN)
        .map((socket) => socketOf(state, socket)),
  };
}
