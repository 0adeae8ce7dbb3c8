/** WebSockets through the device's object: both ways, through its sleep, to every kind of end. */

import { evictDurableObject, runDurableObjectAlarm, runInDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { beforeEach, describe, expect, it, vi } from "vitest";
import { attachmentMap } from "../../db/data-map/device.ts";
import { limits } from "../../protocol/limits.ts";
import { frameType, messageFlag, readClose, resetCode, u32 } from "../../protocol/link/frames.ts";
import type { HeaderList } from "../../protocol/link/headers.ts";
import type { Ports } from "../../workers/ports.ts";
import { testPorts } from "../support/ports.ts";
import {
  closeCodes,
  codeOf,
  guest,
  newDevice,
  type ScriptedAgent,
  type TestDevice,
} from "./link-device.ts";
import { VisitorSocket } from "./visitor-socket.ts";

const { DEVICES } = env as unknown as { DEVICES: DurableObjectNamespace };
let ports: Ports;
let device: TestDevice;
let agent: ScriptedAgent;

beforeEach(async () => {
  ({ ports } = testPorts({ env }));
  device = await newDevice(ports);
  agent = await device.connect();
});

/** A visitor knocks; the device has the last word. */
async function knock(
  headers: Record<string, string> = {},
  answer: HeaderList = [],
): Promise<{ visitor: VisitorSocket; stream: number; response: Response }> {
  const asked = device.ask("/ws", { headers: { upgrade: "websocket", ...headers } });
  const { stream } = await agent.request();
  agent.head(stream, 101, answer);
  const response = await asked;
  const { webSocket } = response as unknown as { webSocket: WebSocket | null };
  if (webSocket === null) throw new Error(`no WebSocket but ${response.status}`);
  return { visitor: new VisitorSocket(webSocket), stream, response };
}

/** Opens one, the first of its session. */
async function open(...given: Parameters<typeof knock>) {
  const opened = knock(...given);
  await agent.hello();
  return await opened;
}

const evict = () => evictDurableObject(DEVICES.getByName(device.id));
const bytesOf = (data: string | ArrayBuffer) => [...new Uint8Array(data as ArrayBuffer)];

/** What the agent does when the object begins a new session. */
async function resumeAll(streams: readonly number[]): Promise<void> {
  await agent.hello();
  for (const _ of streams) {
    const { stream } = await agent.next(frameType.resume);
    agent.send({ type: frameType.resume, stream, payload: [u32(limits.linkStreamWindowBytes)] });
  }
}

describe("a WebSocket through Link", () => {
  it("is asked for with the subprotocols and nothing else of the visitor's handshake", async () => {
    const asked = device.ask("/ws?a=b", {
      headers: {
        upgrade: "WebSocket",
        connection: "upgrade",
        "sec-websocket-protocol": "chat, other",
        "sec-websocket-key": "dGhlIHNhbXBsZSBub25jZQ==",
        "sec-websocket-version": "13",
        "sec-websocket-extensions": "permessage-deflate",
        cookie: "own=1; __Host-door=x",
      },
    });
    await agent.hello();
    const { stream, head, end } = await agent.request();
    expect([head.upgrade, head.method, head.path, end]).toEqual([
      "websocket",
      "GET",
      "/ws?a=b",
      true,
    ]);
    expect(Object.fromEntries(head.headers)).toMatchObject({
      "sec-websocket-protocol": "chat, other",
      cookie: "own=1",
    });
    expect(JSON.stringify(head.headers)).not.toMatch(
      /websocket-(key|version|extensions)|"upgrade"/,
    );
    agent.head(stream, 101, [
      ["sec-websocket-protocol", "other"],
      ["sec-websocket-extensions", "permessage-deflate"],
      ["set-cookie", "seen=1; Domain=link.localhost"],
      ["x-latchkey-door", "entered"],
    ]);
    const response = await asked;
    expect(response.status).toBe(101);
    expect(response.headers.get("sec-websocket-protocol")).toBe("other");
    expect(response.headers.getSetCookie()).toEqual(["seen=1"]);
    expect(response.headers.has("x-latchkey-door")).toBe(false);
  });

  it("carries text and binary, whole, in order, both ways", async () => {
    const { visitor, stream } = await open();
    visitor.socket.send("häl");
    visitor.socket.send(Uint8Array.of(1, 2, 3));
    visitor.socket.send("");
    const [text, binary, empty] = [
      await agent.next(frameType.wsMessage),
      await agent.next(frameType.wsMessage),
      await agent.next(frameType.wsMessage),
    ];
    expect([text.flags, new TextDecoder().decode(text.payload)]).toEqual([messageFlag.text, "häl"]);
    expect([binary.flags, [...binary.payload]]).toEqual([0, [1, 2, 3]]);
    expect([empty.flags, empty.payload.byteLength]).toEqual([messageFlag.text, 0]);
    agent.say(stream, "");
    agent.say(stream, "grüß");
    agent.say(stream, Uint8Array.of(9));
    expect(await visitor.next()).toBe("");
    expect(await visitor.next()).toBe("grüß");
    expect(bytesOf(await visitor.next())).toEqual([9]);
  });

  it("puts a message that comes in pieces together, between which others speak", async () => {
    const first = await open();
    const second = await knock();
    const { text, more, continues } = messageFlag;
    const half = (flags: number, payload: Uint8Array) =>
      agent.send({ type: frameType.wsMessage, stream: first.stream, flags, payload: [payload] });
    const word = new TextEncoder().encode("größer");
    half(text | more, word.subarray(0, 3)); // in the middle of a character
    agent.say(second.stream, "between");
    half(text | more | continues, new Uint8Array(0));
    half(text | continues, word.subarray(3));
    expect(await second.visitor.next()).toBe("between");
    expect(await first.visitor.next()).toBe("größer");
  });

  it("[CON-8] leaves nothing with the visitor's socket but what the data map says", async () => {
    await open({ cookie: "secret=1" });
    const kept = await runInDurableObject(DEVICES.getByName(device.id), (_object, state) =>
      state.getWebSockets("visitor").map((socket) => socket.deserializeAttachment()),
    );
    expect(kept.map((one) => Object.keys(one as object).sort())).toEqual([
      [...attachmentMap.visitor.fields].sort(),
    ]);
    const values = Object.values(kept[0] as object).filter((value) => value !== null);
    expect(values.every((value) => typeof value !== "object")).toBe(true);
  });

  it("takes what the device says with its 101", async () => {
    const asked = device.ask("/ws", { headers: { upgrade: "websocket" } });
    await agent.hello();
    const { stream } = await agent.request();
    agent.head(stream, 101);
    agent.say(stream, "at once");
    agent.closeVisitor(stream, 4000, "and gone");
    const { webSocket } = (await asked) as unknown as { webSocket: WebSocket };
    const visitor = new VisitorSocket(webSocket);
    expect(await visitor.next()).toBe("at once");
    expect(await visitor.closed).toEqual({ code: 4000, reason: "and gone" });
  });

  it("does not answer a visitor's ping in the device's place", async () => {
    const { visitor } = await open();
    visitor.socket.send("ping");
    expect(await agent.heard()).toBe("ping");
  });

  it.each([
    [1000, ""],
    [1001, "away"],
    [3000, "käse"],
    [4999, "x".repeat(123)],
  ])("is closed by the visitor with %i", async (code, reason) => {
    const { visitor, stream } = await open();
    visitor.socket.send("last");
    visitor.socket.close(code, reason);
    expect(await agent.heard()).toBe("last");
    const close = await agent.next(frameType.wsClose);
    expect([close.stream, readClose(close.payload)]).toEqual([stream, { code, reason }]);
    expect(await visitor.closed).toEqual({ code, reason });
  });

  it.each([
    [1000, ""],
    [1001, "away"],
    [1012, "back soon"],
    [1014, "bad gateway"],
    [3000, "käse"],
    [4999, "x".repeat(123)],
  ])("is closed by the device with %i", async (code, reason) => {
    const { visitor, stream } = await open();
    agent.say(stream, "last");
    agent.closeVisitor(stream, code, reason);
    expect(await visitor.next()).toBe("last");
    expect(await visitor.closed).toEqual({ code, reason });
  });

  it("is closed without a code by either", async () => {
    const first = await open();
    agent.closeVisitor(first.stream, null);
    expect((await first.visitor.closed).code).toBe(1005);
    const second = await knock();
    second.visitor.socket.close();
    expect(readClose((await agent.next(frameType.wsClose)).payload)).toEqual({
      code: null,
      reason: "",
    });
  });

  it("passes an answer that is no WebSocket on as it is", async () => {
    const asked = device.ask("/ws", { headers: { upgrade: "websocket" } });
    await agent.hello();
    const { stream } = await agent.request();
    agent.answer(stream, 418, [["x-own", "1"]], "no tea");
    const response = await asked;
    expect([response.status, response.headers.get("x-own"), await response.text()]).toEqual([
      418,
      "1",
      "no tea",
    ]);
  });

  it("says so when the device's agent cannot", async () => {
    const asked = device.ask("/ws", { headers: { upgrade: "websocket" } });
    const { stream } = await agent.request();
    agent.answer(stream, 200, [], "a page");
    const response = await asked;
    expect([response.status, await response.json()]).toMatchObject([
      501,
      { code: "upgrade-unsupported" },
    ]);
  });

  it.each([
    ["POST", { method: "POST", body: "x" }, {}],
    ["a subprotocol named twice", {}, { "sec-websocket-protocol": "a, a" }],
    ["a subprotocol that is none", {}, { "sec-websocket-protocol": "a b" }],
  ])("is not asked for with %s", async (_name, init, headers) => {
    const response = await device.ask("/", {
      ...init,
      headers: { upgrade: "websocket", ...headers },
    });
    expect([response.status, await response.json()]).toMatchObject([400, { code: "bad-request" }]);
  });
});

describe("a WebSocket while the object sleeps", () => {
  it("goes on with the visitor's next word", async () => {
    const { visitor, stream } = await open();
    visitor.socket.send("before");
    expect(await agent.heard()).toBe("before");
    await evict();
    visitor.socket.send("after");
    await resumeAll([stream]);
    expect(await agent.heard()).toBe("after");
    agent.say(stream, "echo");
    expect(await visitor.next()).toBe("echo");
  });

  it("goes on with the device's next word, which is not lost", async () => {
    const { visitor, stream } = await open();
    await evict();
    agent.say(stream, "one");
    agent.say(stream, "two");
    expect([await visitor.next(), await visitor.next()]).toEqual(["one", "two"]);
    await resumeAll([stream]);
    visitor.socket.send("three");
    expect(await agent.heard()).toBe("three");
  });

  it("goes on again and again, several at once, with full windows each time", async () => {
    const opened = [await open(), await knock(), await knock()];
    for (let round = 0; round < 3; round++) {
      await evict();
      opened[round]?.visitor.socket.send(`${round}`);
      await resumeAll(opened.map(({ stream }) => stream));
      expect(await agent.heard()).toBe(`${round}`);
      for (const { visitor, stream } of opened) {
        const large = new Uint8Array(limits.linkStreamWindowBytes / 2);
        for (let at = 0; at < large.byteLength; at += limits.linkFrameBytes) {
          agent.say(stream, large.subarray(at, at + limits.linkFrameBytes));
        }
        for (let at = 0; at < large.byteLength; at += limits.linkFrameBytes) await visitor.next();
      }
    }
  });

  it("ends with the code that the visitor gave, though the object slept", async () => {
    const { visitor, stream } = await open();
    await evict();
    visitor.socket.close(4321, "good night");
    await resumeAll([stream]);
    expect(readClose((await agent.next(frameType.wsClose)).payload)).toEqual({
      code: 4321,
      reason: "good night",
    });
    expect((await visitor.closed).code).toBe(4321);
  });

  it("ends with the code that the device gave", async () => {
    const { visitor, stream } = await open();
    await evict();
    agent.closeVisitor(stream, 4000, "done");
    expect(await visitor.closed).toEqual({ code: 4000, reason: "done" });
  });

  it("ends where the device has forgotten it", async () => {
    const { visitor, stream } = await open();
    await evict();
    visitor.socket.send("hello?");
    await agent.hello();
    await agent.next(frameType.resume);
    agent.send({ type: frameType.reset, stream, payload: [u32(resetCode.cancel)] });
    expect((await visitor.closed).code).toBe(1014);
  });

  it("ends rather than pass on a message of which a part was lost", async () => {
    const { visitor, stream } = await open();
    await evict();
    const flags = messageFlag.continues;
    agent.send({ type: frameType.wsMessage, stream, flags, payload: [Uint8Array.of(1)] });
    expect((await visitor.closed).code).toBe(1012);
    expect((await agent.next(frameType.reset)).stream).toBe(stream);
  });

  it("ends when the device drops", async () => {
    const { visitor } = await open();
    await evict();
    agent.drop();
    expect((await visitor.closed).code).toBe(1012);
  });

  it("is looked after by a wake-up, should the device have gone without a word", async () => {
    const { visitor } = await open();
    const stub = DEVICES.getByName(device.id);
    await runInDurableObject(stub, (_object, state) => {
      for (const socket of state.getWebSockets("agent")) {
        const attachment = socket.deserializeAttachment();
        socket.serializeAttachment({ ...attachment, since: Date.now() - limits.agentStaleMs - 1 });
      }
    });
    await evict();
    expect(await runDurableObjectAlarm(stub)).toBe(true);
    expect((await visitor.closed).code).toBe(1012);
  });
});

describe("a WebSocket whose visitor loses the right", () => {
  it.each([false, true])(
    "[RGT-14] is closed at once, and the device told (asleep: %s)",
    async (asleep) => {
      const { visitor, stream } = await open();
      if (asleep) await evict();
      await device.stub.setAccess("owner");
      expect((await visitor.closed).code).toBe(1008);
      if (asleep) {
        // A new session that does not name it: the agent ends what it has.
        await agent.hello();
        expect(agent.count(frameType.resume)).toBe(0);
      } else {
        const reset = await agent.next(frameType.reset);
        expect([reset.stream, codeOf(reset)]).toEqual([stream, resetCode.cancel]);
      }
    },
  );

  it("is closed when Link is switched off, or the device unregistered", async () => {
    const first = await open();
    await device.stub.setFeature("link", false);
    expect((await first.visitor.closed).code).toBe(1001);
    await device.stub.setFeature("link", true);
    const second = await knock();
    await evict();
    await device.stub.unregister();
    expect((await second.visitor.closed).code).toBe(1001);
  });
});

describe("a device that drops", () => {
  it("closes its visitors' WebSockets with 1012, so that they come again", async () => {
    const { visitor } = await open();
    agent.drop();
    expect((await visitor.closed).code).toBe(1012);
  });

  it("does so too when it connects anew", async () => {
    const { visitor } = await open();
    const back = await device.connect();
    expect((await visitor.closed).code).toBe(1012);
    agent = back;
    const again = await open();
    again.visitor.socket.send("again");
    expect(await agent.heard()).toBe("again");
  });
});

describe("a hostile device", () => {
  const hostile: [string, (stream: number) => void][] = [
    ["data on a WebSocket", (stream) => agent.data(stream, "x")],
    ["a second 101", (stream) => agent.head(stream, 101)],
    [
      "text that is no UTF-8",
      (stream) =>
        agent.send({
          type: frameType.wsMessage,
          stream,
          flags: messageFlag.text,
          payload: [Uint8Array.of(0xc3, 0x28)],
        }),
    ],
    [
      "a close code that is never said",
      (stream) =>
        agent.send({ type: frameType.wsClose, stream, payload: [Uint8Array.of(0x03, 0xed)] }),
    ],
    [
      "more than its window",
      (stream) => {
        const flags = messageFlag.more;
        for (let at = 0; at < 200; at++) {
          const payload = [new Uint8Array(limits.linkFrameBytes)];
          agent.send({
            type: frameType.wsMessage,
            stream,
            flags: at === 0 ? flags : flags | messageFlag.continues,
            payload,
          });
        }
      },
    ],
  ];

  it.each(hostile)("is cut off for %s; its visitors are told", async (_name, act) => {
    const { visitor, stream } = await open();
    act(stream);
    expect((await agent.closed).code).toBe(closeCodes.protocolError);
    expect((await visitor.closed).code).toBe(1012);
  });

  it("cannot choose a subprotocol that nobody offered", async () => {
    const asked = device.ask("/ws", {
      headers: { upgrade: "websocket", "sec-websocket-protocol": "a" },
    });
    await agent.hello();
    const { stream } = await agent.request();
    agent.head(stream, 101, [["sec-websocket-protocol", "b"]]);
    expect((await asked).status).toBe(502);
    expect((await agent.closed).code).toBe(closeCodes.protocolError);
  });
});

describe("a hostile visitor", () => {
  it("is closed for a message that is too long, and harms no other", async () => {
    const first = await open();
    const second = await knock();
    first.visitor.socket.send(new Uint8Array(limits.linkSocketMessageBytes + 1));
    expect((await first.visitor.closed).code).toBe(1009);
    expect((await agent.next(frameType.reset)).stream).toBe(first.stream);
    second.visitor.socket.send("still here");
    expect(await agent.heard()).toBe("still here");
  });

  it("is closed for sending more than the device takes", async () => {
    const first = await open();
    const second = await knock();
    const large = new Uint8Array(limits.linkSocketMessageBytes);
    for (let sent = 0; sent <= limits.linkSocketQueueBytes; sent += large.byteLength) {
      first.visitor.socket.send(large);
    }
    expect((await first.visitor.closed).code).toBe(1013);
    second.visitor.socket.send("still here");
    await vi.waitFor(async () => {
      expect(await agent.heard()).toBe("still here");
    });
  });

  it.each([
    ["another door", "http://b.link.localhost:8787", 403],
    ["another site, which an open door is for", "https://a.example", 101],
    ["its own page", null, 101],
  ])("who comes by a page of %s gets what a change would get", async (_name, origin, status) => {
    const own = `http://${device.label}.link.localhost:8787`;
    if (status === 101) {
      await open({ origin: origin ?? own });
      return;
    }
    const response = await device.ask("/ws", {
      headers: { upgrade: "websocket", origin: origin ?? own },
    });
    expect(response.status).toBe(status);
  });

  it("gets no WebSocket at a private door without a visit", async () => {
    await device.stub.setAccess("listed");
    await device.stub.allow(guest);
    const response = await device.ask("/ws", { headers: { upgrade: "websocket" } });
    expect(response.status).toBe(401);
  });
});
