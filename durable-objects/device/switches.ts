/**
 * Switching a feature on and off. Off deletes its data at once and destroys the key that sealed it
 * (FEA-4); an end that broke off is finished before the feature begins anew (FEA-7). Whoever calls
 * takes turns: nothing here may run beside another change.
 */

import type { Sealer } from "../../db/seal.ts";
import type { Access } from "./access.ts";
import type { Certificates } from "./certificates.ts";
import type { Connection } from "./connection.ts";
import type { DeviceContext } from "./context.ts";
import type { DomainsRoom } from "./domains.ts";
import type { Door } from "./door.ts";
import type { Features } from "./features.ts";
import type { Link } from "./link/link.ts";
import type { Name } from "./name.ts";
import type { OwnRecordsRoom } from "./own-records.ts";
import type { Publication } from "./publication.ts";
import { type FeatureName, featureNames } from "./rpc.ts";
import type { Shortcut } from "./shortcut.ts";
import type { Signatures } from "./signatures.ts";
import type { Traffic } from "./traffic.ts";

/** Everything that a feature fills, or that must hear of its end. */
export interface Rooms {
  readonly context: DeviceContext;
  readonly sealer: Sealer;
  readonly features: Features;
  readonly name: Name;
  readonly publication: Publication;
  readonly certificates: Certificates;
  readonly own: OwnRecordsRoom;
  readonly domains: DomainsRoom;
  readonly access: Access;
  readonly door: Door;
  readonly link: Link;
  readonly connection: Connection;
  readonly traffic: Traffic;
  readonly shortcut: Shortcut;
  readonly signatures: Signatures;
}

export class Switches {
  readonly #rooms: Rooms;

  constructor(rooms: Rooms) {
    this.#rooms = rooms;
  }

  /** @returns false when the feature was on already */
  async on(feature: FeatureName): Promise<boolean> {
    const { context, features, connection, publication } = this.#rooms;
    if (features.isOn(feature)) return false;
    // A key that waits to be destroyed must be gone before a new one is made (FEA-7).
    await this.finishOff();
    context.sql.transaction(() => {
      features.begin(feature);
      if (feature === "name") publication.mark();
    });
    await connection.featuresChanged(features.states());
    return true;
  }

  /** The data goes at once; its key goes with `finishOff`, which comes next. */
  async off(feature: FeatureName): Promise<void> {
    const { context, features, name, signatures, access, door, link, connection, shortcut } =
      this.#rooms;
    const { certificates, own, domains, traffic } = this.#rooms;
    context.sql.transaction(() => {
      features.end(feature);
      if (feature === "name") {
        name.clear();
        certificates.clear();
        own.clear();
        domains.clear();
        signatures.clear();
      }
      if (feature === "lan") shortcut.clear();
      if (feature !== "link") return;
      door.visits.clear();
      access.shares.clear();
      traffic.clear();
    });
    if (feature === "link") link.reset();
    await connection.featuresChanged(features.states());
  }

  /** Destroys the keys of what was switched off; idempotent. */
  async finishOff(): Promise<void> {
    const { features, connection } = this.#rooms;
    const off = features.ending();
    if (off.length === 0) return;
    await this.#destroyKeys(off);
    if (!features.isOn("name") && !features.isOn("link")) await connection.destroyKey();
    for (const feature of off) features.ended(feature);
  }

  /** Reads everything again next time: the store is gone. */
  forgetMemory(): void {
    const { name, certificates, own, signatures, access } = this.#rooms;
    for (const room of [name, certificates, own, signatures, access]) room.forgetMemory();
  }

  /** Destroys every key of the device, which is gone. */
  async destroyAllKeys(): Promise<void> {
    await this.#destroyKeys(featureNames);
    await this.#rooms.connection.destroyKey();
  }

  async #destroyKeys(features: readonly FeatureName[]): Promise<void> {
    const { context, name, sealer, traffic } = this.#rooms;
    for (const feature of features) {
      if (feature === "name") await name.destroyKey();
      else await sealer.destroy(`feature/${context.deviceId}/${feature}`);
      if (feature === "link") await traffic.destroyKey();
    }
  }
}
