/** A closed-loop load generator: `connections` clients, each sending its next request when the last one answered. */

import { connect } from "node:net";
import { Readable } from "node:stream";
import { Pool } from "undici";
import { cpuMsOfAll } from "./processes.ts";
import { median } from "./report.ts";

/** Where a lane begins: an address, and the headers that lead through it. */
export interface Way {
  readonly origin: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** The processes between the visitor and the service, whose CPU is counted. */
  readonly through?: readonly number[];
}

export interface Load extends Way {
  readonly path: string;
  readonly connections: number;
  readonly seconds: number;
  /** The status that counts as an answer; anything else fails the run. */
  readonly status?: number;
  /** What the first answer must say. */
  readonly says?: string;
}

export interface Measured {
  readonly requestsPerSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
}

/** With the CPU that all processes on the way took for one request, in microseconds. */
export interface Costed extends Measured {
  readonly cpuUs: number;
}

/** Runs the load after a warm-up of a fifth of its time. */
export async function measure(load: Load): Promise<Costed> {
  await run(load, load.seconds / 5);
  const { through = [] } = load;
  const before = cpuMsOfAll(through);
  const times = await run(load, load.seconds);
  const cpuUs = ((cpuMsOfAll(through) - before) * 1000) / times.length;
  return { ...summary(times, load.seconds), cpuUs };
}

/** Measures lanes in turn, round by round. @returns of each the round in the middle */
export async function inTurn(loads: readonly Load[], rounds: number): Promise<Costed[]> {
  const runs = loads.map((): Costed[] => []);
  for (let round = 0; round < rounds; round++) {
    for (const [index, load] of loads.entries()) runs[index]?.push(await measure(load));
  }
  return runs.map((of) => median(of, ({ requestsPerSecond }) => requestsPerSecond));
}

/** What `times`, in milliseconds, come to. */
export function summary(times: readonly number[], seconds: number): Measured {
  const sorted = [...times].sort((a, b) => a - b);
  const at = (share: number) => sorted[Math.floor((sorted.length - 1) * share)] ?? Number.NaN;
  return { requestsPerSecond: sorted.length / seconds, p50Ms: at(0.5), p99Ms: at(0.99) };
}

/** Runs the load without a warm-up. @returns the time of each answer in milliseconds */
export async function run(load: Load, seconds: number): Promise<number[]> {
  const { origin, path, headers = {}, status = 200 } = load;
  const pool = new Pool(origin, { connections: load.connections, pipelining: 1 });
  const until = performance.now() + seconds * 1000;
  const times: number[] = [];
  const client = async (says: string | undefined) => {
    for (let first = true; first || performance.now() < until; first = false) {
      const started = performance.now();
      const { statusCode, body } = await pool.request({ path, method: "GET", headers });
      const text = first && says !== undefined ? await body.text() : await body.dump();
      if (statusCode !== status || (first && says !== undefined && text !== says)) {
        throw new Error(`${path} at ${origin} answered ${statusCode}: ${text}`);
      }
      times.push(performance.now() - started);
    }
  };
  try {
    await Promise.all(Array.from({ length: load.connections }, () => client(load.says)));
  } finally {
    await pool.destroy();
  }
  return times;
}

/**
 * Reads `bytes` once and says how fast: megabytes a second. The reader is as light as Node allows, one
 * memory for all reads, for it shares the machine with what is measured.
 * @param onBytes told of what came, as it comes
 * @throws Error when they are not all there
 */
export async function download(
  { origin, headers = {} }: Way,
  bytes: number,
  onBytes: (count: number) => void = () => undefined,
): Promise<number> {
  const { hostname, port, host } = new URL(origin);
  const path = `/bytes/${bytes}`;
  const said = { host, ...headers, connection: "close" };
  const lines = Object.entries(said).map(([name, value]) => `${name}: ${value}\r\n`);
  const started = performance.now();
  const answer = { head: "", status: 0, read: 0 };
  await new Promise<void>((whole, broken) => {
    const take = (count: number, memory: Uint8Array): boolean => {
      const body = answer.status === 0 ? readHead(answer, memory.subarray(0, count)) : count;
      answer.read += body;
      onBytes(body);
      if (answer.status !== 0 && answer.read >= bytes) socket.destroy();
      return true;
    };
    const socket = connect({
      host: hostname,
      port: Number(port),
      onread: { buffer: Buffer.allocUnsafeSlow(READ_BYTES), callback: take },
    });
    socket.once("close", () => whole()).once("error", broken);
    socket.write(`GET ${path} HTTP/1.1\r\n${lines.join("")}\r\n`);
  });
  if (answer.status !== 200 || answer.read !== bytes) {
    throw new Error(`${path} at ${origin} answered ${answer.status} with ${answer.read} bytes`);
  }
  return speed(bytes, started);
}

const READ_BYTES = 256 * 1024;

/** Adds to the head of `answer`. @returns how many of `bytes` lie behind it, of a body that is not chunked */
function readHead(answer: { head: string; status: number }, bytes: Uint8Array): number {
  const before = answer.head.length;
  answer.head += Buffer.from(bytes).toString("latin1");
  const end = answer.head.indexOf("\r\n\r\n");
  if (end < 0) return 0;
  answer.status = Number(answer.head.slice(9, 12));
  return before + bytes.byteLength - (end + 4);
}

/** Sends `bytes` once and says how fast: megabytes a second. @throws Error when not all arrived */
export async function upload({ origin, headers = {} }: Way, bytes: number): Promise<number> {
  const pool = new Pool(origin, { connections: 1 });
  const chunk = new Uint8Array(64 * 1024);
  function* source() {
    for (let sent = 0; sent < bytes; sent += chunk.byteLength) {
      yield chunk.subarray(0, Math.min(chunk.byteLength, bytes - sent));
    }
  }
  try {
    const started = performance.now();
    const { statusCode, body } = await pool.request({
      path: "/sink",
      method: "PUT",
      headers: { ...headers, "content-length": String(bytes) },
      body: Readable.from(source()),
    });
    const text = await body.text();
    if (statusCode !== 200 || text !== String(bytes)) {
      throw new Error(`an upload of ${bytes} to ${origin} answered ${statusCode}: ${text}`);
    }
    return speed(bytes, started);
  } finally {
    await pool.destroy();
  }
}

const speed = (bytes: number, started: number): number =>
  bytes / 1e3 / (performance.now() - started);
