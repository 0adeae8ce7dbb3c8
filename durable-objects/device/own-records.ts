/**
 * What the owner put into DNS below the device's name, beside its addresses: the wildcard, records, and
 * other machines of the home. Sealed under the key of the name, with which it goes (FEA-4).
 */

import type { Sealer } from "../../db/seal.ts";
import { limits } from "../../protocol/limits.ts";
import type { DeviceContext } from "./context.ts";
import { mostBytes } from "./own-sets.ts";
import type { OwnRecords, RecordsChange, RecordsChanged, RecordsRpc } from "./records-rpc.ts";

interface House {
  readonly isOn: () => boolean;
  /** Runs after what is under way, and before what comes. */
  readonly inTurn: <T>(work: () => Promise<T>) => Promise<T>;
  /** Tells whoever watches. */
  readonly changed: () => Promise<unknown>;
  /** Notes, in the transaction of a change, that what is published changes. */
  readonly mark: () => void;
}

const AT = "name_own.records";
const nothing: OwnRecords = { wildcard: false, sets: [], neighbors: [] };

export class OwnRecordsRoom implements RecordsRpc {
  readonly #context: DeviceContext;
  readonly #sealer: Sealer;
  readonly #house: House;
  /** Opened once a wake; null until then. */
  #known: OwnRecords | null = null;
  /** Grows with each change, so that a slow reader keeps nothing old. */
  #epoch = 0;

  constructor(context: DeviceContext, sealer: Sealer, house: House) {
    this.#context = context;
    this.#sealer = sealer;
    this.#house = house;
  }

  async ownRecords(): Promise<OwnRecords | null> {
    return this.#house.isOn() ? await this.read() : null;
  }

  changeRecords(change: RecordsChange): Promise<RecordsChanged> {
    const { inTurn, isOn, changed } = this.#house;
    return inTurn(async () => {
      if (!isOn()) return "off";
      const before = await this.read();
      const after = applied(before, change);
      if (isFull(before, after)) return "full";
      if (isLarge(before, after)) return "large";
      if (!(await this.#write(after))) return "off";
      await changed();
      return "changed";
    });
  }

  /** What stands now; nothing while the name is off. */
  async read(): Promise<OwnRecords> {
    if (this.#known !== null) return this.#known;
    const epoch = this.#epoch;
    const query = "SELECT records_sealed FROM name_own";
    const [row] = this.#house.isOn()
      ? this.#context.sql.all<{ records_sealed: string }>(query)
      : [];
    const text =
      row === undefined ? null : await this.#sealer.open(this.#key(), AT, row.records_sealed);
    const records = text === null ? nothing : (JSON.parse(text) as OwnRecords);
    if (epoch === this.#epoch) this.#known = records;
    return records;
  }

  clear(): void {
    this.#context.sql.run("DELETE FROM name_own");
    this.forgetMemory();
  }

  forgetMemory(): void {
    this.#epoch++;
    this.#known = null;
  }

  async #write(records: OwnRecords): Promise<boolean> {
    const sealed = await this.#sealer.seal(this.#key(), AT, JSON.stringify(records));
    if (!this.#house.isOn()) return false;
    const { sql } = this.#context;
    sql.transaction(() => {
      this.#house.mark();
      sql.run(
        `INSERT INTO name_own (row, records_sealed) VALUES (1, ?)
         ON CONFLICT (row) DO UPDATE SET records_sealed = excluded.records_sealed`,
        sealed,
      );
    });
    this.#epoch++;
    this.#known = records;
    return true;
  }

  #key(): `feature/${string}/name` {
    return `feature/${this.#context.deviceId}/name`;
  }
}

function applied(before: OwnRecords, change: RecordsChange): OwnRecords {
  if ("wildcard" in change) return { ...before, wildcard: change.wildcard };
  if ("set" in change) {
    const { set } = change;
    const isSame = (one: typeof set) => one.owner === set.owner && one.type === set.type;
    const sets = before.sets.filter((one) => !isSame(one));
    return { ...before, sets: set.data.length === 0 ? sets : [...sets, set] };
  }
  const { owner, interfaceId } = change.neighbor;
  const neighbors = before.neighbors.filter((one) => one.owner !== owner);
  return {
    ...before,
    neighbors: interfaceId === null ? neighbors : [...neighbors, { owner, interfaceId }],
  };
}

/** True when a change makes more of them than there may be. */
function isFull(before: OwnRecords, after: OwnRecords): boolean {
  const { ownSetsPerDevice, neighborsPerDevice } = limits;
  const [sets, neighbors] = [after.sets.length, after.neighbors.length];
  return (
    (sets > ownSetsPerDevice && sets > before.sets.length) ||
    (neighbors > neighborsPerDevice && neighbors > before.neighbors.length)
  );
}

/** True when a change makes more bytes of them than there may be, wherever the name leads and however it is called. */
function isLarge(before: OwnRecords, after: OwnRecords): boolean {
  const bytes = mostBytes(after);
  return bytes > limits.publishedBytesPerDevice && bytes > mostBytes(before);
}
