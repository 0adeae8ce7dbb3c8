/**
 * What an end that stops costs: visitors who ask for a film and read none of it, and a box that stops in
 * the middle of uploads. The object may hold two windows for each, whatever they do.
 *
 * Three figures, of which the largest counts. V8's heap and buffers, garbage swept away: what our code
 * holds. The memory of the runtime's process, where what is on its way out of it is too; as many visitors
 * who read come first, so it is what the stalled take beyond those. And for frames what the box has sent
 * and got no credit for. What the kernel holds for a socket is in none.
 */

import { connect, type Socket } from "node:net";
import { limits } from "../../protocol/limits.ts";
import type { Heap } from "../heap.ts";
import { download, type Way } from "../load.ts";
import type { Plan } from "../plan.ts";
import { memoryOf, sleep } from "../processes.ts";
import { judged, Section } from "../report.ts";
import type { Boxes } from "../stage.ts";

const FILM_BYTES = 1_000_000_000;
/** Of each who reads: more than the kernel takes for one who does not. */
const READ_BYTES = 8_000_000;
/** Nothing moved for so long: it will not move any more. */
const STILL_MS = 700;
const LOOK_EVERY_MS = 50;
const GIVE_UP_MS = 10_000;
const WINDOW = limits.linkStreamWindowBytes;

export async function stalled(boxes: Boxes, plan: Plan): Promise<Section> {
  const { runtime, framedBox, frames, link } = boxes;
  const section = new Section(`${plan.stalled} streams that stall`, [
    ...["the object holds for one", "runtime's memory for one", "uncredited at most", "limit"],
  ]);
  const heap = await boxes.heap();
  const visitors = { count: plan.stalled, runtime, heap };
  const row = (lane: string, { held, memory }: Grown, uncredited?: number) => {
    const most = Math.max(held, memory, uncredited ?? 0);
    const credit = uncredited === undefined ? "" : kib(uncredited);
    const of = `2 windows, ${kib(2 * WINDOW)}`;
    const limit = judged(most / (2 * WINDOW), { atMost: 1 }, of);
    section.row(lane, kib(held), kib(memory), credit, limit);
  };
  await readers(frames, plan.stalled);
  await framedBox.ask<number>("count anew");
  const inFrames = await stalls({ ...visitors, way: frames, begin: askForFilm });
  const uncredited = await framedBox.ask<number>("how much?");
  row("readers, frames only", inFrames, uncredited);
  await readers(link, plan.stalled);
  row("readers", await stalls({ ...visitors, way: link, begin: askForFilm }));
  const box = framedBox.child;
  box.kill("SIGSTOP");
  try {
    const way = frames;
    row("uploads to a box that stopped", await stalls({ ...visitors, way, begin: sendFilm }));
  } finally {
    box.kill("SIGCONT");
  }
  return section;
}

const kib = (bytes: number): string => `${(bytes / 1024).toFixed(0)} KiB`;

/** Visitors who read, all at a time. */
async function readers(way: Way, count: number): Promise<void> {
  await Promise.all(Array.from({ length: count }, () => download(way, READ_BYTES)));
}

/** By how much something grew for each stream, in bytes. */
interface Grown {
  /** By the worker and its objects. */
  readonly held: number;
  /** By the whole process. */
  readonly memory: number;
}

interface Stalls {
  readonly runtime: number;
  readonly heap: Heap;
  readonly count: number;
  readonly way: Way;
  /** Says what a visitor says who then stands still. */
  readonly begin: (socket: Socket, host: string) => void;
}

/** What the streams take when nothing moves any more. */
async function stalls({ runtime, heap, count, way, begin }: Stalls): Promise<Grown> {
  const before = await holdings(runtime, heap);
  const grown = (now: number, then: number) => Math.max(0, now - then) / count;
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
    const now = await holdings(runtime, heap);
    return { held: grown(now.held, before.held), memory: grown(now.memory, before.memory) };
  } finally {
    for (const socket of sockets) socket.destroy();
  }
}

/** Garbage goes first, so that the process's memory has as little of it as may be. */
async function holdings(runtime: number, heap: Heap): Promise<Grown> {
  const held = await heap.held();
  return { held, memory: memoryOf(runtime) };
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
