/**
 * Many boxes at one edge. They are planted at the stores (workers/planter.ts), for an account has 100
 * devices at most; from the upgrade on they are boxes like others.
 */

import { statfsSync } from "node:fs";
import { join } from "node:path";
import { build } from "esbuild";
import type { V4WorkerOptions } from "miniflare";
import type { Heap } from "./heap.ts";
import type { Planted } from "./planted.ts";
import { freePort, Helper, memoryOf } from "./processes.ts";
import { type Closing, startHouse } from "./stage.ts";

const PLANTED_AT_A_TIME = 50;
/** Files in memory: what a disk takes to keep devices is not measured, and would take longer than all else. */
const MEMORY = "/dev/shm";
/** Of one device, in the folder of its edge. */
const FILE_BYTES = 150_000;

/** What an edge with its crowd takes, in bytes. */
export interface Taken {
  /** The memory of the runtime. */
  readonly memory: number;
  /** What V8 holds of it without garbage. */
  readonly held: number;
}

export class Crowd {
  readonly count: number;
  readonly #devices: readonly Planted[];
  readonly #plantAt: string;
  readonly #boxes: Helper;
  readonly #runtime: number;
  readonly #heap: Heap;

  private constructor(
    devices: readonly Planted[],
    plantAt: string,
    boxes: Helper,
    runtime: { readonly pid: number; readonly heap: Heap },
  ) {
    this.count = devices.length;
    this.#devices = devices;
    this.#plantAt = plantAt;
    this.#boxes = boxes;
    this.#runtime = runtime.pid;
    this.#heap = runtime.heap;
  }

  /** An edge of its own, and a process with the boxes, which nobody knows yet. */
  static async start(closing: Closing, count: number): Promise<Crowd> {
    const port = await freePort();
    const house = await startHouse(closing, "http://127.0.0.1:9", {
      beside: await planter(port),
      inspected: true,
      ...(roomInMemory(count * FILE_BYTES) ? { under: MEMORY } : {}),
    });
    const program = join(import.meta.dirname, "idle-boxes.ts");
    const boxes = new Helper(program, house.edge.origin, String(count));
    closing.push(() => boxes.close());
    const devices = await boxes.next<Planted[]>();
    const runtime = { pid: house.runtime, heap: await house.heap() };
    return new Crowd(devices, `http://127.0.0.1:${port}/`, boxes, runtime);
  }

  async register(): Promise<void> {
    for (let at = 0; at < this.count; at += PLANTED_AT_A_TIME) {
      const body = JSON.stringify(this.#devices.slice(at, at + PLANTED_AT_A_TIME));
      const answer = await fetch(this.#plantAt, { method: "POST", body });
      if (!answer.ok) throw new Error(`planting devices: ${await answer.text()}`);
    }
  }

  /** @throws Error when one is refused */
  async connect(): Promise<void> {
    await this.#boxes.ask("connect");
  }

  /** How many are connected. */
  connected(): Promise<number> {
    return this.#boxes.ask("how many?");
  }

  async taken(): Promise<Taken> {
    const memory = memoryOf(this.#runtime);
    return { memory, held: await this.#heap.held() };
  }
}

function roomInMemory(bytes: number): boolean {
  try {
    const { bavail, bsize } = statfsSync(MEMORY);
    return bavail * bsize > 2 * bytes;
  } catch {
    return false;
  }
}

/** The worker that plants, bound to the edge's objects and its database. */
async function planter(port: number): Promise<V4WorkerOptions> {
  const result = await build({
    entryPoints: [join(import.meta.dirname, "workers/planter.ts")],
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
