/**
 * Notes that a device's names change, from before the first step until it is over, so that the sweep finds
 * what broke off. Of changes that overlap none takes the note back: what the others have still to do nobody
 * knows but the sweep, which looks a while after the newest of them.
 */

import { endNaming, markNaming } from "../../db/queries/device-names.ts";
import { regionDb } from "../devices/ending.ts";
import type { Ports } from "../ports.ts";

export class Noted {
  readonly #ports: Ports;
  readonly #deviceId: string;
  #since: number | null = null;
  #isAlone = true;

  constructor(ports: Ports, deviceId: string) {
    this.#ports = ports;
    this.#deviceId = deviceId;
  }

  /** Notes it, or notes it again: then the sweep waits from now on. */
  async mark(): Promise<void> {
    const db = regionDb(this.#ports, this.#deviceId);
    const now = this.#ports.clock.now();
    const { since, before } = await markNaming(db, this.#deviceId, now, this.#since);
    if (before !== this.#since) this.#isAlone = false;
    this.#since = since;
  }

  /** It is over. */
  async end(): Promise<void> {
    if (this.#since === null || !this.#isAlone) return;
    await endNaming(regionDb(this.#ports, this.#deviceId), this.#deviceId, this.#since);
  }
}
