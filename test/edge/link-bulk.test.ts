/**
 * The bulk lane in the device's object: a segment reaches the one visitor whose token it brings, once,
 * behind the bytes that came in frames; what breaks is an error of the body, and of that body alone.
 */

import { env } from "cloudflare:workers";
import { beforeEach, describe, expect, it, vi } from "vitest";
import { agentBulkPath } from "../../protocol/agent.ts";
import { limits } from "../../protocol/limits.ts";
import { bulkTokenBytes, frameType, resetCode, u32 } from "../../protocol/link/frames.ts";
import { handle } from "../../workers/app.ts";
import type { Ports } from "../../workers/ports.ts";
import { testPorts } from "../support/ports.ts";
import { newDevice, type ScriptedAgent, sendSegment, type TestDevice } from "./link-device.ts";

let ports: Ports;
let device: TestDevice;
let agent: ScriptedAgent;

beforeEach(async () => {
  ({ ports } = testPorts({ env }));
  device = await newDevice(ports);
  agent = await device.connect();
});

/** A visitor whose response has begun with `begun` in frames, and the token of its next segment. */
async function begun(text: string, length: number | null = null) {
  const asked = device.ask("/film");
  const { stream } = await agent.request();
  agent.head(stream, 200, length === null ? [] : [["content-length", String(length)]]);
  if (text !== "") agent.data(stream, text);
  const response = await asked;
  agent.send({ type: frameType.bulk, stream });
  return { response, stream, token: await nextToken(stream) };
}

async function nextToken(stream: number): Promise<Uint8Array> {
  const frame = await agent.next(frameType.bulk);
  expect(frame.stream).toBe(stream);
  expect(frame.payload.byteLength).toBe(bulkTokenBytes);
  return frame.payload.slice();
}

/** How a visitor sees the end of a response. */
const ended = (response: Response) =>
  response.text().then(
    () => "whole",
    () => "broken",
  );

/** A body whose line breaks after `text`. */
function cut(text: string): ReadableStream<Uint8Array> {
  const pieces = [new TextEncoder().encode(text)];
  return new ReadableStream({
    pull(controller) {
      const piece = pieces.shift();
      if (piece === undefined) controller.error(new Error("the line broke"));
      else controller.enqueue(piece);
    },
  });
}

describe("the bulk lane", () => {
  it("brings segments behind the frames, in order, and frames may follow", async () => {
    const { response, stream, token } = await begun("one ");
    const read = response.text();
    expect((await sendSegment(device, token, 4, "two ")).status).toBe(204);
    const next = await nextToken(stream);
    expect((await sendSegment(device, next, 4, "three ")).status).toBe(204);
    agent.data(stream, "four", true);
    expect(await read).toBe("one two three four");
  });

  it("waits for frames that are on their way", async () => {
    const { response, stream, token } = await begun("one ");
    const read = response.text();
    const sent = sendSegment(device, token, 8, "three");
    agent.data(stream, "two ");
    expect((await sent).status).toBe(204);
    agent.data(stream, "", true);
    expect(await read).toBe("one two three");
  });

  it("takes a token once, and each makes the one before it void", async () => {
    const { response, stream, token } = await begun("");
    agent.send({ type: frameType.bulk, stream });
    const newer = await nextToken(stream);
    expect((await sendSegment(device, token, 0, "evil")).status).toBe(401);
    const read = response.text();
    expect((await sendSegment(device, newer, 0, "good")).status).toBe(204);
    expect((await sendSegment(device, newer, 0, "evil")).status).toBe(401);
    agent.data(stream, "", true);
    expect(await read).toBe("good");
  });

  it("knows no token of another device, of nobody, or of a response that is over", async () => {
    const { response, stream, token } = await begun("");
    const other = await newDevice(ports);
    await other.connect();
    expect((await sendSegment(other, token, 0, "evil")).status).toBe(401);
    expect((await sendSegment(device, new Uint8Array(bulkTokenBytes), 0, "evil")).status).toBe(401);
    expect((await sendSegment(device, token.subarray(1), 0, "evil")).status).toBe(401);
    agent.data(stream, "all", true);
    expect(await response.text()).toBe("all");
    expect((await sendSegment(device, token, 3, "evil")).status).toBe(401);
  });

  it("refuses a segment at a wrong place, and the rest may still come in frames", async () => {
    const { response, stream, token } = await begun("one ");
    const reader = (response.body as ReadableStream<Uint8Array>).getReader();
    expect(new TextDecoder().decode((await reader.read()).value)).toBe("one ");
    expect((await sendSegment(device, token, 3, "evil")).status).toBe(409);
    agent.data(stream, "two", true);
    expect(new TextDecoder().decode((await reader.read()).value)).toBe("two");
    expect((await reader.read()).done).toBe(true);
  });

  it("makes a segment that breaks an error of this body, and of no other", async () => {
    const { response, stream, token } = await begun("one ");
    const beside = device.ask("/beside");
    const { stream: second } = await agent.request();
    const read = ended(response);
    // Whether the runtime tells a cut body from a short one or not: only the device's END ends it well.
    await sendSegment(device, token, 4, cut("two ")).catch(() => undefined);
    agent.send({ type: frameType.reset, stream, payload: [u32(resetCode.internal)] });
    expect(await read).toBe("broken");
    agent.answer(second, 200, [], "fine");
    expect(await (await beside).text()).toBe("fine");
  });

  it("is no short success where the announced length is not reached", async () => {
    const { response, stream, token } = await begun("one ", 12);
    const read = ended(response);
    expect((await sendSegment(device, token, 4, "two ")).status).toBe(204);
    agent.data(stream, "", true);
    expect(await read).toBe("broken");
  });

  it("ends the segment when the visitor leaves, or may not enter any more", async () => {
    for (const end of ["leaves", "revoked"] as const) {
      const { response, stream, token } = await begun("");
      const endless = new ReadableStream<Uint8Array>({
        pull: (controller) => controller.enqueue(new Uint8Array(1000)),
      });
      const sent = sendSegment(device, token, 0, endless).catch(() => null);
      const reader = (response.body as ReadableStream<Uint8Array>).getReader();
      await reader.read();
      await nextToken(stream);
      if (end === "leaves") await reader.cancel();
      else await device.stub.setAccess("owner");
      expect((await agent.next(frameType.reset)).stream).toBe(stream);
      expect((await sent)?.status ?? 409).toBe(409);
      await reader.cancel().catch(() => undefined);
    }
  });

  it("asks the edge for nothing before there is a response, and a token is no bearer of anything else", async () => {
    const asked = device.ask("/film");
    const { stream } = await agent.request();
    agent.send({ type: frameType.bulk, stream });
    agent.answer(stream, 200, [], "small");
    expect(await (await asked).text()).toBe("small");
    expect(agent.count(frameType.bulk)).toBe(0);
  });

  it("counts what nobody looks at: an announced length exactly, else all that it may be", async () => {
    const bytesOut = async () => {
      const hours = (await device.stub.describe())?.traffic?.hours ?? [];
      return hours.reduce((sum, hour) => sum + hour.fromDevice, 0);
    };
    const length = 3_000_000;
    const { response, stream, token } = await begun("one ", length);
    const before = await bytesOut();
    const read = response.text();
    const first = sendSegment(device, token, 4, "x".repeat(1_000_000));
    const next = await nextToken(stream);
    await first;
    expect((await sendSegment(device, next, 4, "y".repeat(length - 1_000_004))).status).toBe(204);
    await nextToken(stream);
    agent.data(stream, "", true);
    expect((await read).length).toBe(length);
    const frames = 2000; // what carries them
    const known = (await bytesOut()) - before;
    expect(known).toBeGreaterThanOrEqual(length - 4);
    expect(known).toBeLessThan(length + frames);
    const live = await begun("one ");
    const heard = live.response.text();
    await sendSegment(device, live.token, 4, "two");
    agent.data(live.stream, "", true);
    expect(await heard).toBe("one two");
    const unknown = (await bytesOut()) - before - known;
    expect(unknown).toBeGreaterThanOrEqual(limits.linkBulkSegmentBytes);
    expect(unknown).toBeLessThan(limits.linkBulkSegmentBytes + frames);
  });

  it("has an address that creates no object for a device that is not there", async () => {
    const get = vi.spyOn(ports.devices, "get");
    const post = (path: string, headers: HeadersInit) =>
      handle(
        new Request(`http://localhost:8787${path}`, { method: "POST", headers, body: "x" }),
        ports,
      );
    const authorization = `Bearer ${"x".repeat(43)}`;
    expect((await post(`${agentBulkPath}${device.id}`, { authorization })).status).toBe(410);
    expect((await post(`${agentBulkPath}dev_x`, { authorization })).status).toBe(410);
    expect((await post(`${agentBulkPath}${device.id}`, {})).status).toBe(401);
    expect(get).not.toHaveBeenCalled();
  });
});
