/**
 * A click while a download runs: small requests, one after the other, beside a visitor who reads as fast
 * as bytes come, in a process of their own.
 */

import { download, run, summary, type Way } from "../load.ts";
import { missingWhy, type PeerName } from "../peers/peers.ts";
import type { Plan } from "../plan.ts";
import { Helper } from "../processes.ts";
import { judged, median, Section } from "../report.ts";
import type { Stage } from "../stage.ts";

/** Long enough that a download does not end between two of its starts all the time. */
const DOWNLOAD_BYTES = 400_000_000;
const YARDSTICK: PeerName = "ssh -R";

interface Clicks {
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly megabytesPerSecond: number;
}

export async function click(stage: Stage, plan: Plan): Promise<Section> {
  const section = new Section("A click while a download runs", [
    ...["p50 ms", "p99 ms", "download MB/s", `p99 of ${YARDSTICK}`, "limit"],
  ]);
  const peer = stage.peers.get(YARDSTICK)?.way;
  const lanes: [name: string, way: Way, limited: boolean][] = [
    ...(peer === undefined ? [] : [[YARDSTICK, peer, false] as [string, Way, boolean]]),
    ["Link, frames only", stage.frames, true],
    ["Link", stage.link, true],
  ];
  const runs = lanes.map((): Clicks[] => []);
  for (let round = 0; round < plan.rounds; round++) {
    for (const [index, [, way]] of lanes.entries()) {
      runs[index]?.push(await clicksDuringDownload(way, plan.seconds * 2));
    }
  }
  const measured = runs.map((of) => median(of, ({ p99Ms }) => p99Ms));
  const yardstick = peer === undefined ? null : (measured[0]?.p99Ms ?? null);
  if (peer === undefined) section.missing(YARDSTICK, missingWhy(YARDSTICK));
  for (const [index, { p50Ms, p99Ms, megabytesPerSecond }] of measured.entries()) {
    const [name = "", , limited] = lanes[index] ?? [];
    const ratio = yardstick === null ? null : p99Ms / yardstick;
    section.row(
      name,
      ...[p50Ms.toFixed(2), p99Ms.toFixed(2), megabytesPerSecond.toFixed(0)],
      ratio === null ? "" : ratio.toFixed(2),
      limited === true ? judged(ratio, { atMost: 1.5 }, `${YARDSTICK}'s p99`) : "",
    );
  }
  return section;
}

async function clicksDuringDownload(way: Way, seconds: number): Promise<Clicks> {
  const reader = new Helper(import.meta.filename, JSON.stringify(way));
  try {
    await reader.next(); // the first bytes have come
    const load = { ...way, path: "/small", says: "ok", connections: 1, seconds };
    await run(load, seconds / 5);
    const { p50Ms, p99Ms } = summary(await run(load, seconds), seconds);
    return { p50Ms, p99Ms, megabytesPerSecond: await reader.ask<number>("how fast?") };
  } finally {
    await reader.close();
  }
}

/** The reader: downloads again and again. */
async function read(way: Way): Promise<void> {
  const started = performance.now();
  let bytes = 0;
  process.on("message", () => {
    process.send?.(bytes / 1e3 / (performance.now() - started));
  });
  process.once("disconnect", () => process.exit());
  for (;;) {
    await download(way, DOWNLOAD_BYTES, (count) => {
      if (bytes === 0) process.send?.(true);
      bytes += count;
    });
  }
}

if (import.meta.main) await read(JSON.parse(process.argv[2] ?? "") as Way);
