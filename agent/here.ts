/**
 * The one question that this box answers in its own network: who is here. A listener of its own, which
 * serves nothing else: no page, no file, no redirect. The answer is a signature that only this box can
 * make, for exactly the place where it was asked (protocol/reach.ts).
 */

import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { createServer as createTlsServer, Server as TlsServer } from "node:https";
import { limits } from "../protocol/limits.ts";
import { checkSpot, herePath, isHereNonce, type Spot, signHere } from "../protocol/reach.ts";

export interface HereOptions {
  readonly port: number;
  /** The address to listen at; every one when absent. */
  readonly host?: string | undefined;
  /** PEM of a certificate and its key; null: plain http. */
  readonly tls: { readonly cert: Buffer; readonly key: Buffer } | null;
  /** Whose pages may read the answer: the cloud's origin. */
  readonly cloud: string;
  readonly privateKey: CryptoKey;
  /** Where this box may be asked, at this moment. */
  spots(): readonly Spot[];
}

export interface Here {
  readonly port: number;
  /**
   * Answers under another certificate from now on; nothing where it answers in plain http.
   * @throws Error when it is none, or not its key's; what answered before goes on
   */
  renew(tls: { readonly cert: Buffer; readonly key: Buffer }): void;
  close(): Promise<void>;
}

/** Listens. Rejects when the port is taken. */
export async function listenHere(options: HereOptions): Promise<Here> {
  const settings = {
    requestTimeout: limits.hereRequestMs,
    headersTimeout: limits.hereRequestMs,
    keepAlive: false,
  };
  const work = (request: IncomingMessage, response: ServerResponse) =>
    void answer(options, request, response).catch(() => response.destroy());
  const server: Server =
    options.tls === null
      ? createServer(settings, work)
      : createTlsServer({ ...settings, ...options.tls }, work);
  server.maxConnections = limits.hereConnections;
  server.keepAliveTimeout = 1;
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(options.port, options.host, () => {
      server.off("error", reject);
      resolve();
    });
  });
  const address = server.address();
  return {
    port: typeof address === "object" && address !== null ? address.port : options.port,
    renew: (tls) => {
      if (server instanceof TlsServer) server.setSecureContext(tls);
    },
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

async function answer(
  options: HereOptions,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const url = URL.parse(`http://here${request.url ?? "/"}`);
  const nonce = url?.searchParams.get("nonce") ?? "";
  response.setHeader("cache-control", "no-store");
  response.setHeader("connection", "close");
  if (url?.pathname !== herePath) return void response.writeHead(404).end();
  // Only the cloud's own page may read it; a page of anybody else learns nothing.
  response.setHeader("access-control-allow-origin", options.cloud);
  response.setHeader("vary", "origin");
  if (request.method === "OPTIONS") {
    // Browsers that still ask ahead of a request into a private network.
    response.setHeader("access-control-allow-private-network", "true");
    return void response.writeHead(204).end();
  }
  if (request.method !== "GET") return void response.writeHead(405, { allow: "GET" }).end();
  if (!isHereNonce(nonce)) return void response.writeHead(400).end();
  const spot = url.searchParams.has("check") ? checkSpot : spotAt(options, request.headers.host);
  // RFC 9110 §15.5.20: asked by a name or address that is none of this box's.
  if (spot === null) return void response.writeHead(421).end();
  const signature = await signHere(options.privateKey, nonce, spot);
  response.setHeader("content-type", "application/json");
  response.setHeader("x-content-type-options", "nosniff");
  response.end(JSON.stringify({ signature }));
}

function spotAt({ spots }: HereOptions, host: string | undefined): Spot | null {
  return spots().find(({ probe }) => new URL(probe).host === host?.toLowerCase()) ?? null;
}
