/** The zone's object in this process: what its Durable Object is on Cloudflare. */

import { join } from "node:path";
import type { Clock, KeyStore, Random } from "../../db/primitives.ts";
import type { Position } from "../../protocol/feed.ts";
import type { Publication, ZonePage, ZoneStub } from "../zone/rpc.ts";
import { Zone } from "../zone/zone.ts";
import { HostSockets } from "./sockets.ts";
import { OpenStores, Store } from "./store.ts";

export interface ZoneHostOptions {
  /** Holds `zone.db`. */
  readonly folder: string;
  readonly clock: Clock;
  readonly random: Random;
  readonly keys: KeyStore;
  /** Told of a failure in an event that has no caller. */
  readonly onError: (error: unknown) => void;
  wakeAt(at: number | null): void;
}

export class ZoneHost implements ZoneStub {
  readonly #stores = new OpenStores(1);
  readonly #sockets: HostSockets;
  readonly #zone: Zone;

  constructor({ folder, clock, random, keys, onError, wakeAt }: ZoneHostOptions) {
    this.#sockets = new HostSockets(
      {
        onMessage: (socket, data) => void this.#zone.onMessage(socket, data).catch(onError),
        onClose: () => undefined,
      },
      clock,
    );
    const sql = new Store(join(folder, "zone.db"), this.#stores);
    this.#zone = new Zone({ sql, sockets: this.#sockets, clock, random, keys, wakeAt });
  }

  publish(publication: Publication): Promise<void> {
    return this.#zone.publish(publication);
  }

  fetch(request: Request): Promise<Response> {
    return this.#zone.fetch(request);
  }

  unpublished(): Promise<ZonePage> {
    return this.#zone.unpublished();
  }

  published(to: Position, reading: boolean): Promise<void> {
    return this.#zone.published(to, reading);
  }

  onAlarm(): Promise<void> {
    return this.#zone.onAlarm();
  }

  endSockets(code: number, reason: string): void {
    this.#sockets.closeAll(code, reason);
  }

  close(): void {
    this.#stores.closeAll();
  }
}
