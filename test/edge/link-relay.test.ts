/** Link in the device's object: what a visitor sends reaches the device, and back, and nothing else. */

import { evictDurableObject, listDurableObjectIds } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { beforeEach, describe, expect, it, vi } from "vitest";
import { limits } from "../../protocol/limits.ts";
import { frameType, resetCode, u32 } from "../../protocol/link/frames.ts";
import type { Ports } from "../../workers/ports.ts";
import { testPorts } from "../support/ports.ts";
import {
  closeCodes,
  codeOf,
  creditOf,
  newDevice,
  type ScriptedAgent,
  type TestDevice,
} from "./link-device.ts";

const { DEVICES } = env as unknown as { DEVICES: DurableObjectNamespace };
let ports: Ports;
let device: TestDevice;
let agent: ScriptedAgent;

beforeEach(async () => {
  ({ ports } = testPorts({ env }));
  device = await newDevice(ports);
  agent = await device.connect();
});

const page = { headers: { accept: "text/html", cookie: "__Host-door-seen=yes" } };

describe("a request through Link", () => {
  it("reaches the device with what the edge knows and nothing the visitor claims", async () => {
    const asked = device.ask("/files?a=b", {
      headers: {
        "x-forwarded-for": "6.6.6.6",
        "x-forwarded-proto": "gopher",
        "x-real-ip": "6.6.6.6",
        forwarded: "for=6.6.6.6",
        "cf-connecting-ip": "6.6.6.6",
        "true-client-ip": "6.6.6.6",
        "x-latchkey-peer": "6.6.6.6",
        "x-latchkey-way": "agent",
        "accept-language": "de",
      },
    });
    const { stream, head, end } = await agent.request();
    agent.answer(stream, 200, [], "ok");
    expect(await (await asked).text()).toBe("ok");
    expect(end).toBe(true);
    expect([head.method, head.path, head.service]).toEqual(["GET", "/files?a=b", "web"]);
    const host = `${device.label}.link.localhost:8787`;
    expect(Object.fromEntries(head.headers)).toEqual({
      host,
      "accept-language": "de",
      forwarded: `for=198.51.100.7;host="${host}";proto=http`,
      "x-forwarded-for": "198.51.100.7",
      "x-forwarded-host": host,
      "x-forwarded-proto": "http",
    });
  });

  it("returns status, header arrays and body, and not what is for the hop or for the edge", async () => {
    const asked = device.ask("/");
    const { stream } = await agent.request();
    agent.answer(
      stream,
      418,
      [
        ["set-cookie", "a=1; Domain=link.localhost"],
        ["set-cookie", "b=2"],
        ["set-cookie", "__Host-door=evil; Secure; Path=/"],
        ["connection", "x-hop"],
        ["x-hop", "1"],
        ["x-latchkey-door", "entered"],
        ["x-own", "kept"],
      ],
      "teapot",
    );
    const response = await asked;
    expect([response.status, await response.text()]).toEqual([418, "teapot"]);
    expect(response.headers.getSetCookie()).toEqual(["a=1", "b=2"]);
    expect(response.headers.get("x-own")).toBe("kept");
    for (const name of ["x-hop", "connection", "x-latchkey-door"]) {
      expect(response.headers.has(name), name).toBe(false);
    }
  });

  it("streams both ways", async () => {
    const { readable, writable } = new IdentityTransformStream();
    const writer = writable.getWriter();
    const asked = device.ask("/echo", { method: "POST", body: readable });
    const { stream, end } = await agent.request();
    expect(end).toBe(false);
    await writer.write(new TextEncoder().encode("first"));
    const first = await agent.next(frameType.data);
    expect(new TextDecoder().decode(first.payload)).toBe("first");
    agent.head(stream, 200);
    agent.data(stream, "one");
    const reader = ((await asked).body as ReadableStream<Uint8Array>).getReader();
    expect(new TextDecoder().decode((await reader.read()).value)).toBe("one");
    await writer.write(new TextEncoder().encode("second"));
    await writer.close();
    expect(await agent.body()).toBe("second");
    agent.data(stream, "two", true);
    expect(new TextDecoder().decode((await reader.read()).value)).toBe("two");
    expect((await reader.read()).done).toBe(true);
  });

  it.each<[string, string, number, [string, string][], string | null]>([
    ["HEAD keeps the length", "HEAD", 200, [["content-length", "1000"]], "1000"],
    ["204 has no body", "GET", 204, [], null],
    ["304 has no body", "GET", 304, [["etag", '"x"']], null],
  ])("%s", async (_name, method, status, headers, length) => {
    const asked = device.ask("/", { method });
    const { stream, head } = await agent.request();
    expect(head.method).toBe(method);
    agent.head(stream, status, headers, true);
    const response = await asked;
    expect([response.status, await response.text()]).toEqual([status, ""]);
    expect(response.headers.get("content-length")).toBe(length);
    if (status === 304) expect(response.headers.get("etag")).toBe('"x"');
  });

  it("passes an empty body, a range and a redirect on as they are", async () => {
    const empty = device.ask("/empty");
    const first = await agent.request();
    agent.head(first.stream, 200, [["content-length", "0"]], true);
    expect(await (await empty).text()).toBe("");
    const ranged = device.ask("/file", { headers: { range: "bytes=2-3" } });
    const second = await agent.request();
    expect(Object.fromEntries(second.head.headers)).toMatchObject({ range: "bytes=2-3" });
    agent.answer(second.stream, 206, [["content-range", "bytes 2-3/9"]], "cd");
    expect((await ranged).headers.get("content-range")).toBe("bytes 2-3/9");
    const moved = device.ask("/old");
    const third = await agent.request();
    agent.answer(third.stream, 302, [["location", "http://169.254.169.254/"]], "");
    const response = await moved;
    expect([response.status, response.headers.get("location")]).toEqual([
      302,
      "http://169.254.169.254/",
    ]);
    expect(agent.count(frameType.open)).toBe(0);
  });

  it("holds the device back while the visitor does not read", async () => {
    const asked = device.ask("/big");
    const { stream } = await agent.request();
    agent.head(stream, 200);
    const frames = limits.linkStreamWindowBytes / limits.linkFrameBytes;
    for (let at = 0; at < frames; at++) agent.data(stream, new Uint8Array(limits.linkFrameBytes));
    const reader = ((await asked).body as ReadableStream<Uint8Array>).getReader();
    // A second request makes the round trip: had credit been given by now, it would have come first.
    const other = device.ask("/small");
    const second = await agent.request();
    agent.answer(second.stream, 200, [], "small");
    expect(await (await other).text()).toBe("small");
    expect(agent.count(frameType.credit)).toBe(0);
    let read = 0;
    while (read < limits.linkStreamWindowBytes)
      read += (await reader.read()).value?.byteLength ?? 0;
    const credit = await agent.next(frameType.credit);
    expect([credit.stream, creditOf(credit)]).toEqual([stream, limits.linkStreamWindowBytes / 2]);
    agent.data(stream, "", true);
    expect((await reader.read()).done).toBe(true);
  });

  it("tells the device when the visitor leaves", async () => {
    const asked = device.ask("/endless");
    const { stream } = await agent.request();
    agent.head(stream, 200);
    agent.data(stream, "x");
    await (await asked).body?.cancel();
    agent.data(stream, "y");
    const reset = await agent.next(frameType.reset);
    expect([reset.stream, codeOf(reset)]).toEqual([stream, resetCode.cancel]);
  });
});

describe("a device that fails", () => {
  it.each([null, 1000])("makes the visitor's body an error (announced %s)", async (length) => {
    const asked = device.ask("/big");
    const { stream } = await agent.request();
    agent.head(stream, 200, length === null ? [] : [["content-length", String(length)]]);
    agent.data(stream, "part");
    const response = await asked;
    agent.drop();
    await expect(response.text()).rejects.toThrow();
  });

  it("cannot pass a short body off as a whole one", async () => {
    const short = device.ask("/short");
    const first = await agent.request();
    agent.head(first.stream, 200, [["content-length", "10"]]);
    const response = await short;
    agent.data(first.stream, "12345", true);
    await expect(response.text()).rejects.toThrow();
    const whole = device.ask("/short-at-once");
    const second = await agent.request();
    agent.answer(second.stream, 200, [["content-length", "10"]], "12345");
    expect((await whole).status).toBe(502);
  });

  it("is asked again after it came back, when asking again is safe", async () => {
    const asked = device.ask("/");
    await agent.request();
    agent.drop();
    const back = await device.connect();
    const { stream, head } = await back.request();
    expect(head.path).toBe("/");
    back.answer(stream, 200, [], "back");
    expect(await (await asked).text()).toBe("back");
  });

  it("is asked again when it connects anew before its older connection is known to have broken", async () => {
    const asked = device.ask("/");
    await agent.request();
    const back = await device.connect();
    const { stream, head } = await back.request();
    expect(head.path).toBe("/");
    back.answer(stream, 200, [], "back");
    expect(await (await asked).text()).toBe("back");
  });

  it("is not asked again for what may have happened", async () => {
    const asked = device.ask("/pay", { method: "POST", body: "once" });
    await agent.request();
    agent.drop();
    const response = await asked;
    expect([response.status, response.headers.get("retry-after")]).toEqual([502, "2"]);
    const back = await device.connect();
    const next = device.ask("/");
    const { stream, head } = await back.request();
    expect(head.path).toBe("/");
    back.answer(stream, 200, [], "");
    await next;
  });

  it("is waited for while it is offline, when that is safe", async () => {
    agent.drop();
    await vi.waitFor(async () => {
      expect((await device.stub.describe())?.connection?.online).toBe(false);
    });
    const asked = device.ask("/");
    const posted = await device.ask("/", { method: "POST", body: "x" });
    expect([posted.status, posted.headers.get("retry-after")]).toEqual([503, "10"]);
    expect(await posted.json()).toMatchObject({ code: "device-offline" });
    const back = await device.connect();
    const { stream } = await back.request();
    back.answer(stream, 200, [], "awake");
    expect(await (await asked).text()).toBe("awake");
  });

  it("shows a page when its service does not answer", async () => {
    const asked = device.ask("/", page);
    const { stream } = await agent.request();
    agent.send({ type: frameType.reset, stream, payload: [u32(resetCode.unreachable)] });
    const response = await asked;
    expect(response.status).toBe(502);
    expect(response.headers.get("content-type")).toContain("text/html");
    expect(response.headers.get("content-security-policy")).toContain("default-src 'none'");
  });

  it("finds its visitors again after the object has slept", async () => {
    const first = device.ask("/1");
    const before = await agent.request();
    agent.answer(before.stream, 200, [], "one");
    await (await first).text();
    await evictDurableObject(DEVICES.getByName(device.id));
    await agent.next(frameType.hello);
    const second = device.ask("/2");
    await agent.next(frameType.hello);
    const after = await agent.request();
    expect(after.head.path).toBe("/2");
    agent.answer(after.stream, 200, [], "two");
    expect(await (await second).text()).toBe("two");
  });
});

describe("a hostile device", () => {
  const hostile: [string, (agent: ScriptedAgent, stream: number) => void][] = [
    ["text", (peer) => peer.raw("hello")],
    ["garbage", (peer) => peer.raw(Uint8Array.of(255, 1, 2))],
    ["an unknown type", (peer) => peer.raw(new Uint8Array(12).fill(77))],
    ["half a frame", (peer) => peer.raw(Uint8Array.of(4, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 9, 1))],
    [
      "a stream of its own",
      (peer) => peer.send({ type: frameType.open, stream: 2, payload: [new Uint8Array(2)] }),
    ],
    ["an even stream", (peer) => peer.data(2, "x")],
    ["data before a head", (peer, stream) => peer.data(stream, "x")],
    [
      "a head that is no JSON",
      (peer, stream) => peer.send({ type: frameType.head, stream, payload: [new Uint8Array(9)] }),
    ],
    [
      "a head that would split a response",
      (peer, stream) => peer.head(stream, 200, [["a", "b\r\nset-cookie: c"]]),
    ],
    ["switching protocols", (peer, stream) => peer.head(stream, 101)],
    [
      "two lengths",
      (peer, stream) =>
        peer.head(stream, 200, [
          ["content-length", "1"],
          ["content-length", "2"],
        ]),
    ],
    [
      "more than its window",
      (peer, stream) => {
        peer.head(stream, 200);
        for (let at = 0; at <= 4; at++) peer.data(stream, new Uint8Array(limits.linkFrameBytes));
      },
    ],
    ["a huge message", (peer) => peer.raw(new Uint8Array(limits.linkMessageBytes + 1))],
  ];

  it.each(hostile)("is cut off for %s, and no other device feels it", async (_name, act) => {
    const other = await newDevice(ports);
    const neighbor = await other.connect();
    const asked = device.ask("/", { method: "POST", body: "x" });
    const { stream } = await agent.request();
    const unharmed = other.ask("/");
    const { stream: theirs } = await neighbor.request();
    act(agent, stream);
    const { code, reason } = await agent.closed;
    expect(code).toBe(closeCodes.protocolError);
    expect(reason).not.toBe("");
    const response = await asked;
    if (response.status === 200) await expect(response.text()).rejects.toThrow();
    else expect(response.status).toBe(502);
    neighbor.answer(theirs, 200, [], "unharmed");
    expect(await (await unharmed).text()).toBe("unharmed");
    const back = await device.connect();
    const again = device.ask("/");
    const next = await back.request();
    back.answer(next.stream, 200, [], "again");
    expect(await (await again).text()).toBe("again");
  });
});

describe("a door that is open to everyone", () => {
  const own = () => `http://${device.label}.link.localhost:8787`;
  const origins: [string, () => Record<string, string>, number][] = [
    ["a client that is no browser", () => ({}), 200],
    ["its own page", () => ({ "sec-fetch-site": "same-origin", origin: own() }), 200],
    ["its own page in an old browser", () => ({ origin: own() }), 200],
    ["another site", () => ({ "sec-fetch-site": "cross-site", origin: "https://a.example" }), 200],
    ["a sandboxed page", () => ({ "sec-fetch-site": "cross-site", origin: "null" }), 200],
    ["another door", () => ({ "sec-fetch-site": "same-site" }), 403],
    ["another door in an old browser", () => ({ origin: "http://b.link.localhost:8787" }), 403],
    ["a door below a door", () => ({ origin: "http://a.b.link.localhost" }), 403],
    ["the bare zone", () => ({ origin: "https://link.localhost" }), 403],
  ];

  it.each(origins)(
    "takes no change that another door's page made: %s",
    async (_name, headersOf, status) => {
      for (const method of ["POST", "DELETE"]) {
        const asked = device.ask("/", { method, headers: headersOf() });
        if (status === 200) agent.answer((await agent.request()).stream, 200, [], "");
        const response = await asked;
        expect(response.status, method).toBe(status);
        await response.text();
      }
      const read = device.ask("/", { headers: headersOf() });
      agent.answer((await agent.request()).stream, 200, [], "");
      expect((await read).status, "a link may lead here").toBe(200);
    },
  );

  it("is not for search engines, whatever else the device says of them", async () => {
    const plain = device.ask("/");
    agent.answer((await agent.request()).stream, 200, [], "");
    expect((await plain).headers.get("x-robots-tag")).toBe("noindex");
    const asked = device.ask("/");
    const { stream } = await agent.request();
    agent.answer(stream, 404, [["x-robots-tag", "noarchive"]], "");
    expect((await asked).headers.get("x-robots-tag")).toBe("noarchive, noindex");
  });
});

describe("where something on our side fails", () => {
  const failing: [string, Partial<Ports>][] = [
    [
      "the directory",
      { names: { deviceOfLabel: () => Promise.reject(new Error("D1_ERROR")) } as never },
    ],
    [
      "the object",
      { devices: { get: () => ({ fetch: () => Promise.reject(new Error("reset")) }) } as never },
    ],
  ];

  it.each(failing)(
    "%s, the visitor gets our page and nothing of the failure",
    async (_name, part) => {
      const test = testPorts({ env, replace: part });
      const url = `http://${device.label}.link.localhost:8787/`;
      const { handle } = await import("../../workers/app.ts");
      const problem = await handle(new Request(url), test.ports);
      expect([problem.status, problem.headers.get("retry-after")]).toEqual([503, "2"]);
      expect(await problem.json()).toMatchObject({ code: "unavailable" });
      const shown = await handle(new Request(url, page), test.ports);
      expect([shown.status, shown.headers.get("retry-after")]).toEqual([503, "2"]);
      expect(shown.headers.get("content-type")).toContain("text/html");
      expect(test.lines).toEqual([
        { event: "internal-error", code: "Error" },
        { event: "internal-error", code: "Error" },
      ]);
    },
  );
});

describe("where there is no device", () => {
  it.each([
    "http://nobody.link.localhost:8787/",
    "http://link.localhost:8787/",
    "http://a.b.link.localhost:8787/",
  ])("%s is unknown and makes no object", async (url) => {
    const { handle } = await import("../../workers/app.ts");
    const before = (await listDurableObjectIds(DEVICES)).length;
    const problem = await handle(new Request(url), ports);
    expect([problem.status, await problem.json()]).toMatchObject([404, { code: "not-found" }]);
    const shown = await handle(new Request(url, page), ports);
    expect(shown.headers.get("content-type")).toContain("text/html");
    expect((await listDurableObjectIds(DEVICES)).length).toBe(before);
  });

  it("a device whose Link is off is as unknown as one that never was", async () => {
    await device.stub.setFeature("link", false);
    const response = await device.ask("/");
    expect([response.status, await response.json()]).toMatchObject([404, { code: "not-found" }]);
  });

  it("an offer of another protocol is ignored (RFC 9110 §7.8)", async () => {
    const headers = { upgrade: "h2c", "http2-settings": "AAMAAABk", connection: "upgrade" };
    const asked = device.ask("/", { headers });
    const { stream, head } = await agent.request();
    expect(JSON.stringify(head)).not.toMatch(/h2c|http2-settings/);
    agent.answer(stream, 200, [], "HTTP/1.1 it is");
    expect(await (await asked).text()).toBe("HTTP/1.1 it is");
  });

  it.each<[string, RequestInit]>([
    ["a control byte in a header", { headers: { "x-a": "a\u0001b" } }],
    ["a length that is none", { method: "POST", headers: { "content-length": "+3" } }],
  ])("%s is the visitor's mistake, and the device never hears of it", async (_name, init) => {
    const response = await device.ask("/", init);
    expect([response.status, await response.json()]).toMatchObject([400, { code: "bad-request" }]);
    expect(agent.count(frameType.open)).toBe(0);
  });

  it("TRACE is for the hop, not for the device", async () => {
    const response = await device.ask("/", { method: "TRACE" });
    expect([response.status, await response.json()]).toMatchObject([
      405,
      { code: "method-not-allowed" },
    ]);
    expect(response.headers.get("allow")).toContain("GET");
  });

  it("an upload that the platform would cut off is refused, with what to do instead", async () => {
    const { config } = ports;
    const test = testPorts({ env, replace: { config: { ...config, linkUploadBytes: 3_000_000 } } });
    const { handle } = await import("../../workers/app.ts");
    const upload = (length: string, accept: string) =>
      handle(
        new Request(`http://${device.label}.link.localhost:8787/`, {
          method: "PUT",
          headers: { "content-length": length, accept },
        }),
        test.ports,
      );
    const problem = await upload("3000001", "*/*");
    expect([problem.status, await problem.json()]).toMatchObject([
      413,
      { code: "upload-too-large" },
    ]);
    const shown = await upload("3000001", "text/html");
    expect([shown.status, await shown.text()]).toEqual([413, expect.stringContaining("3 MB")]);
    expect(agent.count(frameType.open)).toBe(0);
    const asked = upload("0", "*/*");
    agent.answer((await agent.request()).stream, 200, [], "");
    expect((await asked).status).toBe(200);
  });

  it("a target that is too long is refused", async () => {
    const response = await device.ask(`/${"a".repeat(limits.linkPathBytes)}`);
    expect(response.status).toBe(414);
  });
});
