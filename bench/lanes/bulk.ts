/** One long body through the door, both ways, against what else leads to a box. */

import { download, upload, type Way } from "../load.ts";
import { missingWhy } from "../peers/peers.ts";
import type { Plan } from "../plan.ts";
import { cpuMsOfAll } from "../processes.ts";
import { type Bound, judged, median, Section } from "../report.ts";
import type { Stage } from "../stage.ts";

interface Lane {
  readonly name: string;
  /** Null: this machine has no such peer. */
  readonly way: Way | null;
  readonly bytes: number;
  readonly why?: string;
  /** Of `ssh -R`. */
  readonly limits?: { readonly download: Bound; readonly upload?: Bound };
}

const YARDSTICK = "ssh -R";
const ways = { download, upload } as const;

export async function bulk(stage: Stage, plan: Plan): Promise<Section[]> {
  const lanes = lanesOf(stage, plan);
  const sections: Section[] = [];
  for (const [way, move] of Object.entries(ways) as [keyof typeof ways, typeof download][]) {
    const title = `${way === "download" ? "Download" : "Upload"} of ${plan.bulkBytes / 1e6} MB`;
    const section = new Section(title, [
      ...["MB/s", "CPU ms a MB", "of the service", `of ${YARDSTICK}`, "limit"],
    ]);
    const speeds = await speedsOf(lanes, plan, move);
    const of = (name: string, peer: string) =>
      (speeds.get(name)?.speed ?? Number.NaN) / (speeds.get(peer)?.speed ?? Number.NaN);
    for (const { name, limits, why = "" } of lanes) {
      const measured = speeds.get(name);
      if (measured === undefined) {
        section.missing(name, why);
        continue;
      }
      const bound = limits?.[way];
      section.row(
        name,
        ...[measured.speed.toFixed(0), measured.cpuMs.toFixed(1)],
        of(name, SERVICE).toFixed(2),
        speeds.has(YARDSTICK) ? of(name, YARDSTICK).toFixed(2) : "",
        bound === undefined ? "" : judged(of(name, YARDSTICK), bound, YARDSTICK),
      );
    }
    sections.push(section);
  }
  return sections;
}

interface Moved {
  /** Megabytes a second. */
  readonly speed: number;
  /** Of all processes on the way, for a megabyte. */
  readonly cpuMs: number;
}

/** Each lane's runs, measured in turn, after some that warm it up: the one in the middle. */
async function speedsOf(
  lanes: readonly Lane[],
  plan: Plan,
  move: typeof download,
): Promise<Map<string, Moved>> {
  const moved = new Map<string, Moved[]>();
  for (let run = -plan.bulkWarmUps; run < plan.bulkRuns; run++) {
    for (const { name, way, bytes } of lanes) {
      if (way === null) continue;
      const { through = [] } = way;
      const before = cpuMsOfAll(through);
      const speed = await move(way, bytes);
      const cpuMs = ((cpuMsOfAll(through) - before) * 1e6) / bytes;
      if (run >= 0) moved.set(name, [...(moved.get(name) ?? []), { speed, cpuMs }]);
    }
  }
  return new Map([...moved].map(([name, of]) => [name, median(of, ({ speed }) => speed)]));
}

const SERVICE = "the service itself (peer)";

function lanesOf({ service, link, frames, masked, peers }: Stage, plan: Plan): Lane[] {
  const { bulkBytes, slowBulkBytes } = plan;
  return [
    { name: SERVICE, way: service, bytes: bulkBytes },
    {
      name: "Link, frames only",
      way: frames,
      bytes: bulkBytes,
      limits: { download: { atLeast: 1.3 }, upload: { atLeast: 1 } },
    },
    {
      name: "Link, frames only, masked",
      way: masked,
      bytes: bulkBytes,
      limits: { download: { atLeast: 0.8 } },
    },
    {
      name: "Link",
      way: link,
      bytes: bulkBytes,
      limits: { download: { atLeast: 1.8 }, upload: { atLeast: 1.5 } },
    },
    ...[...peers].map(([name, peer]) => {
      const lane = { name, way: peer?.way ?? null, bytes: bulkBytes, why: missingWhy(name) };
      if (name !== "localtunnel") return lane;
      return { ...lane, name: `${name}, ${slowBulkBytes / 1e6} MB`, bytes: slowBulkBytes };
    }),
  ];
}
