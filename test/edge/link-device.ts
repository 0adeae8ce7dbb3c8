/** A registered device inside workerd whose agent is written by the test, frame by frame. */

import { env } from "cloudflare:workers";
import { type AccessMode, type DeviceStub, wayHeader } from "../../durable-objects/device/rpc.ts";
import { systemRandom } from "../../durable-objects/platform.ts";
import {
  type AgentGreeting,
  agentBulkPath,
  agentHeader,
  bulkOffsetHeader,
  closeCodes,
  greetingText,
} from "../../protocol/agent.ts";
import { signAssertion } from "../../protocol/assertion.ts";
import { newId } from "../../protocol/ids.ts";
import {
  closePayload,
  decodeMessage,
  encodeMessage,
  type Frame,
  type FrameType,
  frameType,
  messageFlag,
  readU32,
} from "../../protocol/link/frames.ts";
import {
  decodeOpen,
  encodeHead,
  type HeaderList,
  type OpenHead,
} from "../../protocol/link/headers.ts";
import { base64url } from "../../protocol/tokens.ts";
import { tcpHeader } from "../../protocol/tunnel.ts";
import { handle } from "../../workers/app.ts";
import type { Ports } from "../../workers/ports.ts";

const { DEVICES } = env as unknown as { DEVICES: DurableObjectNamespace };
const ORIGIN = "http://localhost:8787";

export const owner = newId("acc", "home", systemRandom.bytes);
export const guest = newId("acc", "home", systemRandom.bytes);
export const stranger = newId("acc", "home", systemRandom.bytes);

/** A frame as the agent got it. */
export interface Got {
  readonly type: FrameType;
  readonly end: boolean;
  readonly stream: number;
  readonly payload: Uint8Array;
  readonly flags: number;
}

export class ScriptedAgent {
  readonly socket: WebSocket;
  readonly closed: Promise<{ code: number; reason: string }>;
  #frames: Got[] = [];
  #waiting: (() => void)[] = [];

  constructor(socket: WebSocket) {
    this.socket = socket;
    socket.binaryType = "arraybuffer";
    socket.addEventListener("message", (event) => {
      if (typeof event.data === "string") return;
      decodeMessage(
        new Uint8Array(event.data as ArrayBuffer),
        (type, end, stream, payload, flags) => {
          this.#frames.push({ type, end, stream, payload, flags });
          return null;
        },
      );
      for (const wake of this.#waiting.splice(0)) wake();
    });
    this.closed = new Promise((resolve) => {
      socket.addEventListener("close", ({ code, reason }) => resolve({ code, reason }));
    });
    socket.accept();
  }

  /** The next frame of `type`; those of other types stay. */
  async next(type: FrameType): Promise<Got> {
    for (;;) {
      const at = this.#frames.findIndex((frame) => frame.type === type);
      if (at >= 0) return this.#frames.splice(at, 1)[0] as Got;
      await new Promise<void>((resolve) => {
        this.#waiting.push(resolve);
      });
    }
  }

  /** How many frames of `type` came and were not looked at. */
  count(type: FrameType): number {
    return this.#frames.filter((frame) => frame.type === type).length;
  }

  /** Answers the next HELLO like an agent that passes WebSockets on. */
  async hello(): Promise<void> {
    const { payload } = await this.next(frameType.hello);
    this.send({ type: frameType.hello, payload: [payload] });
  }

  /** Says a whole message on a WebSocket. */
  say(stream: number, message: Uint8Array | string): void {
    const text = typeof message === "string";
    const payload = [text ? new TextEncoder().encode(message) : message];
    this.send({ type: frameType.wsMessage, stream, flags: text ? messageFlag.text : 0, payload });
  }

  /** The next piece of a visitor's message, as text. */
  async heard(): Promise<string> {
    return new TextDecoder().decode((await this.next(frameType.wsMessage)).payload);
  }

  closeVisitor(stream: number, code: number | null, reason = ""): void {
    const payload = [closePayload({ code, reason })];
    this.send({ type: frameType.wsClose, stream, payload });
  }

  /** The next request. */
  async request(): Promise<{ stream: number; head: OpenHead; end: boolean }> {
    const { stream, payload, end } = await this.next(frameType.open);
    return { stream, head: decodeOpen(payload) as OpenHead, end };
  }

  /** All of a request's body. */
  async body(): Promise<string> {
    let text = "";
    for (;;) {
      const { payload, end } = await this.next(frameType.data);
      text += new TextDecoder().decode(payload);
      if (end) return text;
    }
  }

  send(...frames: Partial<Frame>[]): void {
    this.raw(
      encodeMessage(
        frames.map((frame) => ({
          type: frameType.data,
          end: false,
          stream: 0,
          payload: [],
          ...frame,
        })),
      ),
    );
  }

  raw(message: Uint8Array | string): void {
    this.socket.send(message);
  }

  head(stream: number, status: number, headers: HeaderList = [], end = false): void {
    const payload = [encodeHead({ status, headers }) as Uint8Array];
    this.send({ type: frameType.head, stream, payload, end });
  }

  data(stream: number, bytes: Uint8Array | string, end = false): void {
    const payload = typeof bytes === "string" ? new TextEncoder().encode(bytes) : bytes;
    this.send({ stream, payload: [payload], end });
  }

  /** A whole small answer in one message. */
  answer(stream: number, status: number, headers: HeaderList, body: string): void {
    const payload = [encodeHead({ status, headers }) as Uint8Array];
    this.send(
      { type: frameType.head, stream, payload },
      { stream, payload: [new TextEncoder().encode(body)], end: true },
    );
  }

  /** Goes without a word. */
  drop(): void {
    this.socket.close(1000, "gone");
  }
}

export const codeOf = ({ payload }: Got): number => readU32(payload);
export const creditOf = codeOf;
export { closeCodes };

export interface TestDevice {
  readonly id: string;
  readonly label: string;
  readonly stub: DeviceStub;
  /**
   * @param tcp the names of its TCP services
   * @param program which of the box's programs it is; without a name it replaces what connected without
   */
  connect(tcp?: string, program?: AgentGreeting): Promise<ScriptedAgent>;
  /** A visitor's request through the front door of the edge. */
  ask(path: string, init?: RequestInit): Promise<Response>;
}

let count = 0;

/** Registers a device with Link on. */
export async function newDevice(ports: Ports, mode: AccessMode = "everyone"): Promise<TestDevice> {
  const id = newId("dev", "home", systemRandom.bytes);
  const label = `nas-${count++}-${base64url(systemRandom.bytes(6)).toLowerCase().replaceAll(/[_-]/g, "x")}`;
  const { privateKey, publicKey } = (await crypto.subtle.generateKey("Ed25519", true, [
    "sign",
    "verify",
  ])) as CryptoKeyPair;
  const raw = (await crypto.subtle.exportKey("raw", publicKey)) as ArrayBuffer;
  const stub = DEVICES.getByName(id) as unknown as DeviceStub;
  await stub.register({
    deviceId: id,
    accountId: owner,
    publicKey: base64url(new Uint8Array(raw)),
    label,
  });
  await stub.setFeature("link", true);
  await stub.setAccess(mode);
  await ports.directory.claimLabel(label, id);
  return {
    id,
    label,
    stub,
    async connect(tcp = "", program) {
      const token = await signAssertion(privateKey, id, ORIGIN, Date.now());
      const response = await stub.fetch(
        new Request(`${ORIGIN}/api/agent/socket`, {
          headers: {
            upgrade: "websocket",
            [wayHeader]: "agent",
            [tcpHeader]: tcp,
            ...(program === undefined ? {} : { [agentHeader]: greetingText(program) }),
            authorization: `Bearer ${token}`,
          },
        }),
      );
      const socket = (response as unknown as { webSocket: WebSocket | null }).webSocket;
      if (socket === null) throw new Error(`the device was refused: ${response.status}`);
      return new ScriptedAgent(socket);
    },
    async ask(path, init = {}) {
      const request = new Request(`http://${label}.link.localhost:8787${path}`, {
        redirect: "manual",
        ...init,
      });
      return await handle(request, ports);
    },
  };
}

/** A segment of a response by the bulk lane, as the edge passes it on to the object of `device`. */
export function sendSegment(
  device: TestDevice,
  token: Uint8Array,
  offset: number,
  body: string | ReadableStream,
): Promise<Response> {
  const headers = {
    [wayHeader]: "bulk",
    authorization: `Bearer ${base64url(token)}`,
    [bulkOffsetHeader]: String(offset),
  };
  const init = { method: "POST", headers, body, duplex: "half" };
  return device.stub.fetch(
    new Request(`${ORIGIN}${agentBulkPath}${device.id}`, init as RequestInit),
  );
}
