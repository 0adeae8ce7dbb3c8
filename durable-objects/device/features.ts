/**
 * Which features are on. Every feature is off until its owner switches it on (FEA-1).
 *
 * A feature that was switched off has no row once its key is destroyed; until then its row says that
 * the key remains, so that an end which broke off is finished, whoever wakes the object next.
 */

import type { DeviceContext } from "./context.ts";
import type { FeatureName } from "./rpc.ts";

interface Row extends Record<string, string | number> {
  name: FeatureName;
  since: number;
}

/** In place of `since`: the feature is off and its data gone, but its key is still to be destroyed. */
const KEY_REMAINS = 0;

export type FeatureStates = Readonly<Record<FeatureName, boolean>>;

export class Features {
  readonly #context: DeviceContext;
  /** The table as it is: every visit asks, few ever change it. Null: to be read again. */
  #known: readonly Row[] | null = null;

  constructor(context: DeviceContext) {
    this.#context = context;
  }

  states(): FeatureStates {
    const on = new Set(
      this.#rows().flatMap((row) => (row.since === KEY_REMAINS ? [] : [row.name])),
    );
    return { name: on.has("name"), link: on.has("link"), lan: on.has("lan") };
  }

  isOn(feature: FeatureName): boolean {
    return this.#rows().some((row) => row.name === feature && row.since !== KEY_REMAINS);
  }

  /** Switches on a feature that has no row. */
  begin(feature: FeatureName): void {
    const { sql, clock } = this.#context;
    sql.run("INSERT INTO feature (name, since) VALUES (?, ?)", feature, clock.now());
    this.forgetMemory();
  }

  /** Switches off; the key is destroyed next. */
  end(feature: FeatureName): void {
    this.#context.sql.run("UPDATE feature SET since = ? WHERE name = ?", KEY_REMAINS, feature);
    this.forgetMemory();
  }

  /** Features that are off and whose key is still to be destroyed. */
  ending(): FeatureName[] {
    return this.#rows().flatMap((row) => (row.since === KEY_REMAINS ? [row.name] : []));
  }

  /** The key is destroyed: nothing of the feature remains. */
  ended(feature: FeatureName): void {
    const query = "DELETE FROM feature WHERE name = ? AND since = ?";
    this.#context.sql.run(query, feature, KEY_REMAINS);
    this.forgetMemory();
  }

  /** Reads the table again next time. */
  forgetMemory(): void {
    this.#known = null;
  }

  #rows(): readonly Row[] {
    this.#known ??= this.#context.sql.all<Row>("SELECT name, since FROM feature");
    return this.#known;
  }
}
