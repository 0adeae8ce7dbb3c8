/**
 * The zone as a whole, for the DNS fronts: devices' objects tell what they publish, fronts read it and
 * hear of every change. It decides nothing about a name and answers no question.
 *
 * What is published is public; but a name that went must be gone, so rows are sealed under the key of
 * the device's name, which goes with the name (CON-5, FEA-4).
 */

import { Sealer } from "../../db/seal.ts";
import {
  type FeedAnswer,
  type FeedAsk,
  type FeedName,
  feedSubprotocol,
  type Position,
  type Published,
  parseAsk,
} from "../../protocol/feed.ts";
import { limits } from "../../protocol/limits.ts";
import { hashToken } from "../../protocol/tokens.ts";
import type { Socket } from "../device/context.ts";
import {
  type Publication,
  publishedAt,
  type ZoneContext,
  type ZonePage,
  type ZoneStub,
} from "./rpc.ts";
import { type ZoneRow, ZoneStore } from "./store.ts";

const TAG = "front";
const NOT_UNDERSTOOD = 1007; // RFC 6455 §7.4.1
const TRY_AGAIN = 1013; // RFC 6455 registry: try again later

/** What a front's socket carries through hibernation. */
interface Attachment {
  readonly kind: typeof TAG;
  /** True when it has read to the end and is told of changes. */
  readonly live: boolean;
}

export class Zone implements ZoneStub {
  readonly #context: ZoneContext;
  readonly #store: ZoneStore;
  readonly #sealer: Sealer;

  constructor(context: ZoneContext) {
    this.#context = context;
    this.#store = new ZoneStore(context.sql, context.random);
    this.#sealer = new Sealer(context.keys, context.clock, context.random);
  }

  async publish({ deviceId, version, name: said }: Publication): Promise<void> {
    // What fits into no row would be told again and again, and never take the place of what was.
    const name = (said?.sealed.length ?? 0) > limits.zoneRowBytes ? null : said;
    const id = await hashToken(deviceId);
    const before = this.#store.position();
    const now = this.#context.clock.now();
    if (!this.#store.keep(id, { deviceId, version, name }, now)) return;
    this.#tell({
      kind: "change",
      before,
      to: this.#store.position(),
      name: { id, names: name?.names ?? [] },
    });
    this.#schedule();
  }

  async fetch(request: Request): Promise<Response> {
    const attachment: Attachment = { kind: TAG, live: false };
    const response = this.#context.sockets.accept(request, [TAG], attachment);
    response.headers.set("sec-websocket-protocol", feedSubprotocol);
    return response;
  }

  async onMessage(socket: Socket, data: string | ArrayBuffer): Promise<void> {
    const ask = typeof data === "string" ? parseAsk(data) : null;
    if (ask === null) return socket.close(NOT_UNDERSTOOD, "not understood");
    try {
      await this.#answer(socket, ask);
    } catch {
      // The key store is away: the front comes back, and goes on from where it is.
      socket.close(TRY_AGAIN, "try again");
    }
  }

  async onAlarm(): Promise<void> {
    this.#store.sweep(this.#context.clock.now());
    this.#schedule();
  }

  async unpublished(): Promise<ZonePage> {
    const at = this.#store.publisher();
    return await this.#page(at?.from ?? null, at?.reading ?? false);
  }

  async published(to: Position, reading: boolean): Promise<void> {
    this.#store.movePublisher(to, reading);
  }

  async #answer(socket: Socket, { from, reading }: FeedAsk): Promise<void> {
    const page = await this.#page(from, reading);
    // Nothing is awaited since the page was made: a change came before it or is told after it.
    const attachment: Attachment = { kind: TAG, live: page.end };
    socket.attach(attachment);
    say(socket, { kind: "page", ...page });
  }

  async #page(from: Position | null, reading: boolean): Promise<ZonePage> {
    const { epoch } = this.#store.position();
    const goesOn =
      from !== null && (this.#store.reaches(from) || (reading && from.epoch === epoch));
    const start = goesOn ? from.seq : 0;
    const rows = this.#store.after(start, this.#context.clock.now());
    const names = await Promise.all(rows.map((row) => this.#opened(row)));
    const to: Position = { epoch, seq: rows.at(-1)?.seq ?? start };
    const end = this.#store.isLast(to.seq, this.#context.clock.now());
    return { whole: !goesOn, names, to: end ? this.#store.position() : to, end };
  }

  /** A row whose key is destroyed is of a name that is gone, whatever its object has still to say. */
  async #opened({ id, device_id, name_sealed }: ZoneRow): Promise<FeedName> {
    const text =
      device_id === null || name_sealed === null
        ? null
        : await this.#sealer.open(
            `feature/${device_id}/name`,
            publishedAt(device_id),
            name_sealed,
            { fresh: true }, // a key that was destroyed is not remembered
          );
    if (text === null) return { id, names: [] };
    const { names } = JSON.parse(text) as Published;
    return { id, names };
  }

  #tell(answer: FeedAnswer): void {
    for (const socket of this.#context.sockets.tagged(TAG)) {
      if ((socket.attachment() as Attachment).live) say(socket, answer);
    }
  }

  #schedule(): void {
    this.#context.wakeAt(this.#store.nextExpiry());
  }
}

function say(socket: Socket, answer: FeedAnswer): void {
  try {
    socket.send(JSON.stringify(answer));
  } catch {
    // It went meanwhile, and comes back with its position.
  }
}
