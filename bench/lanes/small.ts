/** A small request through the door against the object alone, and against what else leads to a box. */

import { type Costed, inTurn, type Load, type Measured, run } from "../load.ts";
import { missingWhy, type PeerName, peerNames } from "../peers/peers.ts";
import type { Plan } from "../plan.ts";
import { judged, Section } from "../report.ts";
import type { Stage } from "../stage.ts";

/** Requests at a time. */
const CONNECTIONS = [1, 16, 64] as const;
const ALONE = "object alone (peer)";
const LINK = "Link";

export async function small(stage: Stage, plan: Plan): Promise<Section> {
  const section = new Section("A small request through the door", [
    ...[
      "at a time",
      "requests/s",
      "p50 ms",
      "p99 ms",
      "CPU µs",
      "of object alone",
      "p50",
      "limits",
    ],
  ]);
  // What a program compiles while it is new is not what a door costs an hour later.
  const warm = lanesOf(stage, {
    connections: Math.max(...CONNECTIONS),
    seconds: plan.warmUpSeconds,
  });
  for (const load of warm.values()) await run(load, load.seconds);
  for (const connections of CONNECTIONS) {
    const lanes = lanesOf(stage, { connections, seconds: plan.seconds });
    const measured = await inTurn([...lanes.values()], plan.rounds);
    const by = new Map([...lanes.keys()].map((name, index) => [name, measured[index] as Costed]));
    const alone = by.get(ALONE) as Costed;
    for (const [name, { requestsPerSecond, p50Ms, p99Ms, cpuUs }] of by) {
      section.row(
        name,
        ...[String(connections), requestsPerSecond.toFixed(0), p50Ms.toFixed(2), p99Ms.toFixed(2)],
        cpuUs.toFixed(0),
        (requestsPerSecond / alone.requestsPerSecond).toFixed(2),
        `${(p50Ms / alone.p50Ms).toFixed(2)}×`,
        name === LINK ? limitsOf(by, connections) : "",
      );
    }
  }
  for (const name of peerNames) {
    if ((stage.peers.get(name) ?? null) === null) section.missing(name, missingWhy(name));
  }
  return section;
}

function lanesOf(
  { baseline, link, peers }: Stage,
  how: { connections: number; seconds: number },
): Map<string, Load> {
  const load = { ...how, path: "/small", says: "ok" };
  const lanes = new Map<string, Load>([
    [ALONE, { ...load, ...baseline, path: "/object" }],
    [LINK, { ...load, ...link }],
  ]);
  for (const [name, peer] of peers) if (peer !== null) lanes.set(name, { ...load, ...peer.way });
  return lanes;
}

/** What Link is to keep with so many requests at a time. */
function limitsOf(by: ReadonlyMap<string, Measured>, connections: number): string {
  const ratio = (peer: string, of: (one: Measured) => number) => {
    const [ours, theirs] = [by.get(LINK), by.get(peer)];
    return ours === undefined || theirs === undefined ? null : of(ours) / of(theirs);
  };
  const p50 = ratio(ALONE, ({ p50Ms }) => p50Ms);
  if (connections === 1) return judged(p50, { atMost: 2.5 }, "the object's p50");
  const perSecond = ({ requestsPerSecond }: Measured) => requestsPerSecond;
  const alone = judged(ratio(ALONE, perSecond), { atLeast: 0.65 }, "object alone");
  if (connections !== 16) return alone;
  const peer: PeerName = "localtunnel";
  return `${alone}; ${judged(ratio(peer, perSecond), { atLeast: 1.5 }, peer)}`;
}
