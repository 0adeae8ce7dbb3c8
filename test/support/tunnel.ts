/** A box with TCP services, its owner, and an access token: what tests of tunnels begin with. */

import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { type AddressInfo, createServer, type Server, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { enroll } from "../../agent/enroll.ts";
import { Home } from "../../agent/home.ts";
import { run } from "../../agent/run.ts";
import { type OpenSocket, openSocket } from "../../agent/socket.ts";
import { tunnelTarget } from "../../agent/tunnel/command.ts";
import type { TunnelTarget } from "../../agent/tunnel/visitor.ts";
import { ask } from "../contract/suite/http.ts";
import { newPerson, type Person } from "../contract/suite/person.ts";
import { newLabel, type World } from "../contract/suite/world.ts";

/** A local TCP service; `serve` gets each connection. */
export class TcpService {
  readonly #server: Server;
  readonly sockets = new Set<Socket>();

  private constructor(serve: (socket: Socket) => void) {
    this.#server = createServer({ allowHalfOpen: true }, (socket) => {
      this.sockets.add(socket);
      socket.on("close", () => this.sockets.delete(socket));
      socket.on("error", () => undefined); // the other end broke off: its close tells
      serve(socket);
    });
  }

  static async start(serve: (socket: Socket) => void): Promise<TcpService> {
    const service = new TcpService(serve);
    service.#server.listen(0, "127.0.0.1");
    await once(service.#server, "listening");
    return service;
  }

  get address(): string {
    return `127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  async close(): Promise<void> {
    for (const socket of this.sockets) socket.destroy();
    this.#server.close();
  }
}

export class TunnelBox {
  readonly world: World;
  readonly owner: Person;
  readonly label: string;
  readonly id: string;
  readonly home: string;
  /** Every frame between the box and the relay, in both directions, as the relay saw it. */
  readonly seen: Buffer[] = [];
  #stop = new AbortController();
  #running: Promise<unknown> = Promise.resolve();
  #said: () => void = () => undefined;
  readonly lines: string[] = [];

  private constructor(
    world: World,
    owner: Person,
    it: { label: string; id: string; home: string },
  ) {
    this.world = world;
    this.owner = owner;
    this.label = it.label;
    this.id = it.id;
    this.home = it.home;
  }

  /** Enrolls a box of a new person and switches its door on. */
  static async make(world: World): Promise<TunnelBox> {
    const owner = await newPerson(world);
    const label = newLabel();
    const home = await mkdtemp(join(tmpdir(), "latchkey-tunnel-"));
    const { device_id: id } = await enroll({
      cloud: world.origin,
      home,
      async onCode({ user_code }) {
        const body = { user_code, label };
        await ask(world, "/api/enrolments/approve", { token: owner.token, body });
      },
    });
    const box = new TunnelBox(world, owner, { label, id, home });
    await box.change("/features/link", { on: true });
    return box;
  }

  /** Starts the agent and waits until it is connected. */
  async run(tcp: readonly string[]): Promise<void> {
    this.#stop = new AbortController();
    const open: OpenSocket = (cloud, who, events) => {
      const socket = openSocket(cloud, who, {
        ...events,
        onBinary: (data) => {
          this.seen.push(Buffer.from(data));
          events.onBinary(data);
        },
      });
      const send = socket.send;
      socket.send = (data, sent) => {
        if (typeof data !== "string") this.seen.push(Buffer.from(data));
        send(data, sent);
      };
      return socket;
    };
    const log = (line: string) => {
      this.lines.push(line);
      this.#said();
    };
    const { signal } = this.#stop;
    this.lines.length = 0;
    this.#running = run({ home: this.home, serve: null, tcp, log, signal, open });
    await this.said(/^Link is on/);
  }

  async said(pattern: RegExp): Promise<void> {
    while (!this.lines.some((line) => pattern.test(line))) {
      await new Promise<void>((resolve) => {
        this.#said = resolve;
      });
    }
  }

  async stop(): Promise<void> {
    this.#stop.abort();
    await this.#running;
  }

  async close(): Promise<void> {
    await this.stop();
    await rm(this.home, { recursive: true, force: true });
  }

  /** Changes the device as its owner. */
  async change(path: string, body: object, method = "PUT"): Promise<void> {
    const { token } = this.owner;
    const answer = await ask(this.world, `/api/devices/${this.id}${path}`, { token, method, body });
    if (answer.status >= 300) throw new Error(`${path}: ${answer.status} ${answer.text}`);
  }

  /** Where a tunnel leads, as the command finds it out; a fresh folder remembers no key. */
  async target(service: string, token: string): Promise<TunnelTarget> {
    const home = await mkdtemp(join(tmpdir(), "latchkey-visitor-"));
    const environment = { LATCHKEY_TOKEN: token, LATCHKEY_CLOUD: this.world.origin };
    const device = this.label;
    try {
      const key = null;
      return await tunnelTarget({ home, environment, device, service, key, say: () => {} });
    } finally {
      await rm(home, { recursive: true });
    }
  }

  async publicKey(): Promise<string> {
    return (await new Home(this.home).identity())?.publicKey ?? "";
  }
}

/** An access token of a person, with its identifier. */
export async function accessToken(
  world: World,
  person: Person,
  scopes: readonly string[] = ["devices:connect"],
): Promise<{ token: string; id: string }> {
  const body = { name: "tunnels", scopes, days: 7 };
  const answer = await ask(world, "/api/tokens", { token: person.token, body });
  if (answer.status !== 201) throw new Error(`token: ${answer.status} ${answer.text}`);
  return answer.json;
}
