/**
 * What a run says: tables of lanes, each beside the limit it is to keep. They are printed as they come,
 * and a whole run writes them into docs/performance.md between its two markers.
 */

export const beginMarker = "<!-- Figures: written by `npm run bench`, not by hand. -->";
export const endMarker = "<!-- End of the figures. -->";

/** What a ratio is to be. */
export type Bound = { readonly atLeast: number } | { readonly atMost: number };

/**
 * A ratio beside its limit, e.g. `0.70 of ssh -R (≥ 0.65, kept)`.
 * @param value null or not a number when the peer was not measured
 */
export function judged(value: number | null, bound: Bound, of: string): string {
  const isFloor = "atLeast" in bound;
  const limit = isFloor ? bound.atLeast : bound.atMost;
  const words = `${isFloor ? "≥" : "≤"} ${limit}`;
  if (value === null || Number.isNaN(value)) return `${of} not measured (${words})`;
  const isKept = isFloor ? value >= limit : value <= limit;
  return `${value.toFixed(2)} of ${of} (${words}, ${isKept ? "kept" : "missed"})`;
}

/** One subject's table. */
export class Section {
  readonly title: string;
  readonly #columns: readonly string[];
  readonly #rows: string[][] = [];
  #measured = 0;

  /** @param columns behind the lane's name */
  constructor(title: string, columns: readonly string[]) {
    this.title = title;
    this.#columns = ["lane", ...columns];
  }

  /** Lanes that have figures. */
  get measured(): number {
    return this.#measured;
  }

  row(lane: string, ...cells: readonly string[]): void {
    if (cells.length >= this.#columns.length)
      throw new Error(`${lane} has more cells than columns`);
    this.#rows.push([lane, ...cells]);
    this.#measured++;
  }

  /** A lane without figures, and what would give it some. */
  missing(lane: string, why: string): void {
    this.#rows.push([lane, `not measured (${why})`]);
  }

  /** The table in Markdown, in columns that a terminal shows well too. */
  toString(): string {
    const count = this.#columns.length;
    const rows = this.#rows.map((row) => Array.from({ length: count }, (_, at) => row[at] ?? ""));
    const widths = this.#columns.map((column, at) =>
      Math.max(3, column.length, ...rows.map((row) => row[at]?.length ?? 0)),
    );
    const line = (cells: readonly string[]) =>
      `| ${cells.map((cell, at) => cell.padEnd(widths[at] ?? 0)).join(" | ")} |`;
    const rule = line(widths.map((width) => "-".repeat(width)));
    return [line(this.#columns), rule, ...rows.map(line)].join("\n");
  }
}

/** Where and when a run was made. */
export interface Circumstances {
  /** `YYYY-MM-DD` */
  readonly date: string;
  readonly command: string;
  readonly cores: number;
  readonly seconds: number;
}

/** Everything one run said, as it stands in docs/performance.md. */
export function figures(sections: readonly Section[], run: Circumstances): string {
  const head =
    `One run on ${run.date}: \`${run.command}\`, ${run.cores} cores, ` +
    `${(run.seconds / 60).toFixed(1)} minutes.`;
  return [head, ...sections.map((section) => `### ${section.title}\n\n${section}`)].join("\n\n");
}

/** A document with other figures between its markers. @throws Error when it has none */
export function withFigures(document: string, text: string): string {
  const begin = document.indexOf(beginMarker);
  const end = document.indexOf(endMarker);
  if (begin < 0 || end < begin) throw new Error("the document has no place for figures");
  return `${document.slice(0, begin)}${beginMarker}\n\n${text}\n\n${document.slice(end)}`;
}

/** The run in the middle, by `of`. @throws Error when there is none */
export function median<T>(runs: readonly T[], of: (run: T) => number): T {
  const sorted = [...runs].sort((a, b) => of(a) - of(b));
  const middle = sorted[Math.floor((sorted.length - 1) / 2)];
  if (middle === undefined) throw new Error("nothing was measured");
  return middle;
}
