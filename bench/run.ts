/**
 * `npm run bench`: what each part costs, as ratios against a stated peer in the same run. Absolute
 * figures belong to the machine; quote the ratios. A whole run writes its figures into
 * docs/performance.md.
 *
 *     --only SUBJECT     one subject, again for another; nothing is written
 *     --devices COUNT    that many idle devices
 *     --smoke            every lane once and shortly: does all of it work?
 *     --report FILE      how many lanes answered and how many subjects did not, as JSON
 */

import { readFile, writeFile } from "node:fs/promises";
import { availableParallelism } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { bulk } from "./lanes/bulk.ts";
import { click } from "./lanes/click.ts";
import { dns } from "./lanes/dns.ts";
import { flood } from "./lanes/flood.ts";
import { idle } from "./lanes/idle.ts";
import { requests } from "./lanes/requests.ts";
import { signing } from "./lanes/signing.ts";
import { small } from "./lanes/small.ts";
import { stalled } from "./lanes/stalled.ts";
import { startup } from "./lanes/startup.ts";
import { smoke, whole } from "./plan.ts";
import { figures, type Section, withFigures } from "./report.ts";
import { type Closing, type Stage, setBoxes, setStage } from "./stage.ts";

const DOCUMENT = join(import.meta.dirname, "../docs/performance.md");

const { values } = parseArgs({
  options: {
    only: { type: "string", multiple: true },
    devices: { type: "string" },
    smoke: { type: "boolean", default: false },
    report: { type: "string" },
  },
});
const chosen = values.smoke ? smoke : whole;
const plan = { ...chosen, idleDevices: Number(values.devices ?? chosen.idleDevices) };

const closing: Closing = [];
let stage: Promise<Stage> | null = null;
const onStage = () => {
  stage ??= setStage(closing);
  return stage;
};

/** Every subject, in the order of the run. */
const subjects: Readonly<Record<string, () => Promise<Section | Section[]>>> = {
  startup: () => startup(plan),
  requests: async () => await requests(await onStage(), plan),
  small: async () => await small(await onStage(), plan),
  bulk: async () => await bulk(await onStage(), plan),
  click: async () => await click(await onStage(), plan),
  stalled: async () => {
    await close();
    return await stalled(await setBoxes(closing, true), plan);
  },
  dns: async () => {
    await close();
    return await dns(plan);
  },
  flood: async () => {
    await close();
    return await flood(closing, plan);
  },
  signing: () => signing(plan),
  idle: async () => {
    await close(); // nothing else in memory, nothing else on the cores
    return await idle(closing, plan);
  },
};

async function close(): Promise<void> {
  for (const step of closing.splice(0).reverse()) await step();
  stage = null;
}

for (const signal of ["SIGINT", "SIGTERM"] as const) {
  process.once(signal, () => void close().then(() => process.exit(1)));
}

const started = performance.now();
const sections: Section[] = [];
let failed = 0;
try {
  for (const name of values.only ?? Object.keys(subjects)) {
    const subject = subjects[name];
    if (subject === undefined) throw new Error(`there are ${Object.keys(subjects).join(", ")}`);
    const began = performance.now();
    try {
      for (const section of [await subject()].flat()) {
        sections.push(section);
        console.log(`${section.title}\n\n${section}\n`);
      }
      console.log(`(${name}: ${((performance.now() - began) / 1000).toFixed(0)} s)\n`);
    } catch (error) {
      if (!values.smoke) throw error;
      failed++;
      console.error(`FAILED: ${name}:`, error);
    }
  }
} finally {
  await close();
}

const passed = sections.reduce((sum, { measured }) => sum + measured, 0);
const seconds = (performance.now() - started) / 1000;
console.log(`${passed} lanes answered, ${failed} subjects failed, ${seconds.toFixed(0)} s`);
if (failed > 0) process.exitCode = 1;
if (values.report !== undefined) {
  const counts = { numPassedTests: passed, numFailedTests: failed, numPendingTests: 0 };
  await writeFile(values.report, JSON.stringify(counts));
}
if (!values.smoke && values.only === undefined) {
  const command = `npm run bench${values.devices === undefined ? "" : ` -- --devices ${values.devices}`}`;
  const date = new Date().toISOString().slice(0, 10);
  const text = figures(sections, { date, command, cores: availableParallelism(), seconds });
  await writeFile(DOCUMENT, withFigures(await readFile(DOCUMENT, "utf8"), text));
}
