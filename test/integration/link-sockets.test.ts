/**
 * WebSockets on a whole running edge, with the agent's real end and a real service behind it: an echo
 * suite through the door, and what happens when somebody leaves, breaks off or does not keep up.
 */

import { once } from "node:events";
import { createServer, type IncomingMessage, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { WebSocket, WebSocketServer } from "ws";
import { limits } from "../../protocol/limits.ts";
import { deno } from "../contract/deno-process.ts";
import { Box } from "../contract/suite/box.ts";
import { newPerson } from "../contract/suite/person.ts";
import type { TestSocket } from "../contract/suite/socket.ts";
import { newLabel, World } from "../contract/suite/world.ts";
import { workerd } from "../contract/workerd.ts";

interface End {
  readonly code: number;
  readonly reason: string;
}

/** The service at home: echoes; a path says what else it does. */
class Home {
  readonly #http: Server;
  readonly sockets: { readonly socket: WebSocket; readonly request: IncomingMessage }[] = [];
  readonly ends: End[] = [];

  constructor() {
    const server = new WebSocketServer({
      noServer: true,
      maxPayload: 64 * 1024 * 1024,
      handleProtocols: (offered) => (offered.has("second") ? "second" : false),
    });
    this.#http = createServer((_request, response) => void response.writeHead(404).end("not here"));
    this.#http.on("upgrade", (request, raw, head) => {
      if (request.url === "/refuses") {
        raw.end("HTTP/1.1 403 Forbidden\r\nContent-Length: 6\r\nX-Own: 1\r\n\r\nnot me");
      } else if (request.url === "/moves") {
        raw.end(
          "HTTP/1.1 302 Found\r\nLocation: http://169.254.169.254/\r\nContent-Length: 0\r\n\r\n",
        );
      } else if (request.url === "/hangs-up") raw.destroy();
      else server.handleUpgrade(request, raw, head, (socket) => this.#serve(socket, request));
    });
  }

  async start(): Promise<string> {
    this.#http.listen(0, "127.0.0.1");
    await once(this.#http, "listening");
    return `http://127.0.0.1:${(this.#http.address() as AddressInfo).port}`;
  }

  #serve(socket: WebSocket, request: IncomingMessage): void {
    this.sockets.push({ socket, request });
    socket.on("close", (code, reason) => this.ends.push({ code, reason: reason.toString() }));
    socket.on("message", (data: Buffer, isBinary) => {
      const text = isBinary ? "" : data.toString();
      const [, code, reason] = /^close (\d+) (.*)$/.exec(text) ?? [];
      if (code !== undefined) socket.close(Number(code), reason);
      else if (text === "terminate") socket.terminate();
      else if (text === "too long") socket.send(Buffer.alloc(limits.linkSocketMessageBytes + 1));
      else if (text === "deaf") socket.pause();
      else socket.send(data, { binary: isBinary });
    });
    if (request.url === "/greets") socket.send("welcome");
  }

  get last(): { readonly socket: WebSocket; readonly request: IncomingMessage } {
    const last = this.sockets.at(-1);
    if (last === undefined) throw new Error("nobody came");
    return last;
  }

  close(): void {
    for (const { socket } of this.sockets) socket.terminate();
    this.#http.closeAllConnections();
    this.#http.close();
  }
}

describe.each([workerd, deno])("WebSockets on $name", (runtime) => {
  let world: World;
  let box: Box;
  let agent: TestSocket;
  let home: Home;
  let origin: string;

  beforeAll(async () => {
    world = await World.create(runtime);
    box = await Box.enroll(world, await newPerson(world), newLabel());
    await box.switch("link", true);
    await box.ask("/access", "PUT", { mode: "everyone" });
    home = new Home();
    origin = await home.start();
    agent = await box.serve(origin);
  });
  afterAll(async () => {
    agent?.socket.terminate();
    home?.close();
    await world?.close();
  });

  function dial(path: string, protocols: string[] = []): WebSocket {
    return new WebSocket(`ws://127.0.0.1:${world.port}${path}`, protocols, {
      headers: { host: world.doorHost(box.label) },
    });
  }

  async function open(path = "/", protocols: string[] = []): Promise<WebSocket> {
    const socket = dial(path, protocols);
    await once(socket, "open");
    return socket;
  }

  const next = async (socket: WebSocket): Promise<Buffer> =>
    (await once(socket, "message"))[0] as Buffer;
  async function ended(socket: WebSocket): Promise<End> {
    const [code, reason] = (await once(socket, "close")) as [number, Buffer];
    return { code, reason: reason.toString() };
  }
  /** The status and body of an answer that is no WebSocket. */
  async function refused(path: string, protocols?: string[]) {
    const [, response] = (await once(dial(path, protocols), "unexpected-response")) as [
      unknown,
      IncomingMessage,
    ];
    let text = "";
    for await (const chunk of response) text += chunk;
    return { status: response.statusCode, headers: response.headers, text };
  }

  it("echoes messages of every size, text and binary, whole and in order", async () => {
    const socket = await open();
    const sizes = [0, 1, 125, 126, 65_535, 65_536, 65_537, 262_144, 1024 * 1024];
    for (const size of sizes) {
      socket.send(Buffer.alloc(size, size % 251));
      const binary = (await once(socket, "message")) as [Buffer, boolean];
      expect([binary[1], binary[0].equals(Buffer.alloc(size, size % 251))]).toEqual([true, true]);
      const words = "ä€𝄞".repeat(Math.ceil(size / 9));
      socket.send(words);
      const text = (await once(socket, "message")) as [Buffer, boolean];
      expect([text[1], text[0].toString() === words]).toEqual([false, true]);
    }
    const got: string[] = [];
    const all = new Promise<void>((resolve) => {
      socket.on("message", (data: Buffer) => got.push(data.toString()) === 500 && resolve());
    });
    for (let at = 0; at < 500; at++) socket.send(`${at}`);
    await all;
    expect(got).toEqual(Array.from({ length: 500 }, (_, at) => `${at}`));
    socket.close();
  });

  it("puts a message together that its sender sends in pieces", async () => {
    const socket = await open();
    const euro = Buffer.from("€");
    socket.send(euro.subarray(0, 1), { binary: false, fin: false });
    socket.send("", { binary: false, fin: false });
    socket.send(euro.subarray(1), { binary: false, fin: true });
    expect((await next(socket)).toString()).toBe("€");
    socket.close();
  });

  it("takes the first word of a service that speaks first", async () => {
    const socket = dial("/greets");
    expect((await next(socket)).toString()).toBe("welcome");
    socket.close();
  });

  it("chooses the service's subprotocol; one that chooses none gets no WebSocket", async () => {
    const socket = await open("/", ["first", "second"]);
    expect(socket.protocol).toBe("second");
    expect(home.last.request.headers["sec-websocket-protocol"]).toBe("first,second");
    socket.close();
    expect((await refused("/", ["first"])).status).toBe(502);
  });

  it("tells the service the public host, and no visitor's handshake", async () => {
    const socket = await open("//evil.example/a?b=c");
    const { url, headers } = home.last.request;
    expect([url, headers.host]).toEqual(["//evil.example/a?b=c", world.doorHost(box.label)]);
    expect(headers["sec-websocket-extensions"]).toBeUndefined();
    expect(headers["x-forwarded-for"]).toMatch(/^(127\.0\.0\.1|::1)$/);
    socket.close();
  });

  it.each([
    1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014, 3000, 3999, 4000, 4999,
  ])("passes the service's close with %i", async (code) => {
    const socket = await open();
    const end = ended(socket);
    socket.send(`close ${code} because ü`);
    expect(await end).toEqual({ code, reason: "because ü" });
  });

  it.each([1000, 1001, 3000, 4999])("passes the visitor's close with %i", async (code) => {
    const socket = await open();
    const before = home.ends.length;
    socket.send("before it");
    await next(socket);
    const end = ended(socket);
    socket.close(code, "enough");
    expect((await end).code).toBe(code);
    await vi.waitFor(() => expect(home.ends.slice(before)).toEqual([{ code, reason: "enough" }]));
  });

  it("tells the visitor when the service breaks off, and the service when the visitor does", async () => {
    const broken = await open();
    const end = ended(broken);
    broken.send("terminate");
    expect((await end).code).toBe(1014);
    const socket = await open();
    const before = home.ends.length;
    socket.terminate();
    await vi.waitFor(() => expect(home.ends.slice(before)).toMatchObject([{ code: 1001 }]), 10_000);
  });

  it("passes an answer that is no WebSocket on, and follows nobody", async () => {
    expect(await refused("/refuses")).toMatchObject({
      status: 403,
      text: "not me",
      headers: { "x-own": "1" },
    });
    expect(await refused("/moves")).toMatchObject({
      status: 302,
      headers: { location: "http://169.254.169.254/" },
    });
    expect((await refused("/hangs-up")).status).toBe(502);
  });

  it("ends for a message that is too long, from either side, and harms no other", async () => {
    const other = await open();
    const visitor = await open();
    const first = ended(visitor);
    visitor.send(Buffer.alloc(limits.linkSocketMessageBytes + 1));
    expect((await first).code).toBe(1009);
    const service = await open();
    const second = ended(service);
    service.send("too long");
    expect((await second).code).toBe(1009);
    other.send("unharmed");
    expect((await next(other)).toString()).toBe("unharmed");
    other.close();
  });

  it("ends where the service does not keep up with a visitor, and harms no other", async () => {
    const other = await open();
    const flood = await open();
    const end = ended(flood);
    flood.send("deaf");
    const block = Buffer.alloc(4 * 1024 * 1024);
    for (let sent = 0; sent < 4 * limits.linkSocketQueueBytes; sent += block.length) {
      flood.send(block, () => undefined);
    }
    // Deno hangs up on who still sends, and then the close may not be heard.
    expect([1013, 1006]).toContain((await end).code);
    home.last.socket.terminate();
    other.send("unharmed");
    expect((await next(other)).toString()).toBe("unharmed");
    other.close();
  });

  it("ends with 1012 when the device drops, and comes again with it", async () => {
    const socket = await open();
    const end = ended(socket);
    const before = home.ends.length;
    agent.socket.terminate();
    expect((await end).code).toBe(1012);
    await vi.waitFor(() => expect(home.ends.length).toBe(before + 1));
    agent = await box.serve(origin);
    const again = await open();
    again.send("again");
    expect((await next(again)).toString()).toBe("again");
    again.close();
  });

  it("[RGT-14] ends when the door closes to its visitor", async () => {
    const socket = await open();
    const end = ended(socket);
    const before = home.ends.length;
    await box.ask("/access", "PUT", { mode: "owner" });
    expect((await end).code).toBe(1008);
    await vi.waitFor(() => expect(home.ends.slice(before)).toMatchObject([{ code: 1001 }]));
    expect((await refused("/")).status).toBe(401);
    await box.ask("/access", "PUT", { mode: "everyone" });
  });
});
