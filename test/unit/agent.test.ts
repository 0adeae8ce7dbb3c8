/** The agent's decisions and its life with a scripted cloud: no network, no waiting. */

import { chmod, mkdtemp, readFile, rm, stat, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { backoffMs } from "../../agent/backoff.ts";
import type { AgentClock } from "../../agent/clock.ts";
import { cloudOrigin } from "../../agent/cloud.ts";
import { enroll } from "../../agent/enroll.ts";
import { defaultHome, Home } from "../../agent/home.ts";
import { afterConnection, type RunEnd, run } from "../../agent/run.ts";
import { answers, serviceOrigin } from "../../agent/service.ts";
import type { OpenSocket, SocketEnd, SocketEvents } from "../../agent/socket.ts";
import { type AgentGreeting, closeCodes, pingText } from "../../protocol/agent.ts";
import { verifyAssertion } from "../../protocol/assertion.ts";
import { limits } from "../../protocol/limits.ts";
import { hashToken } from "../../protocol/tokens.ts";

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "latchkey-agent-unit-"));
});
afterEach(() => rm(folder, { recursive: true }));

describe("the back-off", () => {
  it("is spread over a bound that doubles from half a second to thirty", () => {
    expect([1, 2, 3, 6, 7, 1000].map((failures) => backoffMs(failures, 1))).toEqual([
      1000, 2000, 4000, 30_000, 30_000, 30_000,
    ]);
    expect([1, 2, 1000].map((failures) => backoffMs(failures, 0))).toEqual([500, 500, 500]);
    expect(backoffMs(2, 0.5)).toBe(1250);
  });
});

describe("after a connection", () => {
  const closed = (code: number): SocketEnd => ({ kind: "closed", code });
  const refused = (status: number): SocketEnd => ({ kind: "refused", status });
  it.each([
    [closed(1006), false, "again"],
    [closed(1001), false, "again"],
    [closed(closeCodes.protocolError), false, "again"],
    [closed(closeCodes.replaced), false, "replaced"],
    [closed(closeCodes.unregistered), false, "unregistered"],
    [closed(1006), true, "unregistered"],
    [refused(410), false, "unregistered"],
    [refused(401), false, "again"],
    [refused(404), false, "again"],
    [refused(503), false, "again"],
    [{ kind: "unreachable", reason: "no route" }, false, "again"],
  ] as const)("%j, told %s: %s", (end, told, then) => {
    const next = afterConnection(end, told);
    expect(next.kind === "end" ? next.end : next.kind).toBe(then);
  });
});

describe("the local service", () => {
  it("is an origin of the owner's own choice", () => {
    expect(serviceOrigin("http://127.0.0.1:8080")).toBe("http://127.0.0.1:8080");
    expect(serviceOrigin("https://nas.lan/")).toBe("https://nas.lan");
    expect(serviceOrigin("http://[::1]:80")).toBe("http://[::1]");
  });

  it.each([
    "8080",
    "ftp://127.0.0.1",
    "http://user:secret@127.0.0.1",
    "http://127.0.0.1/admin",
    "http://127.0.0.1/?a",
    "http://169.254.169.254",
    "http://0xa9fea9fe",
    "http://2852039166",
    "http://169.254.0.1:80",
    "http://[fe80::1]",
    "http://[::ffff:169.254.169.254]",
    "http://[fd00:ec2::254]",
    "http://metadata.google.internal",
    "http://METADATA.google.internal.",
    "http://100.100.100.200",
    "http://0.0.0.0",
  ])("is never %s", (typed) => {
    expect(() => serviceOrigin(typed)).toThrow();
  });

  it("is known to be down or up", async () => {
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    expect(await answers(origin)).toBe(true);
    await new Promise((resolve) => server.close(resolve));
    expect(await answers(origin)).toBe(false);
  });
});

it("the cloud is spoken to in the clear on this machine only", () => {
  expect(cloudOrigin("https://cloud.example/console")).toBe("https://cloud.example");
  expect(cloudOrigin("http://localhost:8787")).toBe("http://localhost:8787");
  expect(() => cloudOrigin("http://cloud.example")).toThrow("https://cloud.example");
  expect(() => cloudOrigin("http://127.0.0.1.evil.example")).toThrow("not encrypted");
  expect(() => cloudOrigin("cloud.example")).toThrow("https://host");
});

describe("the agent's folder", () => {
  it("is $LATCHKEY_HOME, else in the home of its user", () => {
    expect(defaultHome({ LATCHKEY_HOME: "/var/lib/latchkey" })).toBe("/var/lib/latchkey");
    expect(defaultHome({})).toMatch(/\.latchkey$/);
  });

  it("keeps one key, tightens its mode, and forgets it on request", async () => {
    const home = new Home(join(folder, "deep", "home"));
    expect(await home.identity()).toBeNull();
    const made = await home.identityOrNew();
    const path = join(home.folder, "key.json");
    await chmod(path, 0o644);
    expect((await home.identityOrNew()).publicKey).toBe(made.publicKey);
    expect((await stat(path)).mode & 0o777).toBe(0o600);
    await home.forget();
    expect(await home.identity()).toBeNull();
  });

  it("says which file is broken", async () => {
    await writeFile(join(folder, "device.json"), "{");
    await expect(new Home(folder).device()).rejects.toThrow("device.json cannot be read");
    await writeFile(join(folder, "key.json"), '{"kty":"OKP"}');
    await expect(new Home(folder).identity()).rejects.toThrow("is not a key");
  });
});

/** Time that passes when somebody sleeps. */
class PassingClock implements AgentClock {
  time = 1_800_000_000_000;
  readonly slept: number[] = [];
  readonly ticking = new Map<() => void, number>();

  now(): number {
    return this.time;
  }
  async sleep(ms: number): Promise<void> {
    this.slept.push(ms);
    this.time += ms;
  }
  every(ms: number, work: () => void): () => void {
    this.ticking.set(work, ms);
    return () => this.ticking.delete(work);
  }
  /** Lets `ms` pass and runs what ticks once. */
  tick(ms: number): void {
    this.time += ms;
    for (const work of this.ticking.keys()) work();
  }
}

describe("enrolment", () => {
  /** A cloud that answers polls with `answers`, one after another. */
  async function cloud(answers: readonly (readonly [number, unknown])[]) {
    const polls: { device_code: string; client_assertion: string }[] = [];
    const started: { public_key: string }[] = [];
    const server = createServer((request, response) => {
      let text = "";
      request.setEncoding("utf8");
      request.on("data", (part: string) => {
        text += part;
      });
      request.on("end", () => {
        const body = JSON.parse(text);
        const origin = `http://localhost:${(server.address() as AddressInfo).port}`;
        let answer: readonly [number, unknown] = [
          200,
          {
            device_code: "the-code",
            user_code: "BCDF-GHJK",
            verification_uri: `${origin}/devices/add`,
            verification_uri_complete: `${origin}/devices/add?code=BCDF-GHJK`,
            expires_in: 600,
            interval: 5,
          },
        ];
        if (request.url === "/api/enrolments") started.push(body);
        else answer = answers[polls.push(body) - 1] ?? [400, { error: "authorization_pending" }];
        response.writeHead(answer[0], { "content-type": "application/json" });
        response.end(JSON.stringify(answer[1]));
      });
    });
    await new Promise<void>((resolve) => server.listen(0, "localhost", resolve));
    const origin = `http://localhost:${(server.address() as AddressInfo).port}`;
    return { origin, polls, started, close: () => server.close() };
  }

  const pending = [400, { error: "authorization_pending" }] as const;
  const done = { device_id: "dev", label: "nas", link: "https://nas.l", host: "nas.d" };

  it("asks as often as told, slower when told so or when the cloud is away, and proves its key", async () => {
    const slow = [400, { error: "slow_down" }] as const;
    const { origin, polls, started, close } = await cloud([pending, slow, [503, {}], [200, done]]);
    const clock = new PassingClock();
    const began = clock.now();
    const device = await enroll({ cloud: origin, home: folder, clock, onCode: () => undefined });
    close();
    expect(device).toEqual({ ...done, cloud: origin });
    expect(clock.slept).toEqual([5000, 10_000, 15_000]);
    const subject = await hashToken("the-code");
    const key = started[0]?.public_key ?? "";
    const proof = await verifyAssertion(key, polls[0]?.client_assertion ?? "", origin, began);
    expect(proof?.deviceId).toBe(subject);
    expect(await readFile(join(folder, "device.json"), "utf8")).not.toContain("the-code");
  });

  it("gives up when the code runs out", async () => {
    const { origin, polls, close } = await cloud([]);
    const clock = new PassingClock();
    const asked = enroll({ cloud: origin, home: folder, clock, onCode: () => undefined });
    await expect(asked).rejects.toThrow("not approved in time");
    close();
    expect(polls.length).toBe(120);
    expect(await new Home(folder).device()).toBeNull();
  });

  it.each([
    ["expired_token", "not approved in time"],
    ["access_denied", "clock is right"],
    ["invalid_grant", "refused"],
  ])("ends with a sentence at %s", async (error, sentence) => {
    const { origin, close } = await cloud([[400, { error }]]);
    const asked = enroll({ cloud: origin, home: folder, onCode: () => undefined });
    await expect(asked).rejects.toThrow(sentence);
    close();
  });

  it("refuses a cloud that calls itself by another name", async () => {
    const { origin, close } = await cloud([]);
    const other = origin.replace("localhost", "127.0.0.1");
    const asked = enroll({ cloud: other, home: folder, onCode: () => undefined });
    await expect(asked).rejects.toThrow(`calls itself ${origin}`);
    close();
  });
});

/** A cloud that the test speaks for. */
class ScriptedCloud {
  readonly assertions: string[] = [];
  readonly sent: (string | Uint8Array)[] = [];
  readonly closes: number[] = [];
  terminated = 0;
  #events: SocketEvents | null = null;
  #opened: () => void = () => undefined;

  readonly greetings: AgentGreeting[] = [];
  readonly addresses: (string | null)[] = [];
  readonly open: OpenSocket = (_cloud, { assertion, greeting, ipv6 }, events) => {
    this.addresses.push(ipv6);
    this.assertions.push(assertion);
    this.greetings.push(greeting);
    this.#events = events;
    queueMicrotask(() => this.#opened());
    return {
      send: (data) => void this.sent.push(data),
      close: (code) => {
        this.closes.push(code);
        events.onEnd({ kind: "closed", code });
      },
      terminate: () => {
        this.terminated++;
        events.onEnd({ kind: "closed", code: 1006 });
      },
      bufferedAmount: () => 0,
    };
  };

  get events(): SocketEvents {
    if (this.#events === null) throw new Error("nobody connected");
    return this.#events;
  }

  /** Resolves when the agent connects next. */
  connected(): Promise<void> {
    return new Promise((resolve) => {
      this.#opened = resolve;
    });
  }
}

describe("a running agent", () => {
  let cloud: ScriptedCloud;
  let clock: PassingClock;
  let stop: AbortController;
  let lines: string[];
  let kept: string | null;
  beforeEach(() => {
    kept = null;
  });

  /** Starts the agent and waits until it connects. */
  async function start(): Promise<{ end: Promise<RunEnd> }> {
    cloud = new ScriptedCloud();
    clock = new PassingClock();
    stop = new AbortController();
    lines = [];
    const home = new Home(folder);
    await home.identityOrNew();
    const ids = { device_id: "dev_home_0000000000000000", label: "nas" };
    const places = { link: "https://nas.l", host: "nas.d", cloud: "https://cloud.example" };
    await home.saveDevice({ ...ids, ...places });
    const connected = cloud.connected();
    const end = run({
      home: folder,
      serve: null,
      log: (line) => lines.push(line),
      signal: stop.signal,
      clock,
      chance: () => 0.5,
      open: cloud.open,
      kept: async () => kept,
    });
    await connected;
    return { end };
  }

  it("asks for a sign of life, and drops a connection that gives none", async () => {
    const { end } = await start();
    cloud.events.onOpen();
    clock.tick(limits.agentPingMs);
    expect(cloud.sent).toEqual(['{"type":"service","state":"none"}', pingText]);
    cloud.events.onText("pong");
    clock.tick(limits.agentStaleMs);
    expect(cloud.terminated).toBe(0);
    const again = cloud.connected();
    clock.tick(1);
    expect(cloud.terminated).toBe(1);
    await again;
    expect(clock.ticking.size).toBe(0);
    expect(new Set(cloud.assertions).size).toBe(2);
    stop.abort();
    expect(await end).toBe("stopped");
  });

  it("says which IPv6 address stays only while the name is on, and once until it changes", async () => {
    kept = "2001:db8::1";
    const { end } = await start();
    const features = (name: boolean) =>
      cloud.events.onText(JSON.stringify({ type: "features", name, link: false, lan: false }));
    const said = async () => {
      await new Promise((resolve) => setImmediate(resolve));
      return cloud.sent.filter((text) => String(text).includes('"address"'));
    };
    cloud.events.onOpen();
    features(false);
    clock.tick(limits.agentPingMs);
    expect(await said()).toEqual([]);
    features(true);
    clock.tick(limits.agentPingMs);
    expect(await said()).toEqual(['{"type":"address","ipv6":"2001:db8::1"}']);
    kept = "2001:db8::2";
    clock.tick(limits.agentPingMs);
    expect(await said()).toHaveLength(2);
    const again = cloud.connected();
    cloud.events.onEnd({ kind: "closed", code: 1006 });
    await again;
    expect(cloud.addresses).toEqual([null, "2001:db8::2"]);
    stop.abort();
    await end;
  });

  it("is called what the cloud calls it from then on, and keeps that", async () => {
    const { end } = await start();
    cloud.events.onOpen();
    for (const label of ['"nas"', '"ATTIC"', '"a b"', "7", "null"]) {
      cloud.events.onText(`{"type":"label","label":${label}}`);
    }
    await new Promise((resolve) => setImmediate(resolve));
    expect((await new Home(folder).device())?.label).toBe("nas");
    cloud.events.onText('{"type":"label","label":"attic"}');
    const called = { label: "attic", link: "https://attic.l", host: "attic.d" };
    await vi.waitFor(async () => expect(await new Home(folder).device()).toMatchObject(called));
    expect(lines.at(-1)).toBe('This box is now "attic": https://attic.l, attic.d');
    const again = cloud.connected();
    cloud.events.onEnd({ kind: "closed", code: 1006 });
    await again;
    cloud.events.onOpen();
    expect(lines.at(-1)).toBe('Connected to https://cloud.example as "attic".');
    stop.abort();
    expect(await end).toBe("stopped");
  });

  it("waits longer after each failure, and starts over after a connection that held", async () => {
    const { end } = await start();
    for (const waits of [[750], [750, 1250], [750, 1250, 2250]]) {
      const again = cloud.connected();
      cloud.events.onEnd({ kind: "unreachable", reason: "no route" });
      await again;
      expect(clock.slept).toEqual(waits);
    }
    expect(lines.at(-1)).toBe("The cloud cannot be reached: no route. Trying again in 2.3 s.");
    cloud.events.onOpen();
    clock.time += limits.agentStableMs;
    const again = cloud.connected();
    cloud.events.onEnd({ kind: "closed", code: 1006 });
    await again;
    expect(clock.slept.at(-1)).toBe(750);
    stop.abort();
    await end;
  });

  it("[CON-11] forgets its key when it is told that it is unregistered", async () => {
    const { end } = await start();
    cloud.events.onOpen();
    cloud.events.onText('{"type":"unregistered"}');
    cloud.events.onEnd({ kind: "closed", code: 1006 });
    expect(await end).toBe("unregistered");
    expect([await new Home(folder).identity(), await new Home(folder).device()]).toEqual([
      null,
      null,
    ]);
  });

  it("keeps its key when it is replaced", async () => {
    const { end } = await start();
    cloud.events.onEnd({ kind: "closed", code: closeCodes.replaced });
    expect(await end).toBe("replaced");
    expect(await new Home(folder).identity()).not.toBeNull();
  });

  it("says when Link is on and it has nothing to offer, and takes no nonsense for a notice", async () => {
    const { end } = await start();
    cloud.events.onOpen();
    for (const text of ["", "null", "[]", "7", '{"type":"dance"}', "{", '"ping"']) {
      cloud.events.onText(text);
    }
    cloud.events.onBinary(new Uint8Array([1, 2, 3]));
    cloud.events.onText('{"type":"features","name":false,"link":true}');
    expect(lines.at(-1)).toContain("--serve");
    stop.abort();
    expect(await end).toBe("stopped");
    expect(cloud.closes).toEqual([1000]);
  });
});
