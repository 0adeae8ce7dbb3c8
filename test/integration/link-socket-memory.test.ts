/**
 * A browser that stopped reading, as a phone does that went to sleep in the middle of a film: what its
 * WebSocket costs the edge. Deno tells how much it has not read, so the device waits. workerd tells
 * nobody: there a visitor of whom nothing is heard gets so much, and is told to come again.
 */

import { once } from "node:events";
import { createServer, type Server } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { WebSocket, WebSocketServer } from "ws";
import { limits } from "../../protocol/limits.ts";
import { deno } from "../contract/deno-process.ts";
import { Box } from "../contract/suite/box.ts";
import { newPerson } from "../contract/suite/person.ts";
import { newLabel, World } from "../contract/suite/world.ts";
import { workerd } from "../contract/workerd.ts";
import { memoryBytes, processOn } from "../support/processes.ts";

const MIB = 1024 * 1024;
const piece = Buffer.alloc(MIB, 7);

/** Says as much as anybody takes of it, up to `MOST`. */
class Pouring {
  readonly #server: Server;
  static readonly MOST = 96 * MIB;
  poured = 0;
  /** The WebSocket it pours into has gone. */
  over = false;

  constructor() {
    this.#server = createServer();
    new WebSocketServer({ server: this.#server }).on("connection", (socket) => {
      [this.poured, this.over] = [0, false];
      socket.on("error", () => undefined);
      socket.on("close", () => {
        this.over = true;
      });
      const pour = () => {
        if (socket.readyState !== WebSocket.OPEN || this.poured >= Pouring.MOST) return;
        socket.send(piece, () => {
          this.poured += MIB;
          pour();
        });
      };
      pour();
    });
  }

  async start(): Promise<string> {
    this.#server.listen(0, "127.0.0.1");
    await once(this.#server, "listening");
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** Waits until it is over, or nothing more is taken. */
  async rests(): Promise<void> {
    for (let still = 0, last = -1; still < 30 && !this.over; still++) {
      if (this.poured !== last) still = 0;
      last = this.poured;
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  }

  close(): void {
    this.#server.closeAllConnections();
    this.#server.close();
  }
}

describe.each([workerd, deno])("a WebSocket on $name", { timeout: 120_000 }, (runtime) => {
  const isBlind = runtime === workerd;
  let world: World;
  let box: Box;
  let home: Pouring;
  let agent: WebSocket;

  beforeAll(async () => {
    world = await World.create(runtime);
    box = await Box.enroll(world, await newPerson(world), newLabel());
    await box.switch("link", true);
    await box.ask("/access", "PUT", { mode: "everyone" });
    home = new Pouring();
    agent = (await box.serve(await home.start())).socket;
  });
  afterAll(async () => {
    agent?.terminate();
    home?.close();
    await world?.close();
  });

  async function open(): Promise<WebSocket> {
    const socket = new WebSocket(`ws://127.0.0.1:${world.port}/`, {
      headers: { host: world.doorHost(box.label) },
    });
    await once(socket, "open");
    return socket;
  }

  it("that nobody reads holds so much at the edge, and no more", async () => {
    const pid = await processOn(world.port);
    const before = await memoryBytes(pid);
    const socket = await open();
    const raw = (socket as unknown as { _socket: Socket })._socket;
    raw.pause();
    await home.rests();
    const held = (await memoryBytes(pid)) - before;
    // Beside it: what the kernel and both ends of the device's connection hold on the way.
    const most = isBlind ? limits.linkSocketBlindBytes : limits.linkBufferedBytes;
    expect(home.poured).toBeLessThan(most + 24 * MIB);
    expect([home.over, home.poured > most / 2]).toEqual([isBlind, true]);
    expect(held).toBeLessThan(2 * most + 64 * MIB);
    socket.terminate();
  });

  it("whose visitor reads and says nothing has to come again, where nobody can tell", async () => {
    const socket = await open();
    let read = 0;
    const ended = once(socket, "close");
    const all = new Promise<"all">((resolve) => {
      socket.on("message", (data: Buffer) => {
        read += data.byteLength;
        if (read >= Pouring.MOST) resolve("all");
      });
    });
    const end = await Promise.race([ended, all]);
    if (!isBlind) expect(end).toBe("all");
    else {
      expect([end[0], String(end[1])]).toEqual([1013, "nothing was heard of you"]);
      expect(read).toBe(limits.linkSocketBlindBytes + MIB);
    }
    socket.terminate();
  });

  it("whose visitor says a word now and then gets it all", async () => {
    const socket = await open();
    let read = 0;
    await new Promise<void>((resolve, reject) => {
      socket.on("close", (code) => reject(new Error(`closed with ${code} after ${read} bytes`)));
      socket.on("message", (data: Buffer) => {
        read += data.byteLength;
        if (read % (16 * MIB) === 0) socket.send("go on");
        if (read >= Pouring.MOST) resolve();
      });
    });
    socket.terminate();
  });
});
