/**
 * A visitor's end of a tunnel: a WebSocket to the device's host, and TLS 1.3 inside, to the device
 * itself. Nothing is said before the device has shown that it holds the key it is known by.
 */

import { type ConnectionOptions, type TLSSocket, connect as tlsConnect } from "node:tls";
import { WebSocket } from "ws";
import packageJson from "../../package.json" with { type: "json" };
import { pingText } from "../../protocol/agent.ts";
import { limits } from "../../protocol/limits.ts";
import { resetCode } from "../../protocol/link/frames.ts";
import { Pipe } from "../../protocol/link/pipe.ts";
import {
  tunnelAlpn,
  tunnelCloseCodes,
  tunnelPath,
  tunnelSubprotocol,
} from "../../protocol/tunnel.ts";
import { isLoopback } from "../cloud.ts";
import { AgentFailure, exitCodes, reasonOf } from "../failure.ts";
import { ed25519KeyOf } from "./certificate.ts";
import { StreamDuplex } from "./duplex.ts";

export interface TunnelTarget {
  /** The device's door, e.g. `https://nas.example`. */
  readonly link: string;
  readonly token: string;
  readonly service: string;
  /** The key that the device must show, base64url of 32 bytes. */
  readonly publicKey: string;
}

/**
 * Opens a tunnel. What is returned is a connection to the service, end to end with the device.
 * @throws AgentFailure with a sentence about who refused, and why
 */
export function openTunnel(target: TunnelTarget): Promise<TLSSocket> {
  return new Promise((resolve, reject) => {
    const duplex = new StreamDuplex();
    const socket = joined(duplex, target, (sentence) => {
      reject(new AgentFailure(sentence));
      duplex.destroy();
    });
    const tls = tlsConnect({
      socket: duplex,
      minVersion: "TLSv1.3",
      ALPNProtocols: [tunnelAlpn(target.service)],
      // The certificate is the device's own: its key is compared below, before a byte goes out.
      rejectUnauthorized: false,
      allowHalfOpen: true,
    } as ConnectionOptions);
    const late = setTimeout(() => {
      reject(new AgentFailure("The device did not answer in time."));
      tls.destroy();
    }, limits.linkHeadMs);
    tls.once("secureConnect", () => {
      clearTimeout(late);
      if (ed25519KeyOf(tls.getPeerX509Certificate()) === target.publicKey) return resolve(tls);
      reject(new AgentFailure(impostor, exitCodes.strangeKey));
      tls.destroy();
    });
    tls.on("error", (error) => reject(new AgentFailure(`The tunnel broke: ${reasonOf(error)}.`)));
    tls.once("close", () => {
      clearTimeout(late);
      reject(new AgentFailure("The tunnel was closed before it was open."));
      duplex.destroy();
      // What was said last may still wait for credit; the edge closes when both ends are done.
      setTimeout(() => socket.close(), limits.tunnelConnectMs).unref();
    });
  });
}

const impostor =
  "Whoever answered does not hold the key of this device. Nothing was sent. Somebody may be listening " +
  "between you and the box.";

/** Puts `duplex` on a WebSocket. @param refused told once when there is none, or no longer */
function joined(
  duplex: StreamDuplex,
  { link, token, service }: TunnelTarget,
  refused: (sentence: string) => void,
): WebSocket {
  const url = new URL(tunnelPath, link.replace(/^http/, "ws"));
  url.searchParams.set("service", service);
  const unseen = url.protocol === "wss:" || isLoopback(url.hostname);
  const socket = new WebSocket(url, [tunnelSubprotocol], {
    headers: {
      authorization: `Bearer ${token}`,
      "user-agent": `latchkey-agent/${packageJson.version}`,
    },
    perMessageDeflate: false,
    handshakeTimeout: limits.agentOpenMs,
    maxPayload: limits.linkMessageBytes,
    // RFC 6761 §6.3: names under localhost are this machine, whatever a resolver says.
    ...(isLoopback(url.hostname) ? { family: 4, lookup: loopback } : {}),
    ...(unseen ? { generateMask: (mask: Buffer) => void mask.fill(0) } : {}),
  } as ConstructorParameters<typeof WebSocket>[2]);
  const waiting: Uint8Array[] = [];
  const pipe = new Pipe(
    {
      send: (message) => {
        if (socket.readyState === WebSocket.OPEN) socket.send(message);
        else if (socket.readyState === WebSocket.CONNECTING) waiting.push(message);
      },
      soon: (work) => void setImmediate(work),
    },
    {
      ...duplex.handler,
      reset: (code) => {
        refused(resetSentence(code, service));
        duplex.handler.reset(code);
      },
    },
  );
  duplex.over(pipe);
  let heardAt = performance.now();
  const pings = setInterval(() => {
    if (performance.now() - heardAt > limits.agentStaleMs) socket.terminate();
    else if (socket.readyState === WebSocket.OPEN) socket.send(pingText);
  }, limits.agentPingMs);
  pings.unref();
  socket.on("open", () => {
    for (const message of waiting.splice(0)) socket.send(message);
  });
  socket.on("message", (data: Buffer, isBinary: boolean) => {
    heardAt = performance.now();
    if (!isBinary) return;
    const reason = pipe.receive(new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
    if (reason !== null) socket.close(tunnelCloseCodes.protocolError, reason);
  });
  socket.on("unexpected-response", (_request, response) => {
    refused(statusSentence(response.statusCode ?? 0, service));
    socket.terminate();
  });
  socket.on("error", (error) =>
    refused(`The device's door cannot be reached: ${reasonOf(error)}.`),
  );
  socket.on("close", (code: number) => {
    clearInterval(pings);
    const whole = pipe.over;
    pipe.kill();
    refused(closeSentence(code));
    if (!whole) duplex.handler.reset(null);
  });
  duplex.once("close", () => {
    if (duplex.errored !== null || !duplex.writableFinished) socket.close();
  });
  return socket;
}

type Lookup = (
  name: string,
  options: { all?: boolean },
  done: (error: null, address: unknown, family?: number) => void,
) => void;
const loopback: Lookup = (_name, { all }, done) => {
  if (all) done(null, [{ address: "127.0.0.1", family: 4 }]);
  else done(null, "127.0.0.1", 4);
};

function statusSentence(status: number, service: string): string {
  switch (status) {
    case 401:
      return "The access token is not good, or it ended. Make one in the console, then `login` again.";
    case 403:
      return "You may not open tunnels to this device, or the token lacks the scope devices:connect.";
    case 404:
      return `This device offers no service called "${service}", or there is no such device.`;
    case 503:
      return "The device is not connected, or has too many tunnels.";
    default:
      return `The device's door answered with status ${status}.`;
  }
}

function resetSentence(code: number | null, service: string): string {
  switch (code) {
    case resetCode.unreachable:
      return `The box is there, but nothing answers at its service "${service}".`;
    case resetCode.refused:
      return `The box offers no service called "${service}".`;
    case resetCode.timeout:
      return "The box did not answer in time.";
    default:
      return "The other end broke off.";
  }
}

function closeSentence(code: number): string {
  switch (code) {
    case tunnelCloseCodes.revoked:
      return "Your right to be here ended.";
    case tunnelCloseCodes.idle:
      return "Nothing was said for too long.";
    case tunnelCloseCodes.lost:
      return "The device's connection was lost.";
    case tunnelCloseCodes.spent:
      return "Too many bytes went through today.";
    default:
      return "The connection was lost.";
  }
}
