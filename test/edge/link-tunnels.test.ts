/**
 * Tunnels through the device's object: through its sleep, under the credits of both ends whatever they
 * do, and to the end of a right.
 */

import { evictDurableObject, runDurableObjectAlarm, runInDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { beforeEach, describe, expect, it } from "vitest";
import { attachmentMap } from "../../db/data-map/device.ts";
import type { Closure } from "../../durable-objects/device/rpc.ts";
import { closeCodes } from "../../protocol/agent.ts";
import { limits } from "../../protocol/limits.ts";
import { frameType, messageFlag, resetCode, u32 } from "../../protocol/link/frames.ts";
import {
  tunnelAtHeader,
  tunnelCloseCodes,
  tunnelIdHeader,
  tunnelSubprotocol,
} from "../../protocol/tunnel.ts";
import type { Ports } from "../../workers/ports.ts";
import { testPorts } from "../support/ports.ts";
import { credit, data, PIECE, tunnelAttacks } from "../support/tunnel-attacks.ts";
import {
  codeOf,
  guest,
  newDevice,
  type ScriptedAgent,
  stranger,
  type TestDevice,
} from "./link-device.ts";
import { type Asking, agree, askTunnel, resume } from "./tunnel-support.ts";

const { DEVICES } = env as unknown as { DEVICES: DurableObjectNamespace };
const WINDOW = limits.tunnelWindowBytes;
let ports: Ports;
let device: TestDevice;
let agent: ScriptedAgent;

beforeEach(async () => {
  ({ ports } = testPorts({ env }));
  device = await newDevice(ports, "owner");
  agent = await device.connect("ssh,web2");
});

const ask = (asking?: Asking) => askTunnel(device, asking);
/** A visitor opens a tunnel, and the device agrees. */
const knock = (asking?: Asking) => agree(agent, ask(asking));

/** The first of its session. */
async function open(asking: Asking = {}) {
  const opening = knock(asking);
  await agent.hello();
  return await opening;
}

const evict = () => evictDurableObject(DEVICES.getByName(device.id));

const bytesOf = (message: string | ArrayBuffer) => (message as ArrayBuffer).byteLength;

describe("a tunnel", () => {
  it("is asked for with its service, its name and nothing else of the visitor", async () => {
    const id = "a".repeat(32);
    const asked = ask({ id, at: "17 4" });
    await agent.hello();
    const { stream, head, end } = await agent.request();
    expect([head, end]).toEqual([
      {
        service: "ssh",
        method: "GET",
        path: "/",
        upgrade: "websocket",
        headers: [
          ["sec-websocket-protocol", tunnelSubprotocol],
          [tunnelIdHeader, id],
          [tunnelAtHeader, "17 4"],
        ],
      },
      true,
    ]);
    agent.head(stream, 410, [], true);
    expect((await asked).status).toBe(410);
  });

  it.each([
    ["no name", { id: "" }],
    ["a name that is too short", { id: "abc" }],
    ["a position that is none", { at: "-1 x" }],
    ["a token that ended", { until: 1 }],
    ["the page as its service", { service: "web" }],
  ])("is not opened with %s", async (_name, asking) => {
    expect((await ask(asking)).status).toBe(400);
  });

  it("[CON-8] leaves nothing with its socket but what the data map says", async () => {
    await open();
    const kept = await runInDurableObject(DEVICES.getByName(device.id), (_object, state) =>
      state.getWebSockets("visitor").map((socket) => socket.deserializeAttachment()),
    );
    expect(kept.map((one) => Object.keys(one as object).sort())).toEqual([
      [...attachmentMap.visitor.fields].sort(),
    ]);
  });

  it("goes only over a connection that offers its service", async () => {
    expect((await ask({ service: "smb" })).status).toBe(404);
    const other = await device.connect("smb");
    const asked = ask({ service: "smb" });
    await other.hello();
    const { stream, head } = await other.request();
    expect(head.service).toBe("smb");
    other.head(stream, 404, [], true);
    expect((await asked).status).toBe(404);
  });

  it("is one of so many of an account, and of a device", async () => {
    await open();
    for (let count = 1; count < limits.tunnelsPerVisitor; count++) await knock();
    expect((await ask()).status).toBe(503);
  });
});

describe("a tunnel while the object sleeps", () => {
  it("goes on with the visitor's next word, and with the device's", async () => {
    const { visitor, stream } = await open();
    for (let round = 1; round < 4; round++) {
      await evict();
      visitor.socket.send(data(round));
      await resume(agent);
      expect((await agent.next(frameType.wsMessage)).payload.byteLength).toBe(12 + round);
      await evict();
      agent.say(stream, data(10 * round));
      expect(bytesOf(await visitor.next())).toBe(12 + 10 * round);
      await resume(agent);
    }
  });

  it("lets a window pass that began before, and its credit after", async () => {
    const { visitor, stream } = await open();
    for (let sent = 0; sent < WINDOW - PIECE; sent += PIECE) {
      agent.say(stream, data(PIECE));
      await visitor.next();
    }
    await evict();
    visitor.socket.send(credit(WINDOW / 2));
    await resume(agent);
    await agent.next(frameType.wsMessage);
    agent.say(stream, data(PIECE));
    expect(bytesOf(await visitor.next())).toBe(12 + PIECE);
  });

  it.each([false, true])(
    "[RGT-14] ends with its visitor's right, and the device is told (asleep: %s)",
    async (asleep) => {
      await device.stub.setRule("ssh", "/", "listed");
      const rule = (await device.stub.describe())?.access.rules[0]?.id ?? "";
      await device.stub.allow(guest, rule);
      const mine = await open();
      const theirs = await knock({ account: guest });
      if (asleep) await evict();
      await device.stub.disallow(guest, rule);
      expect((await theirs.visitor.closed).code).toBe(tunnelCloseCodes.revoked);
      if (asleep) await agent.hello();
      const reset = await agent.next(frameType.reset);
      expect([reset.stream, codeOf(reset)]).toEqual([theirs.stream, resetCode.refused]);
      for (let left = asleep ? 2 : 0; left > 0; left--) {
        const { stream } = await agent.next(frameType.resume);
        agent.send({ type: frameType.resume, stream, payload: [u32(1000)] });
      }
      mine.visitor.socket.send(data(3));
      expect((await agent.next(frameType.wsMessage)).stream).toBe(mine.stream);
    },
  );

  it("[RGT-14] ends with its token: by a word, and by its time", async () => {
    const first = await open({ token: "pat_first" });
    const second = await knock({ token: "pat_second", until: Date.now() + 60_000 });
    await evict();
    await device.stub.endToken("pat_first");
    expect((await first.visitor.closed).code).toBe(tunnelCloseCodes.revoked);
    const stub = DEVICES.getByName(device.id);
    await runInDurableObject(stub, (_object, state) => {
      for (const socket of state.getWebSockets("visitor")) {
        const kept = socket.deserializeAttachment();
        const visitor = kept.visitor.replace(/\d{13}/, "1000000000000");
        socket.serializeAttachment({ ...kept, visitor });
      }
    });
    await evict();
    expect(await runDurableObjectAlarm(stub)).toBe(true);
    expect((await second.visitor.closed).code).toBe(tunnelCloseCodes.revoked);
  });

  it("ends when Link is switched off", async () => {
    const { visitor } = await open();
    await evict();
    await device.stub.setFeature("link", false);
    expect((await visitor.closed).code).toBe(tunnelCloseCodes.revoked);
  });

  it("is lost with the device's connection, so that it comes again", async () => {
    const { visitor } = await open();
    await evict();
    agent.drop();
    expect((await visitor.closed).code).toBe(tunnelCloseCodes.lost);
  });

  it.each([false, true])(
    "is told when the device went without a word (asleep: %s)",
    async (asleep) => {
      const { visitor } = await open();
      if (asleep) await evict();
      await runInDurableObject(DEVICES.getByName(device.id), async (object, state) => {
        const [socket] = state.getWebSockets("agent");
        // As the platform says it of a connection that broke off.
        if (socket !== undefined) await object.webSocketError?.(socket, new Error("gone"));
      });
      expect((await visitor.closed).code).toBe(tunnelCloseCodes.vanished);
    },
  );
});

describe("the tunnels of a door that the operator closes", () => {
  const words = "It copies the page of a bank.";
  const closure = (extent: Closure["extent"]): Closure => ({
    ...{ reason: "phishing", words, at: 7 },
    extent,
  });

  /** One of each who may: the owner, somebody listed, a contact. */
  async function everybody() {
    await device.stub.setRule("ssh", "/", "listed");
    const rule = (await device.stub.describe())?.access.rules[0]?.id ?? "";
    await device.stub.allow(guest, rule);
    await device.stub.setRule("web2", "/", "contacts");
    const asContact = { account: stranger, contact: true, service: "web2" };
    return {
      mine: await open(),
      listed: await knock({ account: guest }),
      contact: await knock(asContact),
      asContact,
    };
  }

  it.each([false, true])(
    "end for all but the owner, and the device is told (asleep: %s)",
    async (asleep) => {
      const { mine, listed, contact, asContact } = await everybody();
      await device.stub.close(closure("open"));
      for (const { visitor, stream } of [mine, listed, contact]) {
        visitor.socket.send(data(3));
        expect((await agent.next(frameType.wsMessage)).stream).toBe(stream);
      }
      if (asleep) await evict();
      await device.stub.close(closure("all"));
      for (const { visitor } of [listed, contact]) {
        expect((await visitor.closed).code).toBe(tunnelCloseCodes.revoked);
      }
      if (asleep) await agent.hello();
      const told = [await agent.next(frameType.reset), await agent.next(frameType.reset)];
      expect(told.map((reset) => [reset.stream, codeOf(reset)])).toEqual([
        [listed.stream, resetCode.refused],
        [contact.stream, resetCode.refused],
      ]);
      if (asleep) {
        for (let left = 3; left > 0; left--) {
          const { stream } = await agent.next(frameType.resume);
          agent.send({ type: frameType.resume, stream, payload: [u32(1000)] });
        }
      }
      mine.visitor.socket.send(data(5));
      expect((await agent.next(frameType.wsMessage)).stream).toBe(mine.stream);
      for (const asking of [{ account: guest }, { account: guest, at: "5 3" }, asContact]) {
        expect((await ask(asking)).status).toBe(403);
      }
      await device.stub.close(null);
      expect((await knock({ account: guest, at: "5 3" })).visitor).toBeDefined();
    },
  );

  it("end also while the device has not said yes", async () => {
    const { mine } = await everybody();
    const asked = ask({ account: guest });
    const { stream } = await agent.request();
    await device.stub.close(closure("all"));
    expect((await asked).status).toBe(403);
    const told = [];
    for (let count = 0; count < 3; count++) told.push((await agent.next(frameType.reset)).stream);
    expect(told).toContain(stream);
    mine.visitor.socket.send(data(5));
    expect((await agent.next(frameType.wsMessage)).stream).toBe(mine.stream);
  });
});

describe("who may open a tunnel", () => {
  it("is the owner, until a rule says otherwise", async () => {
    expect((await ask({ account: stranger })).status).toBe(403);
    await device.stub.setAccess("everyone");
    expect((await ask({ account: stranger })).status).toBe(403);
    await device.stub.setRule("ssh", "/", "everyone");
    expect((await ask({ account: stranger })).status).toBe(403);
  });

  it("[RGT-14] is a contact where the rule says so, while they are one", async () => {
    await device.stub.setRule("ssh", "/", "contacts");
    expect((await ask({ account: guest })).status).toBe(403);
    expect(await device.stub.tunnelOffer(guest)).toBeNull();
    expect((await device.stub.tunnelOffer(guest, true))?.services).toEqual(["ssh"]);
    const theirs = await open({ account: guest, contact: true });
    const mine = await knock();
    expect((await ask({ account: guest, contact: true, service: "web2" })).status).toBe(403);
    await device.stub.endContact(guest);
    expect((await theirs.visitor.closed).code).toBe(tunnelCloseCodes.revoked);
    mine.visitor.socket.send(data(3));
    expect((await agent.next(frameType.wsMessage)).stream).toBe(mine.stream);
  });

  it("stays, whoever signs out and whatever changes at the page", async () => {
    await device.stub.setRule("ssh", "/", "listed");
    const rule = (await device.stub.describe())?.access.rules[0]?.id ?? "";
    await device.stub.allow(guest, rule);
    const { visitor, stream } = await open({ account: guest });
    await device.stub.setRule("web", "/photos", "everyone");
    await device.stub.setAccess("contacts");
    visitor.socket.send(data(3));
    expect((await agent.next(frameType.wsMessage)).stream).toBe(stream);
  });
});

describe("a hostile end of a tunnel", () => {
  it.each(tunnelAttacks)(
    "is the visitor who says %s: closed, and no other harmed",
    async (_name, act) => {
      const { visitor, stream } = await open();
      const other = await knock();
      act((message) => visitor.socket.send(message));
      const { code, reason } = await visitor.closed;
      expect([code, reason]).toEqual([
        tunnelCloseCodes.protocolError,
        expect.stringMatching(/^visitor: /),
      ]);
      expect((await agent.next(frameType.reset)).stream).toBe(stream);
      agent.say(other.stream, data(5));
      expect(bytesOf(await other.visitor.next())).toBe(17);
    },
  );

  it.each(tunnelAttacks)(
    "is the device that says %s: closed, and no other harmed",
    async (_name, act) => {
      const { visitor, stream } = await open();
      const other = await knock();
      act((message) => agent.say(stream, message));
      const { code, reason } = await visitor.closed;
      expect([code, reason]).toEqual([
        tunnelCloseCodes.protocolError,
        expect.stringMatching(/^device: /),
      ]);
      agent.say(other.stream, data(5));
      expect(bytesOf(await other.visitor.next())).toBe(17);
    },
  );

  it("is the device that says a message of megabytes in pieces", async () => {
    const { visitor, stream } = await open();
    const { more, continues } = messageFlag;
    const piece = new Uint8Array(limits.linkFrameBytes);
    agent.send({ type: frameType.wsMessage, stream, flags: more, payload: [piece] });
    agent.send({ type: frameType.wsMessage, stream, flags: more | continues, payload: [piece] });
    expect((await visitor.closed).code).toBe(closeCodes.protocolError);
  });

  it("is the visitor who says a message of megabytes", async () => {
    const { visitor } = await open();
    visitor.socket.send(new Uint8Array(limits.linkFrameBytes + 1));
    expect((await visitor.closed).code).toBe(tunnelCloseCodes.protocolError);
  });

  it("is the device that takes nothing: two windows wait at most", async () => {
    const { visitor, stream } = await open();
    const other = await knock();
    // The device gives the visitor credits without end, and the relay none.
    for (let given = 0; given < 4; given++) {
      agent.say(stream, credit(WINDOW / 2));
      await visitor.next();
      const most = given === 0 ? 1.4 * WINDOW : WINDOW / 2;
      for (let sent = 0; sent < most; sent += PIECE) visitor.socket.send(data(PIECE));
      await agent.next(frameType.wsMessage);
    }
    const { code, reason } = await visitor.closed;
    expect([code, reason]).toEqual([tunnelCloseCodes.protocolError, "the device does not keep up"]);
    agent.say(other.stream, data(5));
    expect(bytesOf(await other.visitor.next())).toBe(17);
  });
});
