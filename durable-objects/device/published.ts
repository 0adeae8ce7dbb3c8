/**
 * What a device's name answers: the record sets of everything in the device that publishes some, put
 * together. The one place that DNS over HTTPS and the feed to the fronts read.
 */

import type { PublishedSet, RecordSet } from "../../protocol/dns/sets.ts";

/** A part of the device that publishes record sets; it keeps them itself, and nobody else does. */
export interface SetProvider {
  /** Owners relative to the device's label; each owner and type once among all providers. */
  sets(): Promise<readonly RecordSet[]>;
}

export class Published {
  readonly #providers: readonly SetProvider[];
  readonly #isOpen: () => boolean;

  /** @param isOpen whether the name answers at all at this moment */
  constructor(providers: readonly SetProvider[], isOpen: () => boolean) {
    this.#providers = providers;
    this.#isOpen = isOpen;
  }

  /** Everything that the name answers now; null while it answers nothing. */
  async publishedSets(): Promise<readonly PublishedSet[] | null> {
    if (!this.#isOpen()) return null;
    const sets: RecordSet[] = [];
    for (const provider of this.#providers) sets.push(...(await provider.sets()));
    // It may have been switched off meanwhile.
    return this.#isOpen() ? sets.map((set) => ({ ...set, signatures: [] })) : null;
  }
}
