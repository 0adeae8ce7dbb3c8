/** The device's names, as the edge asks for them; here they meet the device around them. */

import type { Agents } from "./agents.ts";
import type { Certificates } from "./certificates.ts";
import type { Labels } from "./labels.ts";
import type { DeviceLabels, JudgedLabel, LabelsRpc } from "./labels-rpc.ts";
import type { DeviceDescription } from "./rpc.ts";

/** What the names need of the device around them. */
interface House {
  readonly labels: Labels;
  readonly certificates: Certificates;
  readonly agents: Agents;
  /** Notes, in the transaction of a change, that what is published changes. */
  readonly mark: () => void;
  /** Runs `work` beside no other change. */
  readonly inTurn: <T>(work: () => Promise<T>) => Promise<T>;
  /** Signs and tells whoever watches; the device as it is then. */
  readonly changed: () => Promise<DeviceDescription | null>;
}

export class Labeling implements LabelsRpc {
  readonly #house: House;

  constructor(house: House) {
    this.#house = house;
  }

  async labels(): Promise<DeviceLabels | null> {
    return this.#house.labels.list();
  }

  async expectLabel(label: string, instead: string | null): Promise<"expected" | "full" | null> {
    const { labels } = this.#house;
    if (labels.list() === null) return null;
    return labels.expect(label, instead) ? "expected" : "full";
  }

  settleLabels(judged: readonly JudgedLabel[], sure: boolean): Promise<DeviceDescription | null> {
    const { labels, certificates, inTurn, mark } = this.#house;
    return inTurn(async () => {
      if (labels.list() === null) return null;
      const { ended, changed } = labels.settle(judged, sure, mark);
      // An authority would find nothing at a name that ended; the box asks anew, for the names it has.
      if (ended.length > 0) await certificates.forgetOrderOf(ended);
      return changed ? await this.#changed() : await this.#house.changed();
    });
  }

  leaveLabel(label: string): Promise<"left" | "still" | "busy" | null> {
    const { labels, certificates, inTurn } = this.#house;
    return inTurn(async () => {
      const left = labels.list() === null ? null : labels.leave(label);
      if (left === null) return null;
      // Nor does a program of the box's own prove it from here on.
      if (await certificates.unprove(label)) await this.#house.changed();
      return (await certificates.forgetOrderOf([label], false)) ? left : "busy";
    });
  }

  setPrimaryLabel(label: string): Promise<DeviceDescription | null> {
    const { labels, inTurn, mark } = this.#house;
    return inTurn(async () => {
      if (labels.list() === null || !labels.setPrimary(label, mark)) return null;
      return await this.#changed();
    });
  }

  async #changed(): Promise<DeviceDescription | null> {
    const { agents, labels, changed } = this.#house;
    const [primary] = labels.all();
    if (primary !== undefined) agents.tellLabel(primary);
    return await changed();
  }
}
