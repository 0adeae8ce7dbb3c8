/**
 * The edge as a DNS front sees it, over HTTP: the questions it is asked, and the feed. What it says the
 * test decides.
 */

import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { type WebSocket, WebSocketServer } from "ws";
import { readQuery, writeAnswer } from "../../protocol/dns/message.ts";
import type { RecordSet } from "../../protocol/dns/sets.ts";
import type { FeedAnswer, FeedName } from "../../protocol/feed.ts";
import { memoryZone, newKey } from "./zone.ts";

export class ZoneEdge {
  /** Questions that came. */
  asked = 0;
  /** True: questions come and are not answered. */
  hangs = false;
  readonly #names = new Map<string, readonly RecordSet[]>();
  readonly #zone: Awaited<ReturnType<typeof memoryZone>>;
  readonly #server: Server;
  readonly #sockets: WebSocketServer;
  #seq = 1;

  private constructor(zone: Awaited<ReturnType<typeof memoryZone>>) {
    this.#zone = zone;
    this.#server = createServer(async (request, response) => {
      this.asked++;
      const chunks: Buffer[] = [];
      for await (const chunk of request) chunks.push(chunk as Buffer);
      const read = readQuery(Buffer.concat(chunks));
      if (this.hangs || read.kind !== "query") return;
      const answer = await zone.answer(read.query, (label) => this.#names.get(label) ?? null);
      response.end(writeAnswer(read.query, answer));
    });
    this.#sockets = new WebSocketServer({ server: this.#server });
    this.#sockets.on("connection", (socket) => {
      socket.on("message", () => void this.#tellAll(socket));
    });
  }

  /** @param apex of a signed zone */
  static async start(apex: string): Promise<ZoneEdge> {
    const edge = new ZoneEdge(await memoryZone(await newKey(), Date.now(), apex));
    await new Promise<void>((listening) => edge.#server.listen(0, "127.0.0.1", listening));
    return edge;
  }

  get origin(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** What stands at a label from now on; null: nothing. Tells every front that listens. */
  async put(label: string, sets: readonly RecordSet[] | null): Promise<void> {
    if (sets === null) this.#names.delete(label);
    else this.#names.set(label, sets);
    const epoch = "edge";
    const before = { epoch, seq: this.#seq++ };
    const name = await this.#nameOf(label);
    const change: FeedAnswer = { kind: "change", before, to: { epoch, seq: this.#seq }, name };
    for (const socket of this.#sockets.clients) socket.send(JSON.stringify(change));
  }

  async close(): Promise<void> {
    for (const socket of this.#sockets.clients) socket.terminate();
    this.#sockets.close();
    this.#server.closeAllConnections();
    await new Promise((closed) => this.#server.close(closed));
  }

  /** All there is, as one page. */
  async #tellAll(socket: WebSocket): Promise<void> {
    const all = [...this.#names.keys()];
    const names = await Promise.all(all.map((label) => this.#nameOf(label)));
    const to = { epoch: "edge", seq: this.#seq };
    const page: FeedAnswer = { kind: "page", whole: true, names, to, end: true };
    socket.send(JSON.stringify(page));
  }

  async #nameOf(label: string): Promise<FeedName> {
    const sets = this.#names.get(label);
    if (sets === undefined) return { id: label, names: [] };
    return { id: label, names: [{ label, sets: await this.#zone.published(label, sets) }] };
  }
}
