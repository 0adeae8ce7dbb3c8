/**
 * The local service behind the benchmarked door, in a process of its own: a small answer, a long one, and
 * a sink. `GET /small`, `GET /bytes/<count>`, `PUT /sink`; on a free loopback port.
 */

import { createServer, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { Helper } from "./processes.ts";

export interface Origin {
  readonly port: number;
  close(): Promise<void>;
}

const CHUNK = Buffer.alloc(64 * 1024, 7);

/** Starts it. */
export async function startOrigin(): Promise<Origin> {
  const helper = new Helper(import.meta.filename);
  const port = await helper.next<number>();
  return { port, close: () => helper.close() };
}

function send(response: ServerResponse, count: number): void {
  response.writeHead(200, { "content-length": count });
  let left = count;
  const push = () => {
    while (left > 0) {
      const chunk = left >= CHUNK.length ? CHUNK : CHUNK.subarray(0, left);
      left -= chunk.length;
      if (!response.write(chunk) && left > 0) return void response.once("drain", push);
    }
    response.end();
  };
  push();
}

function serve(): void {
  const server = createServer((request, response) => {
    const count = Number(/^\/bytes\/(\d+)$/.exec(request.url ?? "")?.[1] ?? Number.NaN);
    if (request.method === "PUT") {
      let bytes = 0;
      request.on("data", (chunk: Buffer) => {
        bytes += chunk.byteLength;
      });
      request.on("end", () => response.end(String(bytes)));
    } else if (Number.isNaN(count)) {
      response.end("ok");
    } else {
      send(response, count);
    }
  });
  server.listen(0, "127.0.0.1", () => process.send?.((server.address() as AddressInfo).port));
}

if (import.meta.main) serve();
