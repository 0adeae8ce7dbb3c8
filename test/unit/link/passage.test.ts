/** One visitor's WebSocket in the object: what it moves counts, either way, and ends it when it was too much. */

import { describe, expect, it } from "vitest";
import type { Socket } from "../../../durable-objects/device/context.ts";
import { WebSocketManner } from "../../../durable-objects/device/link/manner.ts";
import {
  Passage,
  type VisitorAttachment,
  visitorCloses,
} from "../../../durable-objects/device/link/passage.ts";
import { TunnelManner } from "../../../durable-objects/device/link/watch.ts";
import { encodeMessage, frameType, resetCode } from "../../../protocol/link/frames.ts";
import type { LinkStream } from "../../../protocol/link/stream.ts";
import { tunnelCloseCodes } from "../../../protocol/tunnel.ts";

/** A passage whose visitor may move `most` bytes, with what became of it. */
function passage(kind: "websocket" | "tunnel", most: number) {
  const [moved, told]: [[string, number][], string[]] = [[], []];
  let sum = 0;
  const stream = {
    ...{ id: 1, pendingBytes: 0, pendingMessages: 0, dead: false, closing: false },
    send: () => true,
    consumed: () => undefined,
    reset: (code: number) => told.push(`reset ${code}`),
  };
  let attachment: unknown = { kind: "visitor" } as Partial<VisitorAttachment>;
  const socket: Socket = {
    send: (data) => void told.push(`said ${data.length}`),
    close: (code, reason) => void told.push(`closed ${code} ${reason}`),
    bufferedBytes: () => null,
    attachment: () => attachment,
    attach: (value) => {
      attachment = value;
    },
    heardAt: () => null,
  };
  const host = {
    now: () => 0,
    soon: () => undefined,
    held: () => 0,
    moved: (network: string, bytes: number) => {
      moved.push([network, bytes]);
      sum += bytes;
      return sum <= most;
    },
    onOver: () => void told.push("over"),
  };
  const manner = kind === "tunnel" ? new TunnelManner() : new WebSocketManner(0);
  const made = new Passage(host, stream as unknown as LinkStream, "192.0.2.7", manner);
  made.attach(socket);
  return { made, moved, told };
}

const data = encodeMessage([
  { type: frameType.data, end: false, stream: 1, payload: [new Uint8Array(88)] },
]);

describe("what passes between a visitor and a device", () => {
  it.each(["websocket", "tunnel"] as const)("counts for its visitor, both ways (%s)", (kind) => {
    const { made, moved, told } = passage(kind, 1000);
    made.hear(data.slice().buffer);
    made.message(data, false, true);
    expect(moved).toEqual([
      ["192.0.2.7", 100],
      ["192.0.2.7", 100],
    ]);
    expect(told).toEqual(["said 100"]);
  });

  it.each([
    ["websocket", resetCode.cancel, visitorCloses.spent.code],
    ["tunnel", resetCode.refused, tunnelCloseCodes.spent],
  ] as const)("ends with the bytes of a day (%s)", (kind, reset, close) => {
    for (const way of ["visitor", "device"]) {
      const { made, told } = passage(kind, 150);
      made.hear(data.slice().buffer);
      if (way === "visitor") made.hear(data.slice().buffer);
      else made.message(data, false, true);
      expect(told).toEqual([`reset ${reset}`, `closed ${close} too much passed today`, "over"]);
      made.hear(data.slice().buffer);
      expect(told.length).toBe(3);
    }
  });
});
