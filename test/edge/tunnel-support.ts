/** A visitor who opens tunnels at a device of link-device.ts. */

import { peerHeader, tunnelHeaders, wayHeader } from "../../durable-objects/device/rpc.ts";
import { limits } from "../../protocol/limits.ts";
import { frameType, u32 } from "../../protocol/link/frames.ts";
import { base64url } from "../../protocol/tokens.ts";
import {
  tunnelAtHeader,
  tunnelIdHeader,
  tunnelPath,
  tunnelSubprotocol,
} from "../../protocol/tunnel.ts";
import { owner, type ScriptedAgent, type TestDevice } from "./link-device.ts";
import { VisitorSocket } from "./visitor-socket.ts";

export interface Asking {
  readonly account?: string;
  readonly token?: string;
  readonly service?: string;
  readonly contact?: boolean;
  readonly until?: number;
  readonly at?: string;
  readonly id?: string;
}

export interface Tunnel {
  readonly visitor: VisitorSocket;
  readonly stream: number;
}

/** What the edge hands over to `device` for a visitor whose token it found good. */
export function askTunnel(device: TestDevice, asking: Asking = {}): Promise<Response> {
  const { account = owner, token = "pat_1", service = "ssh", contact = false, at } = asking;
  const headers = new Headers({
    upgrade: "websocket",
    "sec-websocket-protocol": tunnelSubprotocol,
    [wayHeader]: "tunnel",
    [peerHeader]: "192.0.2.7",
    [tunnelHeaders.account]: account,
    [tunnelHeaders.token]: token,
    [tunnelHeaders.until]: String(asking.until ?? Date.now() + 1_000_000),
    [tunnelIdHeader]: asking.id ?? base64url(crypto.getRandomValues(new Uint8Array(24))),
  });
  if (contact) headers.set(tunnelHeaders.contact, "yes");
  if (at !== undefined) headers.set(tunnelAtHeader, at);
  const url = `http://${device.label}.link.localhost:8787${tunnelPath}?service=${service}`;
  return device.stub.fetch(new Request(url, { headers }));
}

/** The device agrees to what was asked for. */
export async function agree(agent: ScriptedAgent, asked: Promise<Response>): Promise<Tunnel> {
  const { stream } = await agent.request();
  agent.head(stream, 101, [["sec-websocket-protocol", tunnelSubprotocol]]);
  return { visitor: opened(await asked), stream };
}

/** The visitor's end of a tunnel that the device agreed to. */
export function opened(answer: Response): VisitorSocket {
  const { status, webSocket } = answer as Response & { webSocket: WebSocket | null };
  if (webSocket === null) throw new Error(`no tunnel but ${status}`);
  return new VisitorSocket(webSocket);
}

/** What an agent does when the object begins a new session with one stream on it. */
export async function resume(
  agent: ScriptedAgent,
  bytes: number = limits.linkStreamWindowBytes,
): Promise<void> {
  await agent.hello();
  const { stream } = await agent.next(frameType.resume);
  agent.send({ type: frameType.resume, stream, payload: [u32(bytes)] });
}
