/**
 * What an end that stops costs: visitors who ask for a film and read none of it, and a box that stops in
 * the middle of uploads. The object may hold two windows for each, whatever they do.
 *
 * The runtime's memory is everything it holds, in the object and around it; what the kernel holds for a
 * socket is not in it. For frames there is a figure without any noise too: what the box has sent and got
 * no credit for, which the object's queue cannot exceed.
 */

import { connect, type Socket } from "node:net";
import { limits } from "../../protocol/limits.ts";
import { download, type Way } from "../load.ts";
import type { Plan } from "../plan.ts";
import { memoryOf, sleep } from "../processes.ts";
import { judged, Section } from "../report.ts";
import type { Stage } from "../stage.ts";

const FILM_BYTES = 1_000_000_000;
const WARM_BYTES = 20_000_000;
/** Nothing moved for so long: it will not move any more. */
const STILL_MS = 700;
const LOOK_EVERY_MS = 50;
const GIVE_UP_MS = 10_000;
const WINDOW = limits.linkStreamWindowBytes;

export async function stalled(stage: Stage, plan: Plan): Promise<Section> {
  const { runtime, framedBox } = stage;
  const section = new Section(`${plan.stalled} streams that stall`, [
    ...["runtime's memory a stream", "uncredited at most", "of 2 windows"],
  ]);
  const visitors = { count: plan.stalled, runtime };
  for (const way of [stage.link, stage.frames]) await download(way, WARM_BYTES);
  await framedBox.ask<number>("count anew");
  const inFrames = await stalls({ ...visitors, way: stage.frames, begin: askForFilm });
  const uncredited = await framedBox.ask<number>("how much?");
  section.row("readers, frames only", ...cells(inFrames, uncredited));
  section.row(
    "readers",
    ...cells(await stalls({ ...visitors, way: stage.link, begin: askForFilm })),
  );
  const box = framedBox.child;
  box.kill("SIGSTOP");
  try {
    const uploads = await stalls({ ...visitors, way: stage.frames, begin: sendFilm });
    section.row("uploads to a box that stopped", ...cells(uploads));
  } finally {
    box.kill("SIGCONT");
  }
  return section;
}

function cells(memory: number, uncredited: number | null = null): [string, string, string] {
  const held = uncredited === null ? memory : uncredited;
  return [
    `${(memory / 1024).toFixed(0)} KiB`,
    uncredited === null ? "" : `${(uncredited / 1024).toFixed(0)} KiB`,
    judged(held / (2 * WINDOW), { atMost: 1 }, `${(2 * WINDOW) / 1024} KiB`),
  ];
}

interface Stalls {
  readonly runtime: number;
  readonly count: number;
  readonly way: Way;
  /** Says what a visitor says who then stands still. */
  readonly begin: (socket: Socket, host: string) => void;
}

/** By how much the runtime's memory grows for each, in bytes, when nothing moves any more. */
async function stalls({ runtime, count, way, begin }: Stalls): Promise<number> {
  const before = memoryOf(runtime);
  const { hostname, port } = new URL(way.origin);
  const sockets: Socket[] = [];
  try {
    for (let at = 0; at < count; at++) {
      const socket = connect(Number(port), hostname);
      sockets.push(socket);
      socket.on("error", () => undefined); // it is broken off at the end
      socket.pause();
      begin(socket, way.headers?.host ?? "");
    }
    await still(
      () => memoryOf(runtime) + sockets.reduce((sum, { bytesWritten }) => sum + bytesWritten, 0),
    );
    return Math.max(0, memoryOf(runtime) - before) / count;
  } finally {
    for (const socket of sockets) socket.destroy();
  }
}

function askForFilm(socket: Socket, host: string): void {
  socket.write(`GET /bytes/${FILM_BYTES} HTTP/1.1\r\nhost: ${host}\r\n\r\n`);
}

function sendFilm(socket: Socket, host: string): void {
  socket.write(`PUT /sink HTTP/1.1\r\nhost: ${host}\r\ncontent-length: ${FILM_BYTES}\r\n\r\n`);
  const chunk = new Uint8Array(64 * 1024);
  const push = () => {
    while (!socket.destroyed && socket.write(chunk));
  };
  socket.on("drain", push);
  push();
}

/** Resolves when `gauge` has said the same for `STILL_MS`, or will not stand still. */
async function still(gauge: () => number): Promise<void> {
  const until = performance.now() + GIVE_UP_MS;
  let [last, since] = [gauge(), performance.now()];
  while (performance.now() - since < STILL_MS && performance.now() < until) {
    await sleep(LOOK_EVERY_MS);
    const now = gauge();
    if (now !== last) [last, since] = [now, performance.now()];
  }
}
