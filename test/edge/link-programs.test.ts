/**
 * Several programs of one box, each with visitors of its own: whoever goes on with a tunnel finds the
 * program that has it, and an object that slept knows again whose visitor is whose.
 */

import { evictDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { beforeEach, describe, expect, it } from "vitest";
import { frameType } from "../../protocol/link/frames.ts";
import { tunnelAtHeader, tunnelCloseCodes, tunnelStatuses } from "../../protocol/tunnel.ts";
import { testPorts } from "../support/ports.ts";
import { data } from "../support/tunnel-attacks.ts";
import { newDevice, type ScriptedAgent, type TestDevice } from "./link-device.ts";
import { agree, askTunnel, opened, resume, type Tunnel } from "./tunnel-support.ts";

const { DEVICES } = env as unknown as { DEVICES: DurableObjectNamespace };
let device: TestDevice;
/** The older and the newer one. A request goes to the newer while both have as much to do. */
let first: ScriptedAgent;
let second: ScriptedAgent;

const connect = (letter: string, epoch = 1) =>
  device.connect("ssh", { id: letter.repeat(22), epoch });

beforeEach(async () => {
  device = await newDevice(testPorts({ env }).ports, "owner");
  first = await connect("a");
  second = await connect("b");
});

const evict = () => evictDurableObject(DEVICES.getByName(device.id));
const bytesOf = (message: string | ArrayBuffer) => (message as ArrayBuffer).byteLength;

/** The program says that it has no such tunnel. */
async function denies(program: ScriptedAgent): Promise<void> {
  const { stream, head } = await program.request();
  expect(head.headers).toContainEqual([tunnelAtHeader, "5 3"]);
  program.head(stream, tunnelStatuses.gone, [], true);
}

/** A tunnel over each program. */
async function openBoth(): Promise<readonly [Tunnel, Tunnel]> {
  const newer = agree(second, askTunnel(device));
  await second.hello();
  const two = await newer;
  const older = agree(first, askTunnel(device));
  await first.hello();
  return [await older, two];
}

describe("a tunnel that goes on, of a box with several programs,", () => {
  it("is asked for at the others when one says that it has none", async () => {
    const asked = askTunnel(device, { at: "5 3" });
    await second.hello();
    await denies(second);
    await first.hello();
    const { visitor, stream } = await agree(first, asked);
    first.say(stream, data(7));
    expect(bytesOf(await visitor.next())).toBe(19);
  });

  it("is gone when each of them says so, and each is asked once", async () => {
    const asked = askTunnel(device, { at: "5 3" });
    await second.hello();
    await denies(second);
    await first.hello();
    await denies(first);
    expect((await asked).status).toBe(tunnelStatuses.gone);
    expect([first, second].map((program) => program.count(frameType.open))).toEqual([0, 0]);
  });

  it("waits for the program that broke off, and asks those that were asked no second time", async () => {
    const asked = askTunnel(device, { at: "5 3" });
    await second.hello();
    await denies(second);
    await first.hello();
    await first.request();
    first.drop();
    const back = await connect("a", 2);
    await back.hello();
    await agree(back, asked);
    expect(second.count(frameType.open)).toBe(0);
  });

  it("finds its program also when the object slept", async () => {
    const [, { visitor }] = await openBoth();
    await evict();
    visitor.socket.close(4000, "the network changed");
    await resume(second);
    const asked = askTunnel(device, { at: "5 3" });
    await denies(second);
    // The one that is still carried keeps its program: the new session says so first.
    await resume(first);
    expect((await agree(first, asked)).visitor).toBeDefined();
  });
});

describe("an object that slept, of a box with several programs,", () => {
  it("brings each word to its own", async () => {
    const both = await openBoth();
    for (let round = 1; round < 4; round++) {
      await evict();
      for (const [at, program] of [first, second].entries()) {
        const { visitor, stream } = both[at] as Tunnel;
        visitor.socket.send(data(10 * round + at));
        await resume(program);
        const heard = await program.next(frameType.wsMessage);
        expect([heard.stream, heard.payload.byteLength]).toEqual([stream, 12 + 10 * round + at]);
        program.say(stream, data(20 * round + at));
        expect(bytesOf(await visitor.next())).toBe(12 + 20 * round + at);
      }
    }
    expect([first, second].map((program) => program.count(frameType.wsMessage))).toEqual([0, 0]);
  });

  it("ends with a program what that one carried, and nothing else", async () => {
    const [theirs, ours] = await openBoth();
    await evict();
    first.drop();
    expect((await theirs.visitor.closed).code).toBe(tunnelCloseCodes.lost);
    ours.visitor.socket.send(data(4));
    await resume(second);
    expect((await second.next(frameType.wsMessage)).stream).toBe(ours.stream);
    // The visitor comes back before the program does: what is there knows nothing of it.
    const asked = askTunnel(device, { at: "5 3" });
    await denies(second);
    expect((await asked).status).toBe(tunnelStatuses.gone);
    const back = await connect("a", 2);
    const again = askTunnel(device, { at: "5 3" });
    await back.hello();
    const { stream } = await back.request();
    back.head(stream, 101, [["sec-websocket-protocol", "latchkey.tunnel.v1"]]);
    opened(await again).socket.send(data(9));
    expect((await back.next(frameType.wsMessage)).payload.byteLength).toBe(21);
  });

  it("counts anew what each carries: the next goes to the one with less", async () => {
    await openBoth();
    const third = agree(second, askTunnel(device));
    await third;
    await evict();
    const asked = askTunnel(device);
    await resume(first);
    expect((await agree(first, asked)).visitor).toBeDefined();
    expect(second.count(frameType.open)).toBe(0);
  });
});
