/**
 * The TCP services that a box offers to those whom its owner lets in. A visitor names a service; the
 * targets stand here alone, no cloud knows or chooses them. TLS 1.3 ends here, under the box's own
 * key, so nobody on the way reads along.
 */

import { connect, type Socket } from "node:net";
import { createSecureContext, type SecureContext, TLSSocket } from "node:tls";
import { limits } from "../../protocol/limits.ts";
import { encodeHead, headerOf, type OpenHead } from "../../protocol/link/headers.ts";
import type { LinkStream, StreamHandler } from "../../protocol/link/stream.ts";
import {
  isTcpService,
  isTunnelId,
  readPosition,
  tunnelAlpn,
  tunnelAtHeader,
  tunnelIdHeader,
  tunnelStatuses,
} from "../../protocol/tunnel.ts";
import { AgentFailure } from "../failure.ts";
import { isForbidden } from "../service.ts";
import type { TlsIdentity } from "./certificate.ts";
import { join } from "./duplex.ts";
import { LastingTunnel } from "./lasting.ts";

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
  /** By the name that the visitor gave it. */
  readonly #tunnels = new Map<string, LastingTunnel>();

  constructor(targets: TcpTargets, identity: TlsIdentity) {
    this.#targets = targets;
    this.#context = createSecureContext({ ...identity, minVersion: "TLSv1.3" });
  }

  /** What the cloud is told: names, sorted. */
  get names(): string[] {
    return [...this.#targets.keys()].sort();
  }

  /** How many tunnels there are, with those that nothing carries now. */
  get size(): number {
    return this.#tunnels.size;
  }

  /** The program stops: every tunnel ends, and its visitor is told. */
  end(): void {
    for (const tunnel of [...this.#tunnels.values()]) tunnel.end("ended");
  }

  /** Serves a stream that a visitor opened: a new tunnel, or one that goes on. */
  serve(stream: LinkStream, { service, headers }: OpenHead): StreamHandler {
    const target = this.#targets.get(service);
    const id = headerOf(headers, tunnelIdHeader) ?? "";
    const at = headerOf(headers, tunnelAtHeader);
    if (target === undefined || !isTunnelId(id)) return refused(stream, tunnelStatuses.unknown);
    const known = this.#tunnels.get(id);
    if (at === null) {
      known?.duplex.fail(null); // the answer to the first asking was lost
      return this.#open(stream, service, id, target);
    }
    const there = readPosition(at);
    if (known === undefined || !known.met || there === null)
      return refused(stream, tunnelStatuses.gone);
    known.carry(stream, there);
    return silent;
  }

  #open(stream: LinkStream, service: string, id: string, target: TcpTarget): StreamHandler {
    if (this.#tunnels.size >= 2 * limits.tunnelsPerDevice) return refused(stream, BUSY);
    const local = connect({ ...target, allowHalfOpen: true, noDelay: true });
    const giveUp = () => {
      if (!stream.dead && stream.socket === null) refused(stream, tunnelStatuses.unreachable);
      local.destroy();
    };
    local.setTimeout(limits.tunnelConnectMs, giveUp);
    local.once("error", giveUp);
    local.once("connect", () => {
      // A name may lead anywhere, and elsewhere tomorrow: no byte goes where none may.
      if (stream.dead || isForbidden(hostOf(local.remoteAddress))) return giveUp();
      local.off("error", giveUp);
      local.removeAllListeners("timeout");
      this.#connected(stream, service, id, local);
    });
    return { ...silent, reset: () => local.destroy() };
  }

  #connected(stream: LinkStream, service: string, id: string, local: Socket): void {
    const tunnel: LastingTunnel = new LastingTunnel(() => {
      if (this.#tunnels.get(id) === tunnel) this.#tunnels.delete(id);
    });
    const { duplex } = tunnel;
    this.#tunnels.set(id, tunnel);
    local.setTimeout(limits.tunnelIdleMs, () => tunnel.end("idle"));
    duplex.on("close", () => local.destroy());
    local.on("error", () => duplex.destroy());
    tunnel.carry(stream, { received: 0, taken: 0 });
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

const BUSY = 503;

/** Answers with a status and nothing else. */
function refused(stream: LinkStream, status: number): StreamHandler {
  stream.sendHead(encodeHead({ status, headers: [] }) as Uint8Array, true);
  return silent;
}

/** Hears nothing: what is said on a carrier goes to its tunnel. */
const silent: StreamHandler = {
  head: () => false,
  data: () => undefined,
  end: () => undefined,
  reset: () => undefined,
  drain: () => undefined,
};

/** An address as a host is written in a URL. */
function hostOf(address: string | undefined): string {
  const host = address?.includes(":") ? `[${address}]` : (address ?? "");
  return URL.parse(`http://${host}`)?.hostname ?? host;
}
