/**
 * The bulk lane of uploads in the device's object: the rest of one request goes to the one device whose
 * token is shown, once, behind the bytes that went in frames. What breaks is a broken request at both
 * ends, and no other's.
 */

import { env } from "cloudflare:workers";
import { beforeEach, describe, expect, it, vi } from "vitest";
import { bodySource } from "../../durable-objects/device/link/body.ts";
import { Upload } from "../../durable-objects/device/link/upload.ts";
import { wayHeader } from "../../durable-objects/device/rpc.ts";
import { agentBulkPath, bulkOffsetHeader } from "../../protocol/agent.ts";
import { limits } from "../../protocol/limits.ts";
import {
  bulkTokenBytes,
  capability,
  frameHeaderBytes,
  frameType,
  helloPayload,
  readU32,
  readU64,
  resetCode,
  u32,
} from "../../protocol/link/frames.ts";
import type { LinkStream } from "../../protocol/link/stream.ts";
import { base64url } from "../../protocol/tokens.ts";
import type { Ports } from "../../workers/ports.ts";
import { testPorts } from "../support/ports.ts";
import { newDevice, type ScriptedAgent, type TestDevice } from "./link-device.ts";

const MIB = 1 << 20;
let ports: Ports;
let device: TestDevice;
let agent: ScriptedAgent;

beforeEach(async () => {
  ({ ports } = testPorts({ env }));
  device = await newDevice(ports);
  agent = await device.connect();
});

/** A byte that tells its place, so that lost, doubled and moved bytes show. */
const at = (place: number) => (place * 31 + (place >> 8)) & 0xff;

/** A body of `count` bytes that comes as it is read; `breaksAt`: where the visitor leaves. */
function bodyOf(count: number, breaksAt = Number.POSITIVE_INFINITY): ReadableStream<Uint8Array> {
  let sent = 0;
  return new ReadableStream({
    pull(controller) {
      if (sent >= breaksAt) return controller.error(new Error("the visitor left"));
      const size = Math.min(65_536, count - sent, breaksAt - sent);
      const from = sent;
      controller.enqueue(Uint8Array.from({ length: size }, (_, index) => at(from + index)));
      sent += size;
      if (sent === count) controller.close();
    },
  });
}

const greeted = new WeakSet<ScriptedAgent>();

/** A visitor sends `count` bytes; the device takes frames until the rest is offered. */
async function offered(
  count: number,
  { known = true, breaksAt }: { known?: boolean; breaksAt?: number } = {},
) {
  const headers: HeadersInit = known ? { "content-length": String(count) } : {};
  const init = { method: "PUT", headers, body: bodyOf(count, breaksAt), duplex: "half" };
  const answer = device.ask("/sink", init as RequestInit);
  if (!greeted.has(agent)) await agent.hello();
  greeted.add(agent);
  const { stream } = await agent.request();
  const got: number[] = [];
  while (got.length < limits.linkBulkAfterBytes) await frame(stream, got);
  const { payload } = await agent.next(frameType.upload);
  expect(payload.byteLength).toBe(bulkTokenBytes);
  return { answer, stream, got, token: payload.slice() };
}

/** Takes one frame of the body and gives its credit back. @returns whether it was the last */
async function frame(stream: number, got: number[]): Promise<boolean> {
  const { payload, end } = await agent.next(frameType.data);
  for (const byte of payload) got.push(byte);
  const bytes = u32(payload.byteLength);
  if (payload.byteLength > 0) {
    agent.send(
      { type: frameType.credit, stream, payload: [bytes] },
      { type: frameType.credit, stream: 0, payload: [bytes] },
    );
  }
  return end;
}

/** What the device asks for the rest with, as the edge passes it on. */
function fetchRest(from: TestDevice, token: Uint8Array, signal?: AbortSignal): Promise<Response> {
  const headers = { [wayHeader]: "bulk", authorization: `Bearer ${base64url(token)}` };
  const init = signal === undefined ? { headers } : { headers, signal };
  return from.stub.fetch(new Request(`http://localhost:8787${agentBulkPath}${from.id}`, init));
}

/** Takes the frames that were on their way when the rest began. */
async function upTo(offset: number, stream: number, got: number[]): Promise<void> {
  while (got.length < offset) await frame(stream, got);
}

const wrong = (got: ArrayLike<number>) =>
  Array.from({ length: got.length }, (_, place) => place).filter(
    (place) => got[place] !== at(place),
  );

describe("a long upload", () => {
  it.each([true, false])(
    "goes beside the frames, byte for byte (length known: %s)",
    async (known) => {
      const count = 5 * MIB + 123;
      const { answer, stream, got, token } = await offered(count, { known });
      const response = fetchRest(device, token);
      // What was on its way in frames comes first.
      let isOver = false;
      void response.then(() => {
        isOver = true;
      });
      while (!isOver && agent.count(frameType.data) > 0) await frame(stream, got);
      const rest = await response;
      expect(rest.status).toBe(200);
      const offset = Number(rest.headers.get(bulkOffsetHeader));
      await upTo(offset, stream, got);
      const whole = new Uint8Array(await rest.arrayBuffer());
      expect(offset + whole.byteLength).toBe(count);
      expect(readU64((await agent.next(frameType.upload)).payload)).toBe(whole.byteLength);
      expect(await frame(stream, got)).toBe(true);
      expect(got.length).toBe(offset);
      expect(wrong([...got, ...whole])).toEqual([]);
      agent.answer(stream, 201, [], "stored");
      expect(await (await answer).text()).toBe("stored");
    },
  );

  it("goes on in frames while nobody fetches it, to the end", async () => {
    const { answer, stream, got, token } = await offered(3 * MIB);
    while (!(await frame(stream, got)));
    expect(got.length).toBe(3 * MIB);
    expect(wrong(got)).toEqual([]);
    agent.answer(stream, 201, [], "stored");
    expect((await answer).status).toBe(201);
    expect((await fetchRest(device, token)).status).toBe(401);
  });

  it("has a token that is good once, for this device, while it lasts", async () => {
    const { answer, stream, got, token } = await offered(3 * MIB);
    const other = await newDevice(ports);
    await other.connect();
    expect((await fetchRest(other, token)).status).toBe(401);
    expect((await fetchRest(device, new Uint8Array(bulkTokenBytes))).status).toBe(401);
    const rest = await fetchRest(device, token);
    expect((await fetchRest(device, token)).status).toBe(401);
    const body = rest.arrayBuffer();
    await upTo(Number(rest.headers.get(bulkOffsetHeader)), stream, got);
    expect(got.length + (await body).byteLength).toBe(3 * MIB);
    agent.answer(stream, 201, [], "stored");
    expect((await answer).status).toBe(201);
  });

  it("offers nothing that is over, and its token is void then", async () => {
    const { answer, stream, got, token } = await offered(3 * MIB);
    while (!(await frame(stream, got)));
    expect((await fetchRest(device, token)).status).toBe(409);
    agent.answer(stream, 201, [], "stored");
    expect((await answer).status).toBe(201);
    expect((await fetchRest(device, token)).status).toBe(401);
  });

  // The runtime takes a test's own stream that breaks for a short one, unless its length is known; over
  // HTTP it does not (test/integration/link.test.ts).
  it("is a broken request at the device when the visitor leaves in the middle", async () => {
    const { answer, stream, token } = await offered(6 * MIB, { breaksAt: 4 * MIB });
    const rest = await fetchRest(device, token);
    const offset = Number(rest.headers.get(bulkOffsetHeader));
    const read = rest.arrayBuffer().then(
      () => "whole",
      () => "broken",
    );
    expect(await read).toBe("broken");
    // The platform does not say that less came: the device is told how long it was to be, and knows.
    const { payload } = await agent.next(frameType.upload);
    expect(readU64(payload)).toBe(6 * MIB - offset);
    agent.send({ type: frameType.reset, stream, payload: [u32(resetCode.internal)] });
    expect((await answer).status).toBe(502);
  });

  it("is an error for the visitor when the device takes no more of it, and for nobody else", async () => {
    const beside = device.ask("/beside");
    const { stream: second } = await agent.request();
    const { answer, stream, token } = await offered(30 * MIB);
    const rest = await fetchRest(device, token);
    const reader = (rest.body as ReadableStream<Uint8Array>).getReader();
    await reader.read();
    await reader.cancel();
    const reset = await agent.next(frameType.reset);
    expect([reset.stream, readU32(reset.payload)]).toEqual([stream, 1]);
    expect((await answer).status).toBe(502);
    agent.answer(second, 200, [], "fine");
    expect(await (await beside).text()).toBe("fine");
  });

  it("ends when the device resets it, or nobody may enter any more", async () => {
    for (const how of ["reset", "revoked"] as const) {
      const { answer, stream, token } = await offered(30 * MIB);
      const rest = await fetchRest(device, token);
      const read = rest.arrayBuffer().then(
        () => "whole",
        () => "broken",
      );
      if (how === "reset") agent.send({ type: frameType.reset, stream, payload: [u32(3)] });
      else await device.stub.setAccess("owner");
      expect(await read).toBe("broken");
      expect((await answer).status).toBe(how === "reset" ? 502 : 403);
      if (how === "revoked") continue;
      agent.drop();
      agent = await device.connect();
    }
  });

  it("is not offered when it is short, or to a device that fetches nothing", async () => {
    const headers = { "content-length": String(3 * MIB) };
    const init = { method: "PUT", headers, body: bodyOf(3 * MIB), duplex: "half" };
    const answer = device.ask("/sink", init as RequestInit);
    const { payload } = await agent.next(frameType.hello);
    const session = readU32(payload.subarray(4));
    const able = capability.webSocket | capability.bulk;
    agent.send({ type: frameType.hello, payload: [helloPayload(session, able)] });
    const { stream } = await agent.request();
    const got: number[] = [];
    while (!(await frame(stream, got)));
    expect([got.length, agent.count(frameType.upload)]).toEqual([3 * MIB, 0]);
    agent.answer(stream, 201, [], "stored");
    await answer;
    agent.drop();

    agent = await device.connect();
    const short = { method: "PUT", headers: { "content-length": String(MIB + 9) } };
    const second = device.ask("/sink", {
      ...short,
      body: bodyOf(MIB + 9),
      duplex: "half",
    } as RequestInit);
    await agent.hello();
    const next = await agent.request();
    const taken: number[] = [];
    while (!(await frame(next.stream, taken)));
    expect([taken.length, agent.count(frameType.upload)]).toEqual([MIB + 9, 0]);
    agent.answer(next.stream, 201, [], "stored");
    expect((await second).status).toBe(201);
  });
});

/** An upload of `length` bytes, its rest asked for, and what was told of it. */
async function carried(length: number, onCarried: (upload: Upload) => void = () => undefined) {
  const request = new Request("http://nas.test/", {
    method: "PUT",
    headers: { "content-length": String(length) },
    body: new Uint8Array(length),
  });
  const seen = { bytes: 0, beside: 0, carried: 0, moved: 0 };
  const frames = { write: () => true, sentBeside: vi.fn(), end: vi.fn(), offerRest: vi.fn() };
  const broke = vi.fn();
  const upload = new Upload(request, frames as unknown as LinkStream, {
    moved: () => void seen.moved++,
    bytes: (count) => {
      seen.bytes += count;
    },
    beside: (count) => {
      seen.beside += count;
    },
    carried: (count) => {
      seen.carried += count;
      onCarried(upload);
    },
    offer: null,
    broke,
  });
  const running = upload.run();
  const rest = (await upload.fetch()) as Response;
  const reader = (rest.body as ReadableStream<Uint8Array>).getReader();
  const framed = Number(rest.headers.get(bulkOffsetHeader));
  let read = 0;
  /** Reads on until `enough` says so, or to the end. */
  const readUntil = async (enough: () => boolean) => {
    while (!enough()) {
      const { done, value } = await reader.read();
      if (done) return read;
      read += value.byteLength;
    }
    return read;
  };
  return { upload, running, seen, frames, broke, framed, reader, readUntil };
}

describe("the rest of an upload, which the platform carries", () => {
  it("counts in full before any of it may pass unseen, and is no more than its share of what was seen", async () => {
    const length = 9 * MIB;
    const { running, seen, frames, framed, readUntil } = await carried(length);
    expect(seen.carried, "so little was seen").toBe(0);
    await readUntil(() => seen.carried > 0);
    expect(seen.carried).toBe(length - framed - seen.beside);
    expect(seen.bytes).toBe(framed + seen.beside);
    expect(seen.carried).toBeLessThanOrEqual(limits.linkCarriedShare * seen.bytes);
    // As soon as it may be: the last piece made it so.
    expect(seen.carried + limits.linkBulkPieceBytes).toBeGreaterThan(
      limits.linkCarriedShare * (seen.bytes - limits.linkBulkPieceBytes),
    );
    expect(await readUntil(() => false)).toBe(length - framed);
    await running;
    expect(seen.bytes + seen.carried, "exact, once it is whole").toBe(length);
    expect(frames.sentBeside.mock.calls).toEqual([[length - framed]]);
    expect(frames.end).toHaveBeenCalledOnce();
  });

  it("is not begun by a visitor who has used up what they may with it", async () => {
    const { running, seen, frames, readUntil } = await carried(9 * MIB, (upload) => upload.stop());
    const got = readUntil(() => false).then(
      () => "whole",
      () => "broken",
    );
    await running;
    expect(await got).toBe("broken");
    expect(seen.carried).toBeGreaterThan(7 * MIB);
    expect(frames.end).not.toHaveBeenCalled();
  });

  it("waits for whom the device names, whose word counts for nothing else", async () => {
    const { upload, running, seen, framed, readUntil } = await carried(9 * MIB);
    upload.taken(8 * MIB);
    expect(seen.moved, "what is seen needs no word").toBeLessThan(3);
    await readUntil(() => seen.carried > 0);
    const { bytes, beside, carried: count, moved } = seen;
    expect(upload.waitsFor).toBe("visitor");
    upload.taken(0);
    expect([upload.waitsFor, seen.moved], "its service keeps bytes waiting").toEqual([
      "device",
      moved,
    ]);
    upload.taken(MIB);
    expect([upload.waitsFor, seen.moved]).toEqual(["visitor", moved + 1]);
    upload.taken(MIB);
    upload.taken(7);
    expect([upload.waitsFor, seen.moved]).toEqual(["device", moved + 1]);
    upload.taken(Number.MAX_SAFE_INTEGER);
    upload.taken(Number.MAX_SAFE_INTEGER);
    expect([upload.waitsFor, seen.moved], "no more than there is").toEqual(["device", moved + 2]);
    expect(seen).toMatchObject({ bytes, beside, carried: count });
    expect(await readUntil(() => false)).toBe(9 * MIB - framed);
    await running;
    expect(upload.waitsFor).toBe("over");
  });

  it("counts whatever a device and its visitor say or leave unsaid", async () => {
    const bytesIn = async () => {
      const hours = (await device.stub.describe())?.traffic?.hours ?? [];
      return hours.reduce((sum, hour) => sum + hour.toDevice, 0);
    };
    const before = await bytesIn();
    const count = 24 * MIB;
    const { answer, stream, got, token } = await offered(count);
    const rest = await fetchRest(device, token);
    await upTo(Number(rest.headers.get(bulkOffsetHeader)), stream, got);
    // It takes all but the end, says that it took nothing, and breaks off.
    const reader = (rest.body as ReadableStream<Uint8Array>).getReader();
    let read = got.length;
    while (read < count - MIB) read += (await reader.read()).value?.byteLength ?? count;
    agent.send({ type: frameType.upload, stream, payload: [new Uint8Array(8)] });
    agent.send({ type: frameType.reset, stream, payload: [u32(resetCode.internal)] });
    expect((await answer).status).toBe(502);
    expect((await bytesIn()) - before).toBeGreaterThanOrEqual(read);
  });
});

describe("the rest of an upload, which only this code can read", () => {
  it("is waited for as it passes here, whatever the device says that it took", async () => {
    const headers = { "content-length": String(4 * MIB) };
    let goOn = () => {};
    const held = new Promise<void>((resolve) => {
      goOn = resolve;
    });
    let sent = 0;
    const body = new ReadableStream<Uint8Array>({
      async pull(controller) {
        if (sent >= 3 * MIB) await held;
        controller.enqueue(new Uint8Array(MIB));
        sent += MIB;
        if (sent === 4 * MIB) controller.close();
      },
    });
    const request = new Request("http://nas.test/", { method: "PUT", headers, body });
    const frames = { write: () => true, sentBeside: vi.fn(), end: vi.fn(), offerRest: vi.fn() };
    let counted = 0;
    const upload = new Upload(request, frames as unknown as LinkStream, {
      moved: () => undefined,
      bytes: (count) => {
        counted += count;
      },
      beside: () => undefined,
      carried: () => undefined,
      offer: null,
      broke: () => undefined,
    });
    const running = upload.run();
    const rest = (await upload.fetch()) as Response;
    const read = rest.arrayBuffer();
    await vi.waitFor(() => expect([counted, upload.waitsFor]).toEqual([3 * MIB, "visitor"]));
    upload.taken(7);
    upload.taken(Number.MAX_SAFE_INTEGER);
    expect([counted, upload.waitsFor]).toEqual([3 * MIB, "visitor"]);
    goOn();
    await Promise.all([read, running]);
    expect(counted).toBe(4 * MIB);
  });
});

describe("the body of a slow visitor", () => {
  it("goes on as soon as it would fill a frame, however large a piece may be", async () => {
    const { readable, writable } = new IdentityTransformStream();
    const source = bodySource(readable, limits.linkBulkPieceBytes * 2);
    const piece = source.read(limits.linkBulkPieceBytes);
    const writer = writable.getWriter();
    void writer.write(new Uint8Array(limits.linkFrameBytes)).catch(() => undefined);
    expect((await piece).bytes.byteLength).toBe(limits.linkFrameBytes);
    expect((await piece).bytes.buffer.byteLength).toBe(frameHeaderBytes + limits.linkFrameBytes);
    source.cancel();
  });

  it("holds no more memory than about its bytes, however short its pieces are", async () => {
    const { readable, writable } = new IdentityTransformStream();
    const source = bodySource(readable, null);
    const writer = writable.getWriter();
    for (const count of [1, 2, 1000, limits.linkFrameBytes, 1, limits.linkFrameBytes]) {
      const piece = source.read(limits.linkDataBytes);
      void writer.write(new Uint8Array(count).fill(count & 0xff)).catch(() => undefined);
      const { bytes } = await piece;
      expect([...new Set(bytes)]).toEqual([count & 0xff]);
      expect(bytes.byteLength).toBe(count);
      expect(bytes.buffer.byteLength).toBeLessThanOrEqual(2 * count);
    }
    source.cancel();
  });

  it("takes along what has arrived, in longer pieces while they are full, and waits for no more than a frame", async () => {
    const { readable, writable } = new IdentityTransformStream();
    const source = bodySource(readable, limits.linkBulkPieceBytes * 100);
    const writer = writable.getWriter();
    const next = async () => {
      const { bytes } = await source.read(limits.linkBulkPieceBytes);
      return bytes.byteLength / limits.linkFrameBytes;
    };
    void writer.write(new Uint8Array(23 * limits.linkFrameBytes)).catch(() => undefined);
    expect([await next(), await next(), await next(), await next(), await next()]).toEqual([
      ...[1, 2, 4, 8, 8],
    ]);
    // A visitor who waits for the answer to what they sent has all of it sent on.
    void writer.write(new Uint8Array(limits.linkFrameBytes)).catch(() => undefined);
    expect(await next()).toBe(1);
    source.cancel();
  });
});
