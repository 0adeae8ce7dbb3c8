/**
 * What the Worker weighs: its modules as they are uploaded, and the time from starting the runtime to
 * its first answer, against an empty worker started the same way in the same run. The CPU that it used
 * until then stands beside it, which other programs of the machine move less; and so does the first page,
 * whose code is loaded by the first request for one.
 */

import { spawn } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { request } from "node:http";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { bundleWorker, gzippedBytes, type WorkerModule } from "../../scripts/local/bundle.ts";
import { defaults } from "../../scripts/local/edge.ts";
import { compatibilityDate } from "../../scripts/local/miniflare.ts";
import type { Plan } from "../plan.ts";
import { cpuMsOf, ended, freePort, sleep } from "../processes.ts";
import { judged, median, Section } from "../report.ts";

const TRY_EVERY_MS = 1;
const MAX_GZIPPED_KIB = 400;
const MAX_STARTUP_RATIO = 2.5;
/** What the start is measured with, and a page. */
const paths = { start: "/healthz", page: "/sign-in" } as const;
const EMPTY: WorkerModule[] = [
  {
    type: "ESModule",
    path: "index.js",
    contents: 'export default { fetch() { return new Response("ok"); } };',
  },
];
const workerd = createRequire(createRequire(import.meta.url).resolve("miniflare"))("workerd")
  .default as string;

/** The weight and the start-up, each beside its limit. */
export async function startup({ starts }: Plan): Promise<Section> {
  const section = new Section("The worker's start", [
    ...["ms", "of an empty worker", "ms of CPU", "of an empty worker", "limit"],
  ]);
  const modules = await bundleWorker();
  const folder = await mkdtemp(join(tmpdir(), "latchkey-startup-"));
  try {
    const [ours, empty] = [
      await write(folder, "ours", modules),
      await write(folder, "empty", EMPTY),
    ];
    const runs = { empty: [] as Start[], ours: [] as Start[], page: [] as Start[] };
    // In turn, so that what else the machine does weighs on all.
    for (let run = 0; run < starts; run++) {
      runs.empty.push(await startOf(empty, paths.start));
      runs.ours.push(await startOf(ours, paths.start));
      runs.page.push(await startOf(ours, paths.page));
    }
    const peer = summaryOf(runs.empty);
    const row = (lane: string, of: readonly Start[], limit = "") => {
      const { ms, cpuMs } = summaryOf(of);
      section.row(
        lane,
        ...[ms.toFixed(0), (ms / peer.ms).toFixed(2)],
        ...[cpuMs.toFixed(0), (cpuMs / peer.cpuMs).toFixed(2), limit],
      );
    };
    row("an empty worker (peer)", runs.empty);
    const ratio = summaryOf(runs.ours).ms / peer.ms;
    row(
      "ours, to its first answer",
      runs.ours,
      judged(ratio, { atMost: MAX_STARTUP_RATIO }, "an empty worker"),
    );
    row("ours, to the first page", runs.page);
    const kib = gzippedBytes(modules) / 1024;
    const weight = judged(kib / MAX_GZIPPED_KIB, { atMost: 1 }, `${MAX_GZIPPED_KIB} KiB`);
    section.row(`${kib.toFixed(0)} KiB of modules, gzipped`, "", "", "", "", weight);
    return section;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** What one start took until the first answer: time, and the CPU of the runtime. */
interface Start {
  readonly ms: number;
  readonly cpuMs: number;
}

/** The median of the times; of the CPU, which is told in hundredths of a second only, the mean. */
function summaryOf(starts: readonly Start[]): Start {
  const cpuMs = starts.reduce((sum, start) => sum + start.cpuMs, 0) / starts.length;
  return { ms: median(starts, ({ ms }) => ms).ms, cpuMs };
}

/** Writes a worker as the runtime reads it. @returns the configuration, but for the port */
async function write(
  folder: string,
  name: string,
  modules: readonly WorkerModule[],
): Promise<(port: number) => Promise<string>> {
  const listed: string[] = [];
  for (const { type, path, contents } of modules) {
    const file = `${name}-${path.replace("./", "")}`;
    await writeFile(join(folder, file), contents);
    const kind = type === "ESModule" ? "esModule" : "wasm";
    listed.push(`(name = "${path}", ${kind} = embed "${file}")`);
  }
  const variables = Object.entries(defaults("http://localhost:8787"))
    .map(
      ([variable, text]) => `(name = ${JSON.stringify(variable)}, text = ${JSON.stringify(text)})`,
    )
    .join(", ");
  // What must be bound is bound to something that nobody asks here.
  const stores = ["DIRECTORY", "DB_HOME", "SYSTEM_KEYS", "KEYS_HOME", "PHOTOS_HOME", "ASSETS"]
    .concat("DEVICES", "LIMITER", "ZONE")
    .map((store) => `(name = "${store}", service = "main")`)
    .join(", ");
  return async (port) => {
    const file = join(folder, `${name}.capnp`);
    await writeFile(
      file,
      `using Workerd = import "/workerd/workerd.capnp";
const config :Workerd.Config = (
  services = [(name = "main", worker = .main)],
  sockets = [(name = "http", address = "127.0.0.1:${port}", http = (), service = "main")],
);
const main :Workerd.Worker = (
  modules = [${listed.join(", ")}],
  compatibilityDate = "${compatibilityDate}",
  compatibilityFlags = ["nodejs_compat"],
  bindings = [${variables}, ${stores}],
);
`,
    );
    return file;
  };
}

/** From starting the runtime until the worker's code has run and answered. */
async function startOf(
  configuration: (port: number) => Promise<string>,
  path: string,
): Promise<Start> {
  const port = await freePort();
  const file = await configuration(port);
  const started = performance.now();
  const runtime = spawn(workerd, ["serve", file], { stdio: "ignore" });
  try {
    while (!(await answers(port, path))) {
      if (runtime.exitCode !== null) throw new Error("the runtime did not start");
      await sleep(TRY_EVERY_MS);
    }
    return { ms: performance.now() - started, cpuMs: cpuMsOf(runtime.pid ?? 0) };
  } finally {
    await ended(runtime, "SIGKILL");
  }
}

/** False until the port is open. @throws Error when the answer is not 200 */
function answers(port: number, path: string): Promise<boolean> {
  return new Promise((resolve, reject) => {
    request({ host: "127.0.0.1", port, path, agent: false }, (response) => {
      response.resume();
      response.once("close", () => {
        if (response.statusCode === 200) resolve(true);
        else reject(new Error(`${path} was answered with ${response.statusCode}`));
      });
    })
      .once("error", () => resolve(false))
      .end();
  });
}
