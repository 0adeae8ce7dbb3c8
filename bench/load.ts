/** A closed-loop load generator: `connections` clients, each sending its next request when the last one answered. */

import { Readable } from "node:stream";
import { Pool } from "undici";

export interface Load {
  readonly origin: string;
  readonly path: string;
  readonly method?: "GET" | "POST";
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: Uint8Array;
  readonly connections: number;
  readonly seconds: number;
  /** The status that counts as an answer; anything else fails the run. */
  readonly status?: number;
}

export interface Measured {
  readonly requestsPerSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
}

/** Runs the load after a warm-up of a fifth of its time. */
export async function measure(load: Load): Promise<Measured> {
  await run(load, load.seconds / 5);
  const times = await run(load, load.seconds);
  const sorted = times.sort((a, b) => a - b);
  const at = (share: number) => sorted[Math.floor((sorted.length - 1) * share)] ?? 0;
  return {
    requestsPerSecond: sorted.length / load.seconds,
    p50Ms: at(0.5),
    p99Ms: at(0.99),
  };
}

async function run(load: Load, seconds: number): Promise<number[]> {
  const pool = new Pool(load.origin, { connections: load.connections, pipelining: 1 });
  const until = performance.now() + seconds * 1000;
  const times: number[] = [];
  const client = async () => {
    while (performance.now() < until) {
      const started = performance.now();
      const { statusCode, body } = await pool.request({
        path: load.path,
        method: load.method ?? "GET",
        headers: { ...load.headers },
        body: load.body ?? null,
      });
      await body.dump();
      if (statusCode !== (load.status ?? 200)) {
        throw new Error(`${load.path} answered ${statusCode} instead of ${load.status ?? 200}`);
      }
      times.push(performance.now() - started);
    }
  };
  await Promise.all(Array.from({ length: load.connections }, client));
  await pool.close();
  return times;
}

/** Reads `url` to its end once and says how fast. */
export async function download(
  origin: string,
  path: string,
  headers: Readonly<Record<string, string>>,
): Promise<{ bytes: number; megabytesPerSecond: number }> {
  const pool = new Pool(origin, { connections: 1 });
  const started = performance.now();
  const { statusCode, body } = await pool.request({ path, method: "GET", headers: { ...headers } });
  if (statusCode !== 200) throw new Error(`${path} answered ${statusCode}`);
  let bytes = 0;
  for await (const chunk of body) bytes += (chunk as Uint8Array).byteLength;
  const seconds = (performance.now() - started) / 1000;
  await pool.close();
  return { bytes, megabytesPerSecond: bytes / 1e6 / seconds };
}

/** Sends `bytes` zeros to `path` once and says how fast. */
export async function upload(
  origin: string,
  path: string,
  bytes: number,
  headers: Readonly<Record<string, string>>,
): Promise<{ megabytesPerSecond: number }> {
  const pool = new Pool(origin, { connections: 1 });
  const chunk = new Uint8Array(64 * 1024);
  async function* source() {
    for (let sent = 0; sent < bytes; sent += chunk.byteLength) {
      yield chunk.subarray(0, Math.min(chunk.byteLength, bytes - sent));
    }
  }
  const started = performance.now();
  const { statusCode, body } = await pool.request({
    path,
    method: "PUT",
    headers: { ...headers, "content-length": String(bytes) },
    body: Readable.from(source()),
  });
  await body.dump();
  if (statusCode >= 300) throw new Error(`${path} answered ${statusCode}`);
  const seconds = (performance.now() - started) / 1000;
  await pool.close();
  return { megabytesPerSecond: bytes / 1e6 / seconds };
}
