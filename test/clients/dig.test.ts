/** Debian's dig through the front, over UDP and TCP, on Node and on Deno. */

import { type ChildProcess, spawn } from "node:child_process";
import { createSocket } from "node:dgram";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { connect } from "node:net";
import { join } from "node:path";
import packet from "dns-packet";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Front, startFront } from "../../front/front.ts";
import { limits } from "../../protocol/limits.ts";
import type { World } from "../contract/suite/world.ts";
import { type Scenario, startWorld, withDevice } from "../support/scenario.ts";
import { run } from "./program.ts";

const ROOT = join(import.meta.dirname, "../..");

interface Looked {
  readonly status: string;
  readonly flags: string[];
  readonly answers: string[];
  readonly authorities: string[];
  readonly protocol: string;
}

/** One look-up; the sections as `name type data`. */
async function dig(port: number, ...question: string[]): Promise<Looked> {
  const args = ["@127.0.0.1", "-p", String(port), "+tries=1", "+time=10", "+nocmd", ...question];
  const { stdout } = await run("dig", args, "apt-get install bind9-dnsutils");
  const section = (title: string) =>
    (new RegExp(`;; ${title} SECTION:\n((?:[^;\n].*\n)*)`).exec(stdout)?.[1] ?? "")
      .split("\n")
      .filter((line) => line !== "")
      .map((line) => line.split(/\s+/))
      .map(([name, , , type, ...data]) => [name, type, ...data].join(" "));
  return {
    status: /status: (\w+)/.exec(stdout)?.[1] ?? stdout,
    flags: (/;; flags: ([a-z ]*);/.exec(stdout)?.[1] ?? "").split(" "),
    answers: section("ANSWER"),
    authorities: section("AUTHORITY"),
    protocol: /SERVER:.*\((UDP|TCP)\)/.exec(stdout)?.[1] ?? "",
  };
}

let world: World;
let nas: Scenario;

beforeAll(async () => {
  world = await startWorld();
  nas = await withDevice(world);
  const authorization = `Basic ${btoa(`${nas.host}:${nas.updateSecret}`)}`;
  const query = `hostname=${nas.host}&myip=203.0.113.4,2001:db8::4`;
  const updated = await fetch(`${world.origin}/nic/update?${query}`, {
    headers: { authorization },
  });
  expect(await updated.text()).toBe("good 203.0.113.4,2001:db8::4");
});
afterAll(() => world.close());

interface Running {
  readonly port: number;
  end(): Promise<void>;
}

async function inProcess(edge: string): Promise<Running> {
  const front: Front = await startFront({ edge, host: "127.0.0.1", port: 0 });
  return { port: front.port, end: front.close };
}

/** `front/main.ts` as a program of its own. */
async function program(command: string, args: string[], edge: string): Promise<Running> {
  const script = join(ROOT, "front/main.ts");
  const child: ChildProcess = spawn(
    join(ROOT, "node_modules/.bin", command),
    [...args, script, "--port", "0", "--edge", edge],
    { cwd: ROOT, stdio: ["ignore", "pipe", "inherit"] },
  );
  const exited = new Promise<void>((resolve) => child.once("exit", () => resolve()));
  const port = await new Promise<number>((resolve, reject) => {
    let said = "";
    child.stdout?.on("data", (chunk) => {
      said += chunk;
      const found = /port (\d+)/.exec(said)?.[1];
      if (found !== undefined) resolve(Number(found));
    });
    child.once("exit", (code) => reject(new Error(`the front ended with ${code}: ${said}`)));
  });
  const end = async () => {
    child.kill("SIGTERM");
    await exited;
  };
  return { port, end };
}

describe.each([
  ["Node", (edge: string) => program("node", [], edge)],
  ["Deno", (edge: string) => program("deno", ["run", "--allow-all", "--quiet"], edge)],
])("dig 9.18 through the front on %s", (_runtime, start) => {
  let front: Running;
  beforeAll(async () => {
    front = await start(world.origin);
  });
  afterAll(() => front.end());

  const zone = () => world.ddnsZone;
  const negative = () => [expect.stringMatching(`^${zone()}\\. SOA ns1\\.${zone()}\\. hostmaster`)];

  describe.each([
    ["UDP", "+notcp"],
    ["TCP", "+tcp"],
  ])("over %s", (protocol, option) => {
    const look = (...question: string[]) => dig(front.port, ...question, option);

    it("resolves A and AAAA", async () => {
      expect(await look(nas.host, "A")).toMatchObject({
        status: "NOERROR",
        flags: ["qr", "aa", "rd"],
        answers: [`${nas.host}. A 203.0.113.4`],
        protocol,
      });
      expect((await look(nas.host, "AAAA")).answers).toEqual([`${nas.host}. AAAA 2001:db8::4`]);
    });

    it("tells NODATA from NXDOMAIN", async () => {
      expect(await look(nas.host, "TXT")).toMatchObject({
        status: "NOERROR",
        answers: [],
        authorities: negative(),
      });
      expect(await look(`nobody.${zone()}`, "A")).toMatchObject({
        status: "NXDOMAIN",
        answers: [],
        authorities: negative(),
      });
    });

    it("resolves the zone's SOA and NS, and refuses other zones", async () => {
      expect((await look(zone(), "SOA")).answers).toEqual(negative());
      expect((await look(zone(), "NS")).answers).toEqual([`${zone()}. NS ns1.${zone()}.`]);
      expect((await look("example.org", "A")).status).toBe("REFUSED");
    });

    it("keeps the case of the question, without EDNS too", async () => {
      const shouted = nas.host.toUpperCase();
      const plain = await look(shouted, "A", "+noedns");
      expect(plain.answers).toEqual([`${shouted}. A 203.0.113.4`]);
    });
  });
});

describe("the front", () => {
  const query = (id: number, name = nas.host) =>
    packet.encode({ type: "query", id, questions: [{ type: "A", name }] });

  it("answers many questions on one TCP connection, in pieces and all at once", async () => {
    const front = await inProcess(world.origin);
    const ids = Array.from({ length: 100 }, (_, at) => at + 1);
    const wire = Buffer.concat(
      ids.flatMap((id) => {
        const message = query(id);
        const length = Buffer.alloc(2);
        length.writeUInt16BE(message.length);
        return [length, message];
      }),
    );
    const socket = connect(front.port, "127.0.0.1");
    socket.write(wire.subarray(0, 1));
    socket.write(wire.subarray(1, 40));
    socket.end(wire.subarray(40)); // the client has nothing more to say, and still listens
    let received = Buffer.alloc(0);
    for await (const chunk of socket) received = Buffer.concat([received, chunk as Buffer]);
    const answered = [];
    for (let at = 0; at < received.length; at += 2 + received.readUInt16BE(at)) {
      const message = received.subarray(at + 2, at + 2 + received.readUInt16BE(at));
      const answer = packet.decode(message);
      expect(answer.answers).toMatchObject([{ data: "203.0.113.4" }]);
      answered.push(answer.id);
    }
    expect(answered.sort((a = 0, b = 0) => a - b)).toEqual(ids);
    await front.end();
  });

  it("closes a TCP connection that sends nonsense, and goes on", async () => {
    const front = await inProcess(world.origin);
    for (const nonsense of [
      Buffer.alloc(2),
      Buffer.from([0xff, 0xff]),
      Buffer.from([0, 12, ...Buffer.alloc(12, 0x80)]),
    ]) {
      const socket = connect(front.port, "127.0.0.1");
      socket.write(nonsense);
      const ended = await new Promise((resolve) => socket.once("close", () => resolve("closed")));
      expect(ended).toBe("closed");
    }
    expect((await dig(front.port, nas.host, "A", "+tcp")).status).toBe("NOERROR");
    await front.end();
  });

  it("answers FORMERR to a malformed datagram and nothing to one that is no query", async () => {
    const front = await inProcess(world.origin);
    const socket = createSocket("udp4");
    const answers: Buffer[] = [];
    const got = new Promise<void>((resolve) => {
      socket.on("message", (message) => {
        answers.push(message);
        if (answers.length === 2) resolve();
      });
    });
    const send = (message: Buffer) => socket.send(message, front.port, "127.0.0.1");
    send(Buffer.alloc(3));
    send(Buffer.concat([query(7).subarray(0, 2), Buffer.from([0x80]), query(7).subarray(3)]));
    send(query(8).subarray(0, -1));
    send(query(9));
    await got;
    const decoded = answers.map(
      (message) => packet.decode(message) as packet.DecodedPacket & { rcode: string },
    );
    expect(new Map(decoded.map(({ id, rcode }) => [id, rcode]))).toEqual(
      new Map([
        [8, "FORMERR"],
        [9, "NOERROR"],
      ]),
    );
    socket.close();
    await front.end();
  });

  it("answers SERVFAIL while the edge is away, and recovers by itself", async () => {
    const away = createServer((_request, response) => response.writeHead(502).end());
    await new Promise<void>((resolve) => away.listen(0, "127.0.0.1", resolve));
    const { port } = away.address() as AddressInfo;
    const front = await inProcess(`http://127.0.0.1:${port}`);
    expect((await dig(front.port, nas.host, "A")).status).toBe("SERVFAIL");
    await new Promise((resolve) => away.close(resolve));
    expect((await dig(front.port, nas.host, "A", "+tcp")).status).toBe("SERVFAIL");
    const back = createServer(async (request, response) => {
      const chunks: Buffer[] = [];
      for await (const chunk of request) chunks.push(chunk as Buffer);
      const { id, questions } = packet.decode(Buffer.concat(chunks));
      const answer = { type: "A", name: nas.host, data: "203.0.113.1" } as const;
      response.end(
        packet.encode({
          type: "response",
          id: id ?? 0,
          questions: questions ?? [],
          answers: [answer],
        }),
      );
    });
    await new Promise<void>((resolve) => back.listen(port, "127.0.0.1", resolve));
    expect((await dig(front.port, nas.host, "A")).answers).toEqual([`${nas.host}. A 203.0.113.1`]);
    await front.end();
    back.closeAllConnections();
    await new Promise((resolve) => back.close(resolve));
  });

  it("sends a truncated answer over UDP when it does not fit, and dig asks again over TCP", async () => {
    const edge = createServer(async (request, response) => {
      const chunks: Buffer[] = [];
      for await (const chunk of request) chunks.push(chunk as Buffer);
      const { id, questions } = packet.decode(Buffer.concat(chunks));
      const answers = Array.from({ length: 100 }, (_, at) => ({
        type: "A" as const,
        name: nas.host,
        data: `203.0.113.${at}`,
      }));
      response.end(
        packet.encode({ type: "response", id: id ?? 0, questions: questions ?? [], answers }),
      );
    });
    await new Promise<void>((resolve) => edge.listen(0, "127.0.0.1", resolve));
    const front = await inProcess(`http://127.0.0.1:${(edge.address() as AddressInfo).port}`);
    const cut = await dig(front.port, nas.host, "A", "+ignore");
    expect([cut.flags.includes("tc"), cut.answers.length, cut.protocol]).toEqual([true, 0, "UDP"]);
    const whole = await dig(front.port, nas.host, "A");
    expect([whole.flags.includes("tc"), whole.answers.length, whole.protocol]).toEqual([
      false,
      100,
      "TCP",
    ]);
    await front.end();
    edge.closeAllConnections();
    await new Promise((resolve) => edge.close(resolve));
  });

  it("takes no more TCP connections than its limit", async () => {
    const front = await inProcess(world.origin);
    const sockets = Array.from({ length: limits.dnsTcpConnections + 1 }, () =>
      connect(front.port, "127.0.0.1"),
    );
    const refused = await Promise.race(
      sockets.map(
        (socket) => new Promise((resolve) => socket.once("close", () => resolve("refused"))),
      ),
    );
    expect(refused).toBe("refused");
    for (const socket of sockets) socket.destroy();
    await front.end();
  });

  it("says in a sentence that its port is taken", async () => {
    const front = await inProcess(world.origin);
    await expect(
      startFront({ edge: world.origin, host: "127.0.0.1", port: front.port }),
    ).rejects.toThrow(`Port ${front.port} on 127.0.0.1 is taken. Choose another`);
    await front.end();
  });
});
