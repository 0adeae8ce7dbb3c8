/** Two programs of one box, as an owner runs them, with tunnels over both: on a whole running edge. */

import { spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { join } from "node:path";
import process from "node:process";
import type { TLSSocket } from "node:tls";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { WebSocket } from "ws";
import { run } from "../../agent/run.ts";
import { openTunnel } from "../../agent/tunnel/visitor.ts";
import {
  tunnelCloseCodes,
  tunnelIdHeader,
  tunnelPath,
  tunnelSubprotocol,
} from "../../protocol/tunnel.ts";
import { deno } from "../contract/deno-process.ts";
import { World } from "../contract/suite/world.ts";
import { workerd } from "../contract/workerd.ts";
import { accessToken, TcpService, TunnelBox } from "../support/tunnel.ts";

const AGENT = join(import.meta.dirname, "../../agent/main.ts");

/** A tunnel to the service that says its name and then repeats what it hears. */
class Talk {
  readonly tunnel: TLSSocket;
  heard = "";
  readonly ended: Promise<void>;

  constructor(tunnel: TLSSocket) {
    this.tunnel = tunnel;
    tunnel.on("error", () => undefined); // its close tells
    this.ended = new Promise((resolve) => void tunnel.once("close", resolve));
    tunnel.on("data", (data) => (this.heard += data));
  }

  async hears(words: string): Promise<void> {
    while (!this.heard.includes(words)) {
      if (this.tunnel.destroyed) throw new Error(`over, after ${JSON.stringify(this.heard)}`);
      await Promise.race([once(this.tunnel, "data"), this.ended]);
    }
  }
}

describe.each([workerd, deno])("two programs of a box on $name", (runtime) => {
  let world: World;
  let box: TunnelBox;
  let token: string;
  const services: TcpService[] = [];
  /** The second program: how it is stopped, and that it has. */
  const stop = new AbortController();
  let ended: Promise<unknown>;

  beforeAll(async () => {
    world = await World.create(runtime);
    box = await TunnelBox.make(world);
    ({ token } = await accessToken(world, box.owner));
    const named = async (name: string) => {
      const service = await TcpService.start((socket) => {
        socket.write(`this is ${name}\n`);
        socket.pipe(socket);
      });
      services.push(service);
      return `chat=${service.address}`;
    };
    await box.run([await named("one")]);
    const tcp = [await named("two")];
    await new Promise<void>((connected) => {
      const log = (line: string) => void (/^Link is on/.test(line) && connected());
      ended = run({ home: box.home, serve: null, tcp, log, signal: stop.signal });
    });
  });

  afterAll(async () => {
    stop.abort();
    await ended;
    await box?.close();
    for (const service of services) await service.close();
    await world?.close();
  });

  const open = async () => new Talk(await openTunnel(await box.target("chat", token)));

  it("carry their tunnels through restarts of the edge, and one that is stopped ends its own", async () => {
    const talks = await Promise.all(Array.from({ length: 8 }, open));
    for (const talk of talks) await talk.hears("\n");
    const of = (name: string) => talks.filter(({ heard }) => heard.startsWith(`this is ${name}`));
    const [ones, twos] = [of("one"), of("two")];
    expect([ones.length, twos.length]).toEqual([4, 4]);
    for (const how of ["gently", "SIGKILL"] as const) {
      for (const talk of talks) talk.heard = "";
      await world.restart(how, async () => {
        for (const { tunnel } of talks) tunnel.write("said while nobody carried it.");
      });
      for (const talk of talks) await talk.hears("nobody carried it.");
    }
    stop.abort();
    await ended;
    for (const talk of twos) await talk.ended;
    for (const talk of ones) {
      talk.tunnel.write("still here");
      await talk.hears("still here");
    }
  });

  it("say of one that is killed that it went without a word", async () => {
    const child = spawn(
      process.execPath,
      [AGENT, "run", "--home", box.home, "--tcp", `talk=${services[0]?.address}`],
      { stdio: ["ignore", "pipe", "ignore"] },
    );
    const exited = once(child, "exit");
    try {
      let said = "";
      for await (const text of child.stdout) {
        said += text;
        if (said.includes("Link is on")) break;
      }
      const { link } = await box.target("talk", token);
      const url = new URL(`${tunnelPath}?service=talk`, link.replace(/^http/, "ws"));
      const visitor = new WebSocket(url, [tunnelSubprotocol], {
        headers: {
          authorization: `Bearer ${token}`,
          [tunnelIdHeader]: randomBytes(24).toString("base64url"),
        },
        family: 4,
        lookup: (_name, _options, done) => done(null, "127.0.0.1", 4),
      });
      await once(visitor, "message");
      const closed = once(visitor, "close");
      child.kill("SIGKILL");
      expect((await closed)[0]).toBe(tunnelCloseCodes.vanished);
    } finally {
      child.kill("SIGKILL");
      await exited;
    }
  });
});
