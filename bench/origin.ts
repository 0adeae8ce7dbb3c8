/** The local service behind the benchmarked door: a small answer, a long one, and a sink. */

import { createServer } from "node:http";
import type { AddressInfo } from "node:net";

export interface Origin {
  readonly port: number;
  close(): Promise<void>;
}

const CHUNK = Buffer.alloc(64 * 1024, 7);

/** `GET /small`, `GET /bytes/<count>`, `PUT /sink`; on a free loopback port. */
export async function startOrigin(): Promise<Origin> {
  const server = createServer((request, response) => {
    const count = Number(/^\/bytes\/(\d+)$/.exec(request.url ?? "")?.[1] ?? Number.NaN);
    if (request.method === "PUT") {
      request.on("data", () => undefined);
      request.on("end", () => response.end("ok"));
    } else if (Number.isNaN(count)) {
      response.end("ok");
    } else {
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
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    port: (server.address() as AddressInfo).port,
    close: () =>
      new Promise((resolve) => {
        server.closeAllConnections();
        server.close(() => resolve());
      }),
  };
}
