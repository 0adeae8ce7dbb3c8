/** A web service at home, behind a box: pages, big files, and one that breaks off. */

import { createCipheriv, createHash } from "node:crypto";
import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

export interface HomeService {
  readonly origin: string;
  /** Bytes of `/stream` that were taken from the service so far. */
  readonly streamed: () => number;
  close(): Promise<void>;
}

const MIB = 1024 * 1024;

/** The bytes that `/file` sends: the same for the same size, and no two blocks alike. */
export function fileBytes(mebibytes: number): Buffer {
  const zeros = Buffer.alloc(mebibytes * MIB);
  return createCipheriv("aes-128-ctr", Buffer.alloc(16), Buffer.alloc(16)).update(zeros);
}

export function sha256(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}

export async function startHomeService(): Promise<HomeService> {
  let streamed = 0;
  const count = (bytes: number) => {
    streamed += bytes;
  };
  const server = createServer((request, response) => void answer(request, response, count));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  return {
    origin: `http://127.0.0.1:${port}`,
    streamed: () => streamed,
    close: () =>
      new Promise((resolve) => {
        server.closeAllConnections();
        server.close(() => resolve());
      }),
  };
}

async function answer(
  request: IncomingMessage,
  response: ServerResponse,
  count: (bytes: number) => void,
): Promise<void> {
  const url = new URL(request.url ?? "/", "http://home.invalid");
  switch (url.pathname) {
    case "/hello":
      response.setHeader("set-cookie", ["a=1; Path=/", "b=2; Path=/"]);
      response.end(JSON.stringify({ method: request.method, headers: request.headers }));
      return;
    case "/file":
      response.end(fileBytes(Number(url.searchParams.get("mib"))));
      return;
    case "/stream": {
      const mebibyte = fileBytes(1);
      for (let left = Number(url.searchParams.get("mib")); left > 0; left--) {
        if (response.destroyed) return;
        if (!response.write(mebibyte)) await once(response, "drain").catch(() => undefined);
        count(MIB);
      }
      response.end();
      return;
    }
    case "/hash": {
      const hash = createHash("sha256");
      for await (const chunk of request) hash.update(chunk);
      response.end(hash.digest("hex"));
      return;
    }
    case "/breaks":
      response.writeHead(200, { "content-length": 1000 });
      response.write("x".repeat(100), () => response.destroy());
      return;
    case "/waits":
      response.writeHead(200, { "content-type": "text/plain" });
      response.write("first");
      return;
    default:
      response.writeHead(404).end("not here");
  }
}
