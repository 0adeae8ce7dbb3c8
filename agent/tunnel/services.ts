/**
 * The TCP services that a box offers to those whom its owner lets in. A visitor names a service; the
 * targets stand here alone, no cloud knows or chooses them. TLS 1.3 ends here, under the box's own
 * key, so nobody on the way reads along.
 */

import { connect, type Socket } from "node:net";
import { createSecureContext, type SecureContext, TLSSocket } from "node:tls";
import { limits } from "../../protocol/limits.ts";
import { resetCode } from "../../protocol/link/frames.ts";
import { encodeHead } from "../../protocol/link/headers.ts";
import type { LinkStream, StreamHandler } from "../../protocol/link/stream.ts";
import { isTcpService, tunnelAlpn } from "../../protocol/tunnel.ts";
import { AgentFailure } from "../failure.ts";
import { isForbidden } from "../service.ts";
import type { TlsIdentity } from "./certificate.ts";
import { join, StreamDuplex } from "./duplex.ts";

/** Where a service listens. */
export interface TcpTarget {
  readonly host: string;
  readonly port: number;
}

export type TcpTargets = ReadonlyMap<string, TcpTarget>;

/**
 * Reads `ssh=127.0.0.1:22`, one a service; a later one of the same name counts.
 * @throws AgentFailure with a sentence about what may not be offered
 */
export function tcpTargets(typed: readonly string[]): TcpTargets {
  const targets = new Map<string, TcpTarget>();
  for (const text of typed) {
    const equals = text.indexOf("=");
    const name = text.slice(0, Math.max(0, equals));
    if (!isTcpService(name)) {
      throw new AgentFailure(
        `"${text}" is no service; it reads ssh=127.0.0.1:22. A name has small letters, digits and ` +
          'hyphens, at most 32 of them, and is not "web".',
      );
    }
    targets.set(name, tcpTarget(name, text.slice(equals + 1)));
  }
  if (targets.size > limits.tcpServicesPerDevice) {
    throw new AgentFailure(`A box offers at most ${limits.tcpServicesPerDevice} services.`);
  }
  return targets;
}

function tcpTarget(name: string, typed: string): TcpTarget {
  // `URL` writes every spelling of an address the same way.
  const url = /^[^/?#@\s]+:\d{1,5}$/.test(typed) ? URL.parse(`tcp://${typed}`) : null;
  const http = url === null ? null : URL.parse(`http://${url.hostname}`);
  const port = Number(url?.port);
  if (http === null || !(port > 0)) {
    throw new AgentFailure(`"${name}=${typed}" names no address and port; it reads 127.0.0.1:22.`);
  }
  if (isForbidden(http.hostname)) {
    throw new AgentFailure(`${http.hostname} is not a service of yours; it is refused.`);
  }
  return { host: http.hostname.replace(/^\[|\]$/g, ""), port };
}

export class TcpServices {
  readonly #targets: TcpTargets;
  readonly #context: SecureContext;

  constructor(targets: TcpTargets, identity: TlsIdentity) {
    this.#targets = targets;
    this.#context = createSecureContext({ ...identity, minVersion: "TLSv1.3" });
  }

  /** What the cloud is told: names, sorted. */
  get names(): string[] {
    return [...this.#targets.keys()].sort();
  }

  /** Serves a stream that a visitor opened; null when there is no such service. */
  serve(stream: LinkStream, service: string): StreamHandler | null {
    const target = this.#targets.get(service);
    if (target === undefined) return null;
    const duplex = new StreamDuplex().over(stream);
    duplex.on("error", () => undefined); // the visitor left; what hangs on it ends below
    const local = connect({ ...target, allowHalfOpen: true, noDelay: true });
    duplex.on("close", () => local.destroy());
    local.setTimeout(limits.tunnelConnectMs, () => local.destroy(new Error("no answer")));
    local.once("error", () => {
      stream.reset(resetCode.unreachable);
      duplex.destroy();
    });
    local.once("connect", () => this.#connected(stream, service, duplex, local));
    return duplex.handler;
  }

  #connected(stream: LinkStream, service: string, duplex: StreamDuplex, local: Socket): void {
    // A name may lead anywhere, and elsewhere tomorrow: no byte goes where none may.
    if (isForbidden(hostOf(local.remoteAddress))) {
      stream.reset(resetCode.refused);
      local.destroy();
      return;
    }
    local.setTimeout(0);
    stream.sendHead(encodeHead({ status: 200, headers: [] }) as Uint8Array, false);
    const tls = new TLSSocket(duplex, {
      isServer: true,
      secureContext: this.#context,
      ALPNProtocols: [tunnelAlpn(service)],
      allowHalfOpen: true,
    } as ConstructorParameters<typeof TLSSocket>[1]);
    const late = setTimeout(() => tls.destroy(), limits.tunnelConnectMs);
    tls.once("secure", () => clearTimeout(late));
    tls.once("close", () => {
      clearTimeout(late);
      duplex.destroy();
    });
    join(tls, local);
  }
}

/** An address as a host is written in a URL. */
function hostOf(address: string | undefined): string {
  const host = address?.includes(":") ? `[${address}]` : (address ?? "");
  return URL.parse(`http://${host}`)?.hostname ?? host;
}
