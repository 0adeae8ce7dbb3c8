/**
 * The devices' host (durable-objects/host) behind a server in this process: real sockets, and a test
 * that can look into it and holds its clock. It serves one device's door to everyone; directory,
 * accounts and pages are not here.
 */

import { once } from "node:events";
import { mkdirSync } from "node:fs";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import type { ReadableStream as NodeStream } from "node:stream/web";
import { WebSocketServer } from "ws";
import { Home } from "../../agent/home.ts";
import { Link } from "../../durable-objects/device/link/link.ts";
import { peerHeader, wayHeader } from "../../durable-objects/device/rpc.ts";
import { DeviceHost } from "../../durable-objects/host/host.ts";
import { type ServerSocket, type Upgrade, upgrades } from "../../durable-objects/host/sockets.ts";
import { systemRandom } from "../../durable-objects/system.ts";
import { agentSocketPath, agentSubprotocol } from "../../protocol/agent.ts";
import { newId } from "../../protocol/ids.ts";
import { limits } from "../../protocol/limits.ts";
import { FolderKeyStore } from "../../workers/deno/keys.ts";

const NodeResponse = globalThis.Response;

/** Node makes no response of status 101, with which the host says that it accepted a socket. */
class UpgradingResponse extends NodeResponse {
  constructor(body?: BodyInit | null, init?: ResponseInit) {
    const upgrades = init?.status === 101;
    super(body, upgrades ? { ...init, status: 200 } : init);
    if (upgrades) Object.defineProperty(this, "status", { value: 101 });
  }
}

export class NearEdge {
  readonly deviceId = newId("dev", "home", systemRandom.bytes);
  readonly host: DeviceHost;
  /** What an event that has no caller threw. */
  readonly errors: unknown[] = [];
  readonly #server: Server;
  readonly #links = new Set<Link>();
  readonly #relay = Link.prototype.relay;
  readonly #sockets = new WebSocketServer({
    noServer: true,
    maxPayload: limits.linkMessageBytes,
    handleProtocols: () => agentSubprotocol,
  });

  private constructor(folder: string, now: () => number) {
    mkdirSync(folder, { recursive: true });
    this.host = new DeviceHost({
      folder: join(folder, "devices"),
      clock: { now },
      random: systemRandom,
      keys: new FolderKeyStore(join(folder, "keys"), systemRandom),
      allowSpecialAddresses: true,
      onError: (error) => this.errors.push(error),
    });
    globalThis.Response = UpgradingResponse;
    const [links, relay] = [this.#links, this.#relay];
    Link.prototype.relay = function (this: Link, ...args: Parameters<Link["relay"]>) {
      links.add(this);
      return relay.apply(this, args);
    };
    this.#server = createServer((from, to) => void this.#serve(from, to));
    this.#server.on("upgrade", (request, socket, head) => {
      socket.on("error", () => {}); // a close follows
      void this.#upgrade(request).then((upgrade) => {
        if (upgrade === null) return void socket.end("HTTP/1.1 401 Unauthorized\r\n\r\n");
        this.#sockets.handleUpgrade(request, socket, head, (raw) => {
          raw.on("error", () => {}); // a close follows
          upgrade.connect(raw as unknown as ServerSocket);
        });
      });
    });
  }

  static async start(folder: string, now: () => number): Promise<NearEdge> {
    const edge = new NearEdge(folder, now);
    edge.#server.listen(0, "127.0.0.1");
    await once(edge.#server, "listening");
    return edge;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  /** Gives a device at home its key, its name and an open door. @param cloud where it will dial */
  async enroll(home: string, cloud: string): Promise<void> {
    const folder = new Home(home);
    const { publicKey } = await folder.identityOrNew();
    const device = this.host.get(this.deviceId);
    const accountId = newId("acc", "home", systemRandom.bytes);
    await device.register({ deviceId: this.deviceId, accountId, publicKey, label: "nas" });
    await device.setFeature("link", true);
    await device.setAccess("everyone");
    const names = { label: "nas", link: "http://nas.link.test", host: "nas.ddns.test" };
    await folder.saveDevice({ device_id: this.deviceId, ...names, cloud });
  }

  /** Requests on their way and visitors who wait, of every device that served one. */
  get load(): { exchanges: number; waiting: number } {
    let [exchanges, waiting] = [0, 0];
    for (const { load } of this.#links) {
      exchanges += load.exchanges;
      waiting += load.waiting;
    }
    return { exchanges, waiting };
  }

  /** Open sockets of devices. */
  get agents(): number {
    return this.#sockets.clients.size;
  }

  async close(): Promise<void> {
    Link.prototype.relay = this.#relay;
    globalThis.Response = NodeResponse;
    await this.host.close();
    for (const socket of this.#sockets.clients) socket.terminate();
    this.#server.closeAllConnections();
    this.#server.close();
  }

  #request(from: IncomingMessage, way: string, signal?: AbortSignal): Request {
    const headers = new Headers();
    for (let at = 0; at + 1 < from.rawHeaders.length; at += 2) {
      headers.append(from.rawHeaders[at] as string, from.rawHeaders[at + 1] as string);
    }
    headers.set(wayHeader, way);
    headers.set(peerHeader, from.socket.remoteAddress ?? "");
    const bodyless = from.method === "GET" || from.method === "HEAD";
    const url = `http://${from.headers.host}${from.url}`;
    const init: RequestInit & { duplex?: "half" } = { method: from.method ?? "GET", headers };
    if (signal !== undefined) init.signal = signal;
    if (!bodyless) {
      init.body = uploadOf(from);
      init.duplex = "half";
    }
    return new Request(url, init);
  }

  async #serve(from: IncomingMessage, to: ServerResponse): Promise<void> {
    const left = new AbortController();
    to.once("close", () => left.abort());
    const request = this.#request(from, "door", left.signal);
    const response = await this.host.get(this.deviceId).fetch(request);
    to.writeHead(response.status, Object.fromEntries(response.headers));
    if (response.body === null) return void to.end();
    to.flushHeaders();
    // A body that breaks off breaks the connection: never a clean end.
    await pipeline(Readable.fromWeb(response.body as NodeStream), to).catch(() => to.destroy());
  }

  async #upgrade(from: IncomingMessage): Promise<Upgrade["socket"]> {
    if (from.url !== agentSocketPath) return null;
    const upgrade: Upgrade = { socket: null };
    const request = this.#request(from, "agent");
    const asked = () => this.host.get(this.deviceId).fetch(request);
    const { status } = await upgrades.run(upgrade, asked);
    return status === 101 ? upgrade.socket : null;
  }
}

/** A request's body; who gives it up still gets to answer on the same connection. */
function uploadOf(from: IncomingMessage): ReadableStream<Uint8Array> {
  const pieces = from[Symbol.asyncIterator]() as AsyncIterator<Buffer>;
  return new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        const { done, value } = await pieces.next();
        if (done) controller.close();
        else controller.enqueue(new Uint8Array(value));
      },
      cancel: () => void from.resume(),
    },
    { highWaterMark: 0 },
  );
}
