/**
 * What the Worker weighs: its modules as they are uploaded, and the time from starting the runtime to
 * its first answer, against an empty worker started the same way in the same run. What the first page
 * takes is printed beside it: the code of pages is loaded by the first request for one.
 */

import { type ChildProcess, spawn } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { request } from "node:http";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { bundleWorker, gzippedBytes, type WorkerModule } from "../scripts/local/bundle.ts";
import { defaults } from "../scripts/local/edge.ts";
import { compatibilityDate } from "../scripts/local/miniflare.ts";

const RUNS = 15;
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

/** Prints the weight and the start-up, each beside its limit. */
export async function measureStartup(freePort: () => Promise<number>): Promise<void> {
  const modules = await bundleWorker();
  const kib = gzippedBytes(modules) / 1024;
  console.log(`bundle ${kib.toFixed(0)} KiB gzip   (limit ${MAX_GZIPPED_KIB})`);
  const folder = await mkdtemp(join(tmpdir(), "latchkey-startup-"));
  try {
    const [ours, empty] = [
      await write(folder, "ours", modules),
      await write(folder, "empty", EMPTY),
    ];
    const times = { ours: [] as number[], empty: [] as number[], page: [] as number[] };
    // In turn, so that what else the machine does weighs on all.
    for (let run = 0; run < RUNS; run++) {
      times.empty.push(await startup(empty, await freePort(), paths.start));
      times.ours.push(await startup(ours, await freePort(), paths.start));
      times.page.push(await startup(ours, await freePort(), paths.page));
    }
    const [a, b, page] = [median(times.ours), median(times.empty), median(times.page)];
    console.log(
      `start-up ${a.toFixed(0)} ms, an empty worker ${b.toFixed(0)} ms: ` +
        `${(a / b).toFixed(2)}× (limit ${MAX_STARTUP_RATIO}×); to the first page ${page.toFixed(0)} ms`,
    );
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

const median = (values: readonly number[]): number =>
  [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;

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
    .concat("DEVICES", "LIMITER")
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

/** Milliseconds from starting the runtime until the worker's code has run and answered. */
async function startup(
  configuration: (port: number) => Promise<string>,
  port: number,
  path: string,
): Promise<number> {
  const file = await configuration(port);
  const started = performance.now();
  const runtime = spawn(workerd, ["serve", file], { stdio: "ignore" });
  try {
    while (!(await answers(port, path))) {
      if (runtime.exitCode !== null) throw new Error("the runtime did not start");
      await new Promise((resolve) => setTimeout(resolve, TRY_EVERY_MS));
    }
    return performance.now() - started;
  } finally {
    await ended(runtime);
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

function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null) return Promise.resolve();
  return new Promise((resolve) => {
    child.once("exit", () => resolve());
    child.kill("SIGKILL");
  });
}
