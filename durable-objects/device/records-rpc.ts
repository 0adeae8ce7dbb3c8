/** What the edge may ask of a device's object about records that its owner puts below its name. */

import type { OwnSet } from "../../protocol/dns/presentation.ts";

/** Another machine of the same home: its IPv6 address begins as the device's does. */
export interface Neighbor {
  /** One word below the device's name. */
  readonly owner: string;
  /** The second half of its address, `::211:32ff:fe12:3456`. */
  readonly interfaceId: string;
}

/** All that the owner put there. */
export interface OwnRecords {
  /** What is not there below the name answers as the name does. */
  readonly wildcard: boolean;
  readonly sets: readonly OwnSet[];
  readonly neighbors: readonly Neighbor[];
}

/** One change; a set without data, and a neighbor without an interface, goes. */
export type RecordsChange =
  | { readonly wildcard: boolean }
  | { readonly set: OwnSet }
  | { readonly neighbor: { readonly owner: string; readonly interfaceId: string | null } };

export type RecordsChanged = "changed" | "full" | "large" | "off";

export interface RecordsRpc {
  /** Null while the name is off, and for a device that is gone. */
  ownRecords(): Promise<OwnRecords | null>;
  /**
   * Idempotent. `full`: there are as many as there may be; `large`: the device's names would answer more
   * than may be kept and told; `off`: the name is.
   */
  changeRecords(change: RecordsChange): Promise<RecordsChanged>;
}
