/** One visitor's WebSocket in the object: what it moves counts, either way, and ends it when it was too much. */

import { describe, expect, it } from "vitest";
import type { Socket } from "../../../durable-objects/device/context.ts";
import { WebSocketManner } from "../../../durable-objects/device/link/manner.ts";
import {
  Passage,
  type VisitorAttachment,
  visitorCloses,
} from "../../../durable-objects/device/link/passage.ts";
import { Passages } from "../../../durable-objects/device/link/passages.ts";
import { tunnelPass } from "../../../durable-objects/device/link/tunnel.ts";
import { TunnelManner } from "../../../durable-objects/device/link/watch.ts";
import { limits } from "../../../protocol/limits.ts";
import {
  encodeMessage,
  type FrameType,
  frameType,
  resetCode,
  u32,
} from "../../../protocol/link/frames.ts";
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
    unseen: () => true,
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

describe("what went to visitors of whom nothing is heard", () => {
  const PIECE = 1024 * 1024;
  const message = new Uint8Array(PIECE);

  /** A device with visitors; `unread` is what the platform tells of them, null: nothing. */
  function visitors(unread: number | null) {
    const closed: string[] = [];
    const open: Socket[] = [];
    const passages: Passages = new Passages({
      sockets: {
        accept: () => new Response(null),
        acceptSocket: (_request, _tags, first) => {
          let attachment = first;
          const socket: Socket = {
            send: () => undefined,
            close: (code, reason) => void closed.push(`${code} ${reason}`),
            bufferedBytes: () => unread,
            attachment: () => attachment,
            attach: (value) => {
              attachment = value;
            },
            heardAt: () => null,
          };
          open.push(socket);
          return [{ status: 101, headers: new Headers() } as Response, socket];
        },
        tagged: () => open,
      },
      now: () => 0,
      ...{ soon: () => undefined, wake: () => undefined, stir: () => undefined },
      ...{ moved: () => true, ended: () => undefined },
    });
    let id = 1;
    const come = (network: string, visitor: string | null = null) => {
      const stream = {
        ...{ id: id++, pendingBytes: 0, pendingMessages: 0, dead: false, closing: false },
        ...{ send: () => true, consumed: () => undefined, reset: () => undefined },
        close: () => undefined,
      };
      const passage = passages.begin(stream as unknown as LinkStream, { visitor, network });
      const agent = { attachment: () => ({ jti: "a" }) } as unknown as Socket;
      passages.accept(new Request("http://nas.test/"), agent, passage, new Headers());
      return { passage, socket: open.at(-1) as Socket };
    };
    const say = (to: { passage: Passage }, bytes: number) => {
      for (let said = 0; said < bytes; said += PIECE) to.passage.message(message, false, true);
    };
    const leave = ({ socket }: { socket: Socket }) => {
      open.splice(open.indexOf(socket), 1);
      passages.left(socket, 1000, "");
    };
    return { passages, come, leave, say, closed };
  }

  const MOST = limits.linkSocketBlindBytes;
  const end = `${visitorCloses.unheard.code} ${visitorCloses.unheard.reason}`;

  it("is counted for a network, over all of its WebSockets", () => {
    const { come, say, closed } = visitors(null);
    const [one, two, other] = [come("192.0.2.7"), come("192.0.2.7"), come("198.51.100.1")];
    say(one, MOST / 2);
    say(other, MOST);
    say(two, MOST / 2);
    expect(closed).toEqual([]);
    say(two, 1);
    expect(closed).toEqual([end]);
    expect([one, two, other].map(({ passage }) => passage.lives)).toEqual([true, false, true]);
  });

  it.each(["a word", "a request", "the last WebSocket"])("is forgotten with %s of it", (what) => {
    const { passages, come, leave, say, closed } = visitors(null);
    let it = come("192.0.2.7");
    say(it, MOST);
    if (what === "a word") passages.hear(it.socket, "here");
    else if (what === "a request") passages.heardOf("192.0.2.7");
    else {
      leave(it);
      it = come("192.0.2.7");
    }
    say(it, MOST);
    expect(closed).toEqual([]);
    say(it, 1);
    expect(closed).toEqual([end]);
  });

  it("counts nowhere where the platform tells, nor at a tunnel, whose credits do", () => {
    const told = visitors(0);
    told.say(told.come("192.0.2.7"), 2 * MOST);
    expect(told.closed).toEqual([]);
    const { come, closed } = visitors(null);
    const account = { account: "acc", token: "pat", service: "ssh", until: 1, contact: false };
    const { passage } = come("192.0.2.7", tunnelPass(account));
    const frame = (type: FrameType, payload: Uint8Array) =>
      encodeMessage([{ type, end: false, stream: 1, payload: [payload] }]);
    const half = limits.tunnelWindowBytes / 2;
    for (let said = 0; said < 2 * MOST; said += half) {
      for (let at = 0; at < 16; at++) {
        passage.message(frame(frameType.data, new Uint8Array(half / 16)), false, true);
      }
      passage.hear(frame(frameType.credit, u32(half)).buffer);
    }
    expect([closed, passage.lives]).toEqual([[], true]);
  });
});
