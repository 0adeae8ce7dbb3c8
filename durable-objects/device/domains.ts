/**
 * Domains of the owner's own that are to lead to the device's name, and what was seen of them last. Sealed
 * under the key of the name, with which it goes (FEA-4). What is asked of DNS is the edge's business.
 */

import type { Sealer } from "../../db/seal.ts";
import type { DeviceContext } from "./context.ts";
import type { DomainsRpc, DomainsState } from "./domains-rpc.ts";

interface House {
  readonly isOn: () => boolean;
  /** Runs after what is under way, and before what comes. */
  readonly inTurn: <T>(work: () => Promise<T>) => Promise<T>;
}

const AT = "name_domains.record";

export class DomainsRoom implements DomainsRpc {
  readonly #context: DeviceContext;
  readonly #sealer: Sealer;
  readonly #house: House;

  constructor(context: DeviceContext, sealer: Sealer, house: House) {
    this.#context = context;
    this.#sealer = sealer;
    this.#house = house;
  }

  async ownDomains(): Promise<DomainsState | null> {
    const state = this.#house.isOn() ? await this.#read() : null;
    return this.#house.isOn() ? state : null;
  }

  setOwnDomains(state: DomainsState): Promise<boolean> {
    return this.#house.inTurn(async () => {
      if (!this.#house.isOn() || (await this.#read()).revision !== state.revision) return false;
      const text = JSON.stringify({ ...state, revision: state.revision + 1 });
      const sealed = await this.#sealer.seal(this.#key(), AT, text);
      if (!this.#house.isOn()) return false;
      this.#context.sql.run(
        `INSERT INTO name_domains (row, record_sealed) VALUES (1, ?)
         ON CONFLICT (row) DO UPDATE SET record_sealed = excluded.record_sealed`,
        sealed,
      );
      return true;
    });
  }

  clear(): void {
    this.#context.sql.run("DELETE FROM name_domains");
  }

  async #read(): Promise<DomainsState> {
    const query = "SELECT record_sealed FROM name_domains";
    const [row] = this.#context.sql.all<{ record_sealed: string }>(query);
    const text =
      row === undefined ? null : await this.#sealer.open(this.#key(), AT, row.record_sealed);
    return text === null ? { revision: 0, domains: [] } : (JSON.parse(text) as DomainsState);
  }

  #key(): `feature/${string}/name` {
    return `feature/${this.#context.deviceId}/name`;
  }
}
