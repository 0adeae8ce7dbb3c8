/**
 * What a box costs that is connected and idle: the runtime's memory before and after many connect, and
 * once their objects sleep. They are planted at the stores (workers/planter.ts), for an account has 100
 * devices at most; from the upgrade on they are boxes like others.
 */

import { execFileSync } from "node:child_process";
import { join } from "node:path";
import { build } from "esbuild";
import type { V4WorkerOptions } from "miniflare";
import type { Plan } from "../plan.ts";
import type { Planted } from "../planted.ts";
import { freePort, Helper, memoryOf, sleep } from "../processes.ts";
import { Section } from "../report.ts";
import { type Closing, startHouse } from "../stage.ts";

const PLANTED_AT_A_TIME = 50;
/** Sockets, and the files of objects that are awake. */
const FILES = 65_536;

export async function idle(closing: Closing, plan: Plan): Promise<Section> {
  const section = new Section(`${plan.idleDevices} idle devices`, [
    ...["runtime's memory", "a device", "of it in V8's heap", "seconds it took"],
  ]);
  const plantAt = await freePort();
  const house = await startHouse(closing, "http://127.0.0.1:9", {
    beside: await planter(plantAt),
    inspected: true,
  });
  const heap = await house.heap();
  const { runtime, edge } = house;
  const boxes = new Helper(
    join(import.meta.dirname, "../idle-boxes.ts"),
    edge.origin,
    String(plan.idleDevices),
  );
  closing.push(() => boxes.close());
  const devices = await boxes.next<Planted[]>();
  allowFiles(runtime, boxes.child.pid ?? 0);
  let since = performance.now();
  const nothing = { memory: memoryOf(runtime), held: await heap.held() };
  const row = async (lane: string) => {
    const seconds = (performance.now() - since) / 1000;
    const memory = memoryOf(runtime);
    const each = (bytes: number) => `${(bytes / 1024 / plan.idleDevices).toFixed(1)} KiB`;
    section.row(
      lane,
      `${(memory / 2 ** 20).toFixed(0)} MiB`,
      ...[each(memory - nothing.memory), each((await heap.held()) - nothing.held)],
      seconds.toFixed(0),
    );
    since = performance.now();
  };
  await row("before");
  for (let at = 0; at < devices.length; at += PLANTED_AT_A_TIME) {
    await plant(plantAt, devices.slice(at, at + PLANTED_AT_A_TIME));
  }
  await row("registered, not connected");
  const connected = await boxes.ask<number>("connect");
  await row("connected");
  await sleep(plan.idleSettleMs);
  await row("asleep");
  if (connected !== plan.idleDevices || (await boxes.ask<number>("all there?")) !== connected) {
    throw new Error(`only ${connected} of ${plan.idleDevices} idle devices stayed connected`);
  }
  return section;
}

async function plant(port: number, devices: readonly Planted[]): Promise<void> {
  const answer = await fetch(`http://127.0.0.1:${port}/`, {
    method: "POST",
    body: JSON.stringify(devices),
  });
  if (!answer.ok) throw new Error(`planting devices: ${await answer.text()}`);
}

/** The worker that plants, bound to the edge's objects and its database. */
async function planter(port: number): Promise<V4WorkerOptions> {
  const result = await build({
    entryPoints: [join(import.meta.dirname, "../workers/planter.ts")],
    bundle: true,
    format: "esm",
    write: false,
  });
  return {
    name: "planter",
    modules: true,
    script: result.outputFiles[0]?.text ?? "",
    d1Databases: { DB_HOME: "db_home" },
    durableObjects: {
      DEVICES: { className: "DeviceObject", scriptName: "latchkey", useSQLite: true },
    },
    unsafeDirectSockets: [{ host: "127.0.0.1", port }],
  };
}

/** Lets programs of ours open as many files as so many boxes need, where this machine allows it. */
function allowFiles(...pids: readonly number[]): void {
  for (const pid of pids) {
    try {
      execFileSync("prlimit", ["--pid", String(pid), `--nofile=${FILES}:${FILES}`], {
        stdio: "ignore",
      });
    } catch {
      // Without the right to, they have what they have; whoever is not connected then is told below.
    }
  }
}
