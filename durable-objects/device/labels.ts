/**
 * The names of a device, as words: the one that it is called by stands in its registration, the others
 * here. Each answers in DNS and at the door. Whose a name is says the directory (workers/name/labels.ts).
 */

import { limits } from "../../protocol/limits.ts";
import type { DeviceContext } from "./context.ts";
import type { DeviceLabels, JudgedLabel } from "./labels-rpc.ts";
import type { RegistrationRecord } from "./registration.ts";

interface Row extends Record<string, string | number | null> {
  label: string;
  /**
   * - `coming`: announced, and nothing answers there yet
   * - `leaving`: on its way to another device; it answers, and is not certified any more
   * - `gone`: the word in the registration, which is not the device's any more, where it has no other
   */
  state: "coming" | "here" | "leaving" | "gone";
  /** The name that it takes the place of. */
  instead: string | null;
  /** When it was announced, and so since when it is the device's. */
  since: number;
}

export class Labels {
  readonly #context: DeviceContext;
  readonly #registration: RegistrationRecord;
  /** All that answer, the primary first; every visit asks. */
  #known: readonly string[] | null = null;

  constructor(context: DeviceContext, registration: RegistrationRecord) {
    this.#context = context;
    this.#registration = registration;
  }

  /** Every name that answers, the primary first; none for a device that is gone. */
  all(): readonly string[] {
    const row = this.#registration.row();
    if (row === null) return [];
    if (this.#known !== null) return this.#known;
    const rows = this.#rows();
    const isGone = rows.some(({ state }) => state === "gone");
    this.#known = [...(isGone ? [] : [row.label]), ...rows.flatMap(answering)];
    return this.#known;
  }

  /**
   * True for a request to one of them: an edge may remember for a while whose a name was. Looked at as
   * text, for every visit comes by here.
   */
  areAskedBy(url: string): boolean {
    const host = url.indexOf("://") + 3;
    return this.all().some((label) => url.startsWith(`${label}.`, host));
  }

  /** Since when a name that answers is the device's. */
  since(label: string): number {
    const row = this.#registration.row();
    if (row?.label === label) return row.label_since;
    return this.#rows().find((one) => one.label === label)?.since ?? 0;
  }

  list(): DeviceLabels | null {
    const row = this.#registration.row();
    if (row === null) return null;
    const rows = this.#rows();
    const those = (of: Row["state"]) =>
      rows.flatMap(({ label, state }) => (state === of ? label : []));
    const [coming, leaving] = [those("coming"), those("leaving")];
    return { primary: row.label, others: rows.flatMap(answering), coming, leaving };
  }

  /** Those that may be certified: a name that is about to be somebody else's is not any more. */
  certifiable(): readonly string[] {
    const leaving = this.list()?.leaving ?? [];
    return this.all().filter((label) => !leaving.includes(label));
  }

  /** Notes that a further name is on its way. @returns whether it was already; null for none of them */
  leave(label: string): "left" | "still" | null {
    const row = this.#rows().find((one) => one.label === label);
    if (row === undefined || answering(row).length === 0) return null;
    this.#context.sql.run("UPDATE name_other SET state = 'leaving' WHERE label = ?", label);
    return row.state === "leaving" ? "still" : "left";
  }

  /** False when the device has as many as it may; a rename makes no more of them. */
  expect(label: string, instead: string | null): boolean {
    if (this.all().includes(label)) return true;
    const rows = this.#rows();
    // One that is to come in place of another makes no more of them; once it is here it counts.
    const others = rows.filter(
      (row) => row.label !== label && (row.state !== "coming" || row.instead === null),
    );
    if (instead === null && others.length + 1 >= limits.labelsPerDevice) return false;
    this.#context.sql.run(
      `INSERT INTO name_other (label, state, instead, since) VALUES (?, 'coming', ?, ?)
       ON CONFLICT (label) DO UPDATE SET instead = excluded.instead, since = excluded.since`,
      ...[label, instead, this.#context.clock.now()],
    );
    return true;
  }

  /**
   * Takes over whose each is.
   * @param mark called in the transaction of a change
   * @returns those that ended, and whether anything changed
   */
  settle(
    judged: readonly JudgedLabel[],
    sure: boolean,
    mark: () => void,
  ): { readonly ended: readonly string[]; readonly changed: boolean } {
    const isOwn = new Map(judged.map((one) => [one.label, one.isOwn]));
    // Who was announced when the directory was asked may have come since: that "no" is an old one.
    const ended = new Set(judged.flatMap((one) => (one.wasHere && !one.isOwn ? [one.label] : [])));
    const before = this.all();
    const { sql, clock } = this.#context;
    const tooOld = clock.now() - limits.labelSettleMs;
    const isFailed = (label: string, since: number) =>
      isOwn.get(label) === false && (sure || since <= tooOld);
    sql.transaction(() => {
      for (const { label, state, since } of this.#rows()) {
        if (state === "coming" && isOwn.get(label) === true) this.#begin(label);
        else if (state === "gone") {
          if (isOwn.get(label) === true) this.#comeBack(label, since);
        } else if (state === "coming" ? isFailed(label, since) : ended.has(label)) {
          sql.run("DELETE FROM name_other WHERE label = ?", label);
        } else if (state === "leaving" && isOwn.get(label) === true && sure) {
          this.#begin(label); // nobody took it
        }
      }
      const primary = this.#registration.row()?.label ?? "";
      if (ended.has(primary)) this.#replace(primary);
      this.forgetMemory();
      if (!isSame(before, this.all())) mark();
    });
    const after = this.all();
    return { ended: before.filter((one) => !after.includes(one)), changed: !isSame(before, after) };
  }

  /** False for one that is none of the device's. */
  setPrimary(label: string, mark: () => void): boolean {
    const [primary, ...others] = this.all();
    if (label === primary) return true;
    if (primary === undefined || !others.includes(label)) return false;
    const { sql } = this.#context;
    const [before, since] = [this.since(primary), this.since(label)];
    sql.transaction(() => {
      sql.run("DELETE FROM name_other WHERE label = ?", label);
      sql.run(
        "INSERT INTO name_other (label, state, instead, since) VALUES (?, 'here', NULL, ?)",
        ...[primary, before],
      );
      this.#registration.rename(label, since);
      this.forgetMemory();
      mark();
    });
    return true;
  }

  /** Reads the rows again next time. */
  forgetMemory(): void {
    this.#known = null;
  }

  #begin(label: string): void {
    this.#context.sql.run("UPDATE name_other SET state = 'here' WHERE label = ?", label);
  }

  /** It may have been another's meanwhile: it is the device's since it was announced again. */
  #comeBack(primary: string, since: number): void {
    this.#context.sql.run("DELETE FROM name_other WHERE label = ?", primary);
    this.#registration.rename(primary, since);
  }

  /** The primary is another's by now: what came in its place, or the oldest other, is the primary. */
  #replace(primary: string): void {
    const here = this.#rows().filter((row) => answering(row).length > 0);
    const next = here.find(({ instead }) => instead === primary) ?? here[0];
    const { sql, clock } = this.#context;
    if (next === undefined) {
      // A device is always called something: without another name the word stays, and answers nowhere.
      sql.run(
        "INSERT INTO name_other (label, state, since) VALUES (?, 'gone', ?) ON CONFLICT DO NOTHING",
        ...[primary, clock.now()],
      );
      return;
    }
    sql.run("DELETE FROM name_other WHERE label = ? OR state = 'gone'", next.label);
    this.#registration.rename(next.label, next.since);
  }

  #rows(): readonly Row[] {
    return this.#context.sql.all<Row>("SELECT * FROM name_other ORDER BY since, label");
  }
}

function answering({ label, state }: Row): string[] {
  return state === "here" || state === "leaving" ? [label] : [];
}

function isSame(one: readonly string[], other: readonly string[]): boolean {
  return one.length === other.length && one.every((label, at) => label === other[at]);
}
