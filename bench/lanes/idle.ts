/**
 * What a box costs that is connected and idle: the runtime's memory before and after many connect, and
 * once their objects sleep. As many edges are started as it takes for so many sockets: the runtime opens
 * two files for each, and the machine says how many a process may have.
 */

import { readFileSync } from "node:fs";
import { Crowd, type Taken } from "../crowd.ts";
import type { Plan } from "../plan.ts";
import { maxOpenFiles, sleep } from "../processes.ts";
import { Section } from "../report.ts";
import type { Closing } from "../stage.ts";

/** Two for a socket, and room for the databases of objects that are awake. */
const FILES_EACH = 3;

export async function idle(closing: Closing, plan: Plan): Promise<Section> {
  const { idleDevices: devices } = plan;
  const perEdge = Math.floor(maxOpenFiles(readFileSync("/proc/self/limits", "utf8")) / FILES_EACH);
  const edges = Math.ceil(devices / perEdge);
  const crowds: Crowd[] = [];
  for (let at = 0; at < edges; at++) {
    const count = Math.floor(devices / edges) + (at < devices % edges ? 1 : 0);
    crowds.push(await Crowd.start(closing, count));
  }
  const where = edges === 1 ? "one edge" : `${edges} edges`;
  const section = new Section(`${devices} idle devices at ${where}`, [
    ...["runtime's memory", "a device", "of it in V8's heap", "seconds it took"],
  ]);
  const nothing = await takenBy(crowds);
  const row = (lane: string, { memory, held }: Taken, ms: number) => {
    const each = (bytes: number) => `${(bytes / 1024 / devices).toFixed(1)} KiB`;
    section.row(
      lane,
      `${(memory / 2 ** 20).toFixed(0)} MiB`,
      ...[each(memory - nothing.memory), each(held - nothing.held)],
      (ms / 1000).toFixed(0),
    );
  };
  const after = async (lane: string, work: () => Promise<unknown>) => {
    const since = performance.now();
    await work();
    const ms = performance.now() - since;
    row(lane, await takenBy(crowds), ms);
  };
  const each = (work: (crowd: Crowd) => Promise<unknown>) => Promise.all(crowds.map(work));
  row("none", nothing, 0);
  await after("registered, not connected", () => each((crowd) => crowd.register()));
  await after("connected", () => each((crowd) => crowd.connect()));
  await after("asleep", () => sleep(plan.idleSettleMs));
  for (const crowd of crowds) {
    const connected = await crowd.connected();
    if (connected !== crowd.count) {
      throw new Error(`only ${connected} of ${crowd.count} idle devices stayed connected`);
    }
  }
  return section;
}

async function takenBy(crowds: readonly Crowd[]): Promise<Taken> {
  let [memory, held] = [0, 0];
  for (const crowd of crowds) {
    const taken = await crowd.taken();
    memory += taken.memory;
    held += taken.held;
  }
  return { memory, held };
}
