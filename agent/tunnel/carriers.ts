/**
 * What carries a visitor's tunnel: a WebSocket to the device's host, and the next one when that breaks.
 * The edge may restart, this computer may sleep or change its network: the tunnel goes on where it was,
 * as long as the box keeps it.
 */

import { randomBytes } from "node:crypto";
import type { IncomingMessage } from "node:http";
import { WebSocket } from "ws";
import packageJson from "../../package.json" with { type: "json" };
import { pingText } from "../../protocol/agent.ts";
import { limits } from "../../protocol/limits.ts";
import { decodeMessage, frameType } from "../../protocol/link/frames.ts";
import type { Position } from "../../protocol/link/pipe.ts";
import {
  positionText,
  readPosition,
  tunnelAtHeader,
  tunnelCloseCodes,
  tunnelIdHeader,
  tunnelPath,
  tunnelStatuses,
  tunnelSubprotocol,
} from "../../protocol/tunnel.ts";
import { isLoopback } from "../cloud.ts";
import { reasonOf } from "../failure.ts";
import type { PipeDuplex } from "./duplex.ts";

/** Which service of which device, and with what right. */
export interface Door {
  /** The device's door, e.g. `https://nas.example`. */
  readonly link: string;
  readonly token: string;
  readonly service: string;
}

/** Answers and closes after which trying again is of no use. */
const FINAL_STATUSES: ReadonlySet<number> = new Set([400, 401, 403, 404, 426]);
const FINAL_CLOSES: ReadonlySet<number> = new Set([
  1000,
  tunnelCloseCodes.revoked,
  tunnelCloseCodes.idle,
  tunnelCloseCodes.spent,
  tunnelCloseCodes.ended,
  tunnelCloseCodes.protocolError,
]);

export class Carriers {
  readonly #duplex: PipeDuplex;
  readonly #door: Door;
  /** Told why it is over, when that was not the visitor's wish. */
  readonly #onEnd: (sentence: string) => void;
  readonly #id = randomBytes(24).toString("base64url");
  #socket: WebSocket | null = null;
  /** The box has answered once: from then on a carrier that breaks is replaced. */
  #begun = false;
  #over = false;
  #tries = 0;
  /** When nothing carried it any more; in ms of `performance.now()`. */
  #lostAt = 0;
  /**
   * The program that had it went without a word, and the edge is still there: it comes back at once, or
   * crashed and never does. Whoever does not reach the edge any more may have heard only its end.
   */
  #vanished = false;

  constructor(duplex: PipeDuplex, door: Door, onEnd: (sentence: string) => void) {
    this.#duplex = duplex;
    this.#door = door;
    this.#onEnd = onEnd;
    duplex.onOver = () => {
      this.#over = true;
      if (this.#socket?.readyState === WebSocket.CONNECTING) this.#socket.terminate();
      else this.#socket?.close(1000);
    };
  }

  /** Opens the first WebSocket, or the next. */
  open(): void {
    if (this.#over) return;
    const at = this.#begun ? this.#duplex.wire.position() : null;
    const socket = connect(this.#door, this.#id, at);
    this.#socket = socket;
    const stopPings = keepAlive(socket);
    let refused: string | null = null;
    let patienceMs: number = limits.tunnelLastingMs;
    let answered = false;
    socket.on("message", (data: Buffer, isBinary: boolean) => {
      if (isBinary && socket === this.#socket) this.#heard(socket, data);
    });
    socket.on("unexpected-response", (_request, response) => {
      answered = true;
      void problemOf(response).then((problem) => {
        refused = sentenceOf(response.statusCode ?? 0, problem, this.#door.service);
        patienceMs = patienceMsAfter(response.statusCode ?? 0, this.#vanished);
        socket.terminate();
      });
    });
    socket.on("error", (error) => {
      refused ??= `The device's door cannot be reached: ${reasonOf(error)}.`;
    });
    socket.on("close", (code: number) => {
      stopPings();
      if (socket !== this.#socket) return;
      this.#socket = null;
      this.#vanished = code === tunnelCloseCodes.vanished || (this.#vanished && answered);
      this.#lost(refused ?? closeSentence(code), FINAL_CLOSES.has(code) ? 0 : patienceMs);
    });
  }

  /** The box says first how far it got; then both go on. */
  #heard(socket: WebSocket, data: Buffer): void {
    const { wire } = this.#duplex;
    const message = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
    if (wire.isCarried) {
      const reason = wire.receive(message);
      if (reason !== null) this.#broken(socket, reason);
      return;
    }
    const there = headOf(message);
    const send = (bytes: Uint8Array) => {
      if (socket.readyState === WebSocket.OPEN) socket.send(bytes);
    };
    if (there === null || !wire.attach(send, there)) {
      this.#broken(socket, "no position");
      return;
    }
    this.#begun = true;
    this.#vanished = false;
    this.#tries = 0;
  }

  #broken(socket: WebSocket, reason: string): void {
    socket.close(tunnelCloseCodes.protocolError, reason);
    this.#end("The other end broke the rules of a tunnel.");
  }

  /** @param patienceMs since the last that carried it */
  #lost(sentence: string, patienceMs: number): void {
    this.#duplex.wire.detach();
    if (this.#over) return;
    const now = performance.now();
    if (this.#tries === 0) this.#lostAt = now;
    if (!this.#begun || now - this.#lostAt >= patienceMs) {
      this.#end(sentence);
      return;
    }
    this.#tries++;
    const bound = Math.min(limits.tunnelAgainMaxMs, limits.tunnelAgainMinMs * 2 ** this.#tries);
    setTimeout(() => this.open(), Math.random() * bound);
  }

  #end(sentence: string): void {
    if (this.#over) return;
    this.#onEnd(sentence);
    this.#duplex.fail(null);
  }
}

/** How long to go on trying after such an answer. */
function patienceMsAfter(status: number, vanished: boolean): number {
  if (FINAL_STATUSES.has(status)) return 0;
  if (status !== tunnelStatuses.gone) return limits.tunnelLastingMs;
  // The program that has it may be coming back, while another of the same box is there.
  return vanished ? limits.tunnelVanishedMs : limits.tunnelElsewhereMs;
}

/** @param at how far this end got with what the box said; null at the beginning */
function connect({ link, token, service }: Door, id: string, at: Position | null): WebSocket {
  const url = new URL(tunnelPath, link.replace(/^http/, "ws"));
  url.searchParams.set("service", service);
  const unseen = url.protocol === "wss:" || isLoopback(url.hostname);
  return new WebSocket(url, [tunnelSubprotocol], {
    headers: {
      authorization: `Bearer ${token}`,
      "user-agent": `latchkey-agent/${packageJson.version}`,
      [tunnelIdHeader]: id,
      ...(at === null ? {} : { [tunnelAtHeader]: positionText(at) }),
    },
    perMessageDeflate: false,
    handshakeTimeout: limits.agentOpenMs,
    maxPayload: limits.linkMessageBytes,
    // RFC 6761 §6.3: names under localhost are this machine, whatever a resolver says.
    ...(isLoopback(url.hostname) ? { family: 4, lookup: loopback } : {}),
    ...(unseen ? { generateMask: (mask: Buffer) => void mask.fill(0) } : {}),
  } as ConstructorParameters<typeof WebSocket>[2]);
}

type Lookup = (
  name: string,
  options: { all?: boolean },
  done: (error: null, address: unknown, family?: number) => void,
) => void;
const loopback: Lookup = (_name, { all }, done) => {
  if (all) done(null, [{ address: "127.0.0.1", family: 4 }]);
  else done(null, "127.0.0.1", 4);
};

/** Asks for signs of life, which wake no object; ends a socket without any. */
function keepAlive(socket: WebSocket): () => void {
  let heardAt = performance.now();
  const pings = setInterval(() => {
    if (performance.now() - heardAt > limits.agentStaleMs) socket.terminate();
    else if (socket.readyState === WebSocket.OPEN) socket.send(pingText);
  }, limits.agentPingMs);
  pings.unref();
  socket.on("message", () => {
    heardAt = performance.now();
  });
  return () => clearInterval(pings);
}

/** The position in the first message of the box; null when it is another message. */
function headOf(message: Uint8Array): Position | null {
  let text = "";
  const reason = decodeMessage(message, (type, _end, _stream, payload) => {
    if (type !== frameType.head || text !== "") return "no head";
    text = new TextDecoder().decode(payload);
    return null;
  });
  return reason === null ? readPosition(text) : null;
}

/** The problem's code in an answer that is no WebSocket; "" when there is none. */
async function problemOf(response: IncomingMessage): Promise<string> {
  let text = "";
  try {
    for await (const piece of response) {
      text += piece;
      if (text.length > limits.linkHeadBytes) break;
    }
    return String((JSON.parse(text) as { code?: unknown } | null)?.code ?? "");
  } catch {
    return "";
  }
}

function sentenceOf(status: number, problem: string, service: string): string {
  switch (problem === "service-unreachable" ? problem : status) {
    case 401:
      return "The access token is not good, or it ended. Make one in the console, then `login` again.";
    case 403:
      return "You may not open tunnels to this device, or the token lacks the scope devices:connect.";
    case 404:
      return `This device offers no service called "${service}", or there is no such device.`;
    case 410:
      return "The box has given this tunnel up.";
    case "service-unreachable":
      return `The box is there, but nothing answers at its service "${service}".`;
    case 502:
    case 504:
      return "The box did not answer as it should; try again.";
    case 429:
    case 503:
      return "The device is not connected, or has too much to do.";
    default:
      return `The device's door answered with status ${status}.`;
  }
}

function closeSentence(code: number): string {
  switch (code) {
    case tunnelCloseCodes.revoked:
      return "Your right to be here ended.";
    case tunnelCloseCodes.ended:
      return "The box's program was stopped.";
    case tunnelCloseCodes.idle:
      return "Nothing was said for too long.";
    case tunnelCloseCodes.lost:
    case tunnelCloseCodes.vanished:
      return "The device's connection was lost.";
    case tunnelCloseCodes.spent:
      return "Too many bytes went through today.";
    default:
      return "The connection was lost.";
  }
}
