/**
 * One connection of the agent, from the upgrade to its end: asks for signs of life, serves Link while it
 * is on, says how the local service is, and goes without harm to those whom it serves.
 */

import packageJson from "../package.json" with { type: "json" };
import {
  type AddressNotice,
  type AgentGreeting,
  type AgentNotice,
  closeCodes,
  type EdgeNotice,
  pingText,
  type ServiceState,
} from "../protocol/agent.ts";
import { signAssertion } from "../protocol/assertion.ts";
import { limits } from "../protocol/limits.ts";
import { encodeMessage, frameType } from "../protocol/link/frames.ts";
import { checkLabel } from "../protocol/names.ts";
import type { KeptAddress } from "./addresses.ts";
import { bulkLaneTo } from "./bulk.ts";
import type { AgentClock } from "./clock.ts";
import type { EnrolledDevice, Identity } from "./home.ts";
import { LinkServer } from "./link.ts";
import { answers } from "./service.ts";
import type { Shortcut } from "./shortcut.ts";
import type { AgentSocket, OpenSocket, SocketEnd } from "./socket.ts";
import type { TcpServices } from "./tunnel/services.ts";

export interface ConnectionOptions {
  readonly device: EnrolledDevice;
  readonly identity: Identity;
  readonly service: string | null;
  readonly shortcut: Shortcut | null;
  readonly tcp: TcpServices | null;
  readonly kept: KeptAddress;
  readonly greeting: AgentGreeting;
  readonly open: OpenSocket;
  readonly clock: AgentClock;
  log(line: string): void;
  /** The cloud says what the box is called. */
  onLabel(label: string): void;
  /** The cloud took it: what it relieves may go. */
  onOpen(): void;
  /** Stops the agent. */
  readonly signal: AbortSignal;
}

export interface ConnectionEnd {
  readonly end: SocketEnd;
  /** The cloud said that the device is gone. */
  readonly told: boolean;
  /** How long it was open. */
  readonly openMs: number;
}

export class Connection {
  /** Resolves when the cloud asks for another connection in place of this one. */
  readonly relief: Promise<"relief">;
  #relieve: () => void = () => undefined;
  readonly #with: ConnectionOptions;
  #socket: AgentSocket | null = null;
  #link: LinkServer | null = null;
  #openedAt: number | null = null;
  #heardAt = 0;
  #told = false;
  readonly #over = new AbortController();
  #leaving = false;
  /** What the cloud was told of the service. */
  #said: ServiceState | null = null;
  /** The IPv6 address that the cloud was told of. */
  #saidIpv6: string | null = null;

  constructor(options: ConnectionOptions) {
    this.#with = options;
    this.relief = new Promise((resolve) => {
      this.#relieve = () => resolve("relief");
    });
  }

  async run(): Promise<ConnectionEnd> {
    const { device, identity, clock, greeting, tcp, kept, signal, open } = this.#with;
    const assertion = await signAssertion(
      identity.privateKey,
      device.device_id,
      device.cloud,
      clock.now(),
    );
    this.#saidIpv6 = await kept.now();
    const ipv6 = this.#saidIpv6;
    const userAgent = `latchkey-agent/${packageJson.version}`;
    let stopPings: () => void = () => undefined;
    const stop = () => void this.leave(limits.agentStopMs);
    const end = await new Promise<SocketEnd>((resolve) => {
      this.#socket = open(
        device.cloud,
        { assertion, userAgent, greeting, tcp: tcp?.names ?? [], ipv6 },
        {
          onOpen: () => {
            this.#opened();
            stopPings = clock.every(limits.agentPingMs, () => this.#ping());
          },
          onText: (text) => this.#onText(text),
          onBinary: (data) => this.#onBinary(data),
          onEnd: resolve,
        },
      );
      signal.addEventListener("abort", stop);
      if (signal.aborted) stop();
    });
    this.#over.abort();
    signal.removeEventListener("abort", stop);
    stopPings();
    this.#link?.close();
    const openMs = this.#openedAt === null ? 0 : clock.now() - this.#openedAt;
    return { end, told: this.#told, openMs };
  }

  /**
   * Wants nobody new here and finishes what lives. The cloud closes the connection when nothing does:
   * it alone knows of a stream that is just being opened. After `ms` it is closed from here.
   */
  async leave(ms: number): Promise<void> {
    if (this.#leaving) return;
    this.#leaving = true;
    if (this.#openedAt !== null) {
      const frame = { type: frameType.goaway, end: false, stream: 0, payload: [] };
      this.#socket?.send(encodeMessage([frame]));
      await this.#with.clock.sleep(ms, this.#over.signal);
    }
    await this.#endTunnels();
    if (!this.#over.signal.aborted) this.#socket?.close(1000, "the device goes");
  }

  /** Where the agent stops, no connection comes that could go on with them: their visitors are told. */
  async #endTunnels(): Promise<void> {
    const { tcp, signal, clock } = this.#with;
    if (tcp === null || tcp.size === 0 || !signal.aborted || this.#over.signal.aborted) return;
    tcp.end();
    await clock.sleep(limits.agentCloseMs, this.#over.signal);
  }

  #opened(): void {
    const { clock, device } = this.#with;
    this.#openedAt = clock.now();
    this.#heardAt = clock.now();
    this.#with.log(`Connected to ${device.cloud} as "${device.label}".`);
    this.#with.onOpen();
    void this.#sayService();
  }

  /** Asks for a sign of life; a peer that gave none for `limits.agentStaleMs` is gone. */
  #ping(): void {
    if (this.#with.clock.now() - this.#heardAt > limits.agentStaleMs) {
      this.#socket?.terminate();
      return;
    }
    this.#socket?.send(pingText);
    void this.#sayService();
    void this.#sayAddress();
  }

  /** Looks whether the local service answers, and says so when that is news. */
  async #sayService(): Promise<void> {
    const { service } = this.#with;
    const state = service === null ? "none" : (await answers(service)) ? "up" : "down";
    if (this.#over.signal.aborted || state === this.#said) return;
    this.#said = state;
    this.#socket?.send(JSON.stringify({ type: "service", state } satisfies AgentNotice));
  }

  /** While the name is on: which IPv6 address the box keeps, when that is news. */
  async #sayAddress(): Promise<void> {
    const ipv6 = await this.#with.kept.now();
    if (this.#over.signal.aborted || ipv6 === null || ipv6 === this.#saidIpv6) return;
    this.#saidIpv6 = ipv6;
    this.#socket?.send(JSON.stringify({ type: "address", ipv6 } satisfies AddressNotice));
  }

  #onText(text: string): void {
    this.#heardAt = this.#with.clock.now();
    const notice = parseNotice(text);
    if (notice?.type === "unregistered") this.#told = true;
    if (notice?.type === "label") this.#rename(notice.label);
    if (notice?.type !== "features") return;
    this.#setLink(notice.link);
    this.#with.kept.want(notice.name === true);
    // A name that was switched on anew knows nothing.
    if (notice.name !== true) this.#saidIpv6 = null;
    void this.#sayAddress();
    void this.#with.shortcut?.follow(notice.lan === true, (said) => this.#socket?.send(said));
  }

  #rename(label: unknown): void {
    if (typeof label !== "string" || checkLabel(label) === "label-syntax") return;
    this.#with.onLabel(label);
  }

  #onBinary(data: Uint8Array): void {
    this.#heardAt = this.#with.clock.now();
    this.#link?.onMessage(data);
  }

  #setLink(on: boolean): void {
    const { service, tcp, log, device } = this.#with;
    if (on === (this.#link !== null)) return;
    if (!on) {
      this.#link?.close();
      this.#link = null;
      log("Link is off.");
      return;
    }
    this.#link = new LinkServer({
      origin: service,
      tcp,
      send: (message, sent) => this.#socket?.send(message, sent),
      bufferedAmount: () => this.#socket?.bufferedAmount() ?? 0,
      onProtocolError: (reason) => this.#socket?.close(closeCodes.protocolError, reason),
      onGoAway: () => this.#relieve(),
      bulk: bulkLaneTo(device.cloud, device.device_id),
    });
    log(
      service === null && tcp === null
        ? "Link is on, but this box offers nothing: start it with --serve URL."
        : `Link is on: ${device.link}`,
    );
  }
}

/** What the edge said; null for a pong and for what a later version may say. */
function parseNotice(text: string): EdgeNotice | null {
  try {
    const notice = JSON.parse(text) as EdgeNotice | null;
    return typeof notice === "object" ? notice : null;
  } catch {
    return null;
  }
}
