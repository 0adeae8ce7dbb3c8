/**
 * Keeps the device's socket: connects, serves Link while it is on, notices a dead connection, comes
 * back by itself, and stops when the cloud says that another program took over or that the device is
 * unregistered. It decides nothing about visitors; the edge does.
 */

import packageJson from "../package.json" with { type: "json" };
import { closeCodes, type EdgeNotice, pingText } from "../protocol/agent.ts";
import { signAssertion } from "../protocol/assertion.ts";
import { limits } from "../protocol/limits.ts";
import { backoffMs } from "./backoff.ts";
import { type AgentClock, systemClock } from "./clock.ts";
import { AgentFailure, exitCodes } from "./failure.ts";
import { type EnrolledDevice, Home, type Identity } from "./home.ts";
import { LinkServer } from "./link.ts";
import { answers, serviceOrigin } from "./service.ts";
import { readShortcut, Shortcut, type ShortcutFlags } from "./shortcut.ts";
import { type AgentSocket, type OpenSocket, openSocket, type SocketEnd } from "./socket.ts";

export type RunEnd = "stopped" | "replaced" | "unregistered";

export interface RunOptions {
  /** The agent's folder. */
  readonly home: string;
  /** The local service that Link offers; null offers none. */
  readonly serve: string | null;
  /** Where its page is without the relay; none offers no shortcut. */
  readonly shortcut?: ShortcutFlags;
  /** Tells a person what happens; never an address, a path or a visitor. */
  log(line: string): void;
  /** Stops the agent cleanly. */
  readonly signal: AbortSignal;
  readonly clock?: AgentClock;
  /** Uniform in [0, 1). */
  readonly chance?: () => number;
  readonly open?: OpenSocket;
}

/** What happens after a connection ended. */
export type Next =
  | { readonly kind: "end"; readonly end: "replaced" | "unregistered" }
  | { readonly kind: "again"; readonly why: string };

/** Decides by how a connection ended; `told` is true when the cloud said that the device is gone. */
export function afterConnection(end: SocketEnd, told: boolean): Next {
  if (told) return { kind: "end", end: "unregistered" };
  switch (end.kind) {
    case "closed":
      if (end.code === closeCodes.unregistered) return { kind: "end", end: "unregistered" };
      if (end.code === closeCodes.replaced) return { kind: "end", end: "replaced" };
      return { kind: "again", why: "The connection was lost." };
    case "refused":
      if (end.status === 410) return { kind: "end", end: "unregistered" };
      if (end.status === 401) {
        return {
          kind: "again",
          why: "The cloud did not accept this box's word; is its clock right?",
        };
      }
      return { kind: "again", why: `The cloud answered with status ${end.status}.` };
    case "unreachable":
      return { kind: "again", why: `The cloud cannot be reached: ${end.reason}.` };
  }
}

/** Runs until the signal, or until the cloud ends it. @throws AgentFailure when not enrolled */
export async function run(options: RunOptions): Promise<RunEnd> {
  const clock = options.clock ?? systemClock;
  const chance = options.chance ?? Math.random;
  const home = new Home(options.home);
  const device = await home.device();
  const identity = await home.identity();
  if (device === null || identity === null) {
    throw new AgentFailure(
      "This box is not enrolled yet. Run `enroll --cloud URL` first.",
      exitCodes.notEnrolled,
    );
  }
  const service = options.serve === null ? null : serviceOrigin(options.serve);
  if (service !== null && !(await answers(service))) {
    options.log(`Nothing answers at ${service} yet; visitors see a page that says so.`);
  }
  const settings = await readShortcut(options.shortcut ?? {}, device.cloud);
  const { cloud, host } = device;
  const box = { cloud, host, privateKey: identity.privateKey };
  const shortcut =
    settings === null ? null : new Shortcut(settings, box, { clock, log: options.log });
  let failures = 0;
  while (!options.signal.aborted) {
    const connection = new Connection({ device, identity, service, shortcut, options, clock });
    const { end, told, openMs } = await connection.run();
    if (options.signal.aborted) break;
    const next = afterConnection(end, told);
    if (next.kind === "end") {
      await shortcut?.close();
      if (next.end === "unregistered") await home.forget();
      return next.end;
    }
    failures = openMs >= limits.agentStableMs ? 1 : failures + 1;
    const waitMs = backoffMs(failures, chance());
    options.log(`${next.why} Trying again in ${(waitMs / 1000).toFixed(1)} s.`);
    await clock.sleep(waitMs, options.signal);
  }
  await shortcut?.close();
  return "stopped";
}

interface ConnectionOptions {
  readonly device: EnrolledDevice;
  readonly identity: Identity;
  readonly service: string | null;
  readonly shortcut: Shortcut | null;
  readonly options: RunOptions;
  readonly clock: AgentClock;
}

interface ConnectionEnd {
  readonly end: SocketEnd;
  /** The cloud said that the device is gone. */
  readonly told: boolean;
  /** How long it was open. */
  readonly openMs: number;
}

/** One connection, from the upgrade to its end. */
class Connection {
  readonly #with: ConnectionOptions;
  #socket: AgentSocket | null = null;
  #link: LinkServer | null = null;
  #openedAt: number | null = null;
  #heardAt = 0;
  #told = false;

  constructor(options: ConnectionOptions) {
    this.#with = options;
  }

  async run(): Promise<ConnectionEnd> {
    const { device, identity, options, clock } = this.#with;
    const assertion = await signAssertion(
      identity.privateKey,
      device.device_id,
      device.cloud,
      clock.now(),
    );
    const open = options.open ?? openSocket;
    let stopPings: () => void = () => undefined;
    const stop = () => this.#socket?.close(1000, "the device stops");
    const end = await new Promise<SocketEnd>((resolve) => {
      this.#socket = open(device.cloud, assertion, `latchkey-agent/${packageJson.version}`, {
        onOpen: () => {
          this.#openedAt = clock.now();
          this.#heardAt = clock.now();
          stopPings = clock.every(limits.agentPingMs, () => this.#ping());
          options.log(`Connected to ${device.cloud} as "${device.label}".`);
        },
        onText: (text) => this.#onText(text),
        onBinary: (data) => this.#onBinary(data),
        onEnd: resolve,
      });
      options.signal.addEventListener("abort", stop);
      if (options.signal.aborted) stop();
    });
    options.signal.removeEventListener("abort", stop);
    stopPings();
    this.#link?.close();
    const openMs = this.#openedAt === null ? 0 : clock.now() - this.#openedAt;
    return { end, told: this.#told, openMs };
  }

  /** Asks for a sign of life; a peer that gave none for `limits.agentStaleMs` is gone. */
  #ping(): void {
    if (this.#with.clock.now() - this.#heardAt > limits.agentStaleMs) this.#socket?.terminate();
    else this.#socket?.send(pingText);
  }

  #onText(text: string): void {
    this.#heardAt = this.#with.clock.now();
    const notice = parseNotice(text);
    if (notice?.type === "unregistered") this.#told = true;
    if (notice?.type !== "features") return;
    this.#setLink(notice.link);
    void this.#with.shortcut?.follow(notice.lan === true, (said) => this.#socket?.send(said));
  }

  #onBinary(data: Uint8Array): void {
    this.#heardAt = this.#with.clock.now();
    this.#link?.onMessage(data);
  }

  #setLink(on: boolean): void {
    const { service, options } = this.#with;
    if (on === (this.#link !== null)) return;
    if (!on) {
      this.#link?.close();
      this.#link = null;
      options.log("Link is off.");
      return;
    }
    this.#link = new LinkServer({
      origin: service,
      send: (message, sent) => this.#socket?.send(message, sent),
      bufferedAmount: () => this.#socket?.bufferedAmount() ?? 0,
      onProtocolError: (reason) => this.#socket?.close(closeCodes.protocolError, reason),
    });
    options.log(
      service === null
        ? "Link is on, but this box offers nothing: start it with --serve URL."
        : `Link is on: ${this.#with.device.link}`,
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
