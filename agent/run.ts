/**
 * Keeps the device connected: comes back by itself after a connection ended (connection.ts), has
 * another ready before it gives up one that the cloud wants replaced, and stops when the cloud says that
 * the device is unregistered. It decides nothing about visitors; the edge does.
 */

import { closeCodes } from "../protocol/agent.ts";
import { limits } from "../protocol/limits.ts";
import { base64url } from "../protocol/tokens.ts";
import { KeptAddress, keptIpv6 } from "./addresses.ts";
import { backoffMs, failuresAfter } from "./backoff.ts";
import { keepCertified } from "./certificate.ts";
import { CertificateFiles } from "./certificate-files.ts";
import { type AgentClock, systemClock } from "./clock.ts";
import { isLoopback } from "./cloud.ts";
import { Connection, type ConnectionOptions } from "./connection.ts";
import { AgentFailure, exitCodes } from "./failure.ts";
import { Home, renamed } from "./home.ts";
import { answers, serviceOrigin } from "./service.ts";
import { readShortcut, Shortcut, type ShortcutFlags } from "./shortcut.ts";
import { type OpenSocket, openSocket, type SocketEnd } from "./socket.ts";
import { tlsIdentity } from "./tunnel/certificate.ts";
import { TcpServices, tcpTargets } from "./tunnel/services.ts";

export type RunEnd = "stopped" | "replaced" | "unregistered";

export interface RunOptions {
  /** The agent's folder. */
  readonly home: string;
  /** The local service that Link offers; null offers none. */
  readonly serve: string | null;
  /** Where its page is without the relay; none offers no shortcut. */
  readonly shortcut?: ShortcutFlags;
  /** TCP services for tunnels, each as `name=host:port`, beside those of the home file. */
  readonly tcp?: readonly string[];
  /** Tells a person what happens; never an address, a path or a visitor. */
  log(line: string): void;
  /** Stops the agent cleanly. */
  readonly signal: AbortSignal;
  readonly clock?: AgentClock;
  /** Uniform in [0, 1). */
  readonly chance?: () => number;
  readonly open?: OpenSocket;
  /** The IPv6 address that the box keeps. */
  readonly kept?: () => Promise<string | null>;
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
      if (end.status === 409) {
        const why = "As many programs of this box are connected as may be.";
        return { kind: "again", why };
      }
      return { kind: "again", why: `The cloud answered with status ${end.status}.` };
    case "unreachable":
      return { kind: "again", why: `The cloud cannot be reached: ${end.reason}.` };
  }
}

/** Runs until the signal, or until the cloud ends it. @throws AgentFailure when not enrolled */
export async function run(options: RunOptions): Promise<RunEnd> {
  const clock = options.clock ?? systemClock;
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
  const files = new CertificateFiles(options.home);
  const own = await files.installed();
  const settings = await readShortcut(options.shortcut ?? {}, device.cloud, own);
  const { cloud, host } = device;
  const box = { cloud, host, privateKey: identity.privateKey };
  const shortcut =
    settings === null
      ? null
      : new Shortcut(settings, box, {
          clock,
          log: options.log,
          installed: () => files.installed(),
        });
  const tcp = await tcpServices(home, options.tcp ?? []);
  let over = new AbortController();
  const certified = () =>
    keepCertified({
      ...{ home: options.home, log: options.log, clock },
      signal: AbortSignal.any([options.signal, over.signal]),
      async onNew() {
        const renewed = await files.installed();
        if (renewed !== null) await shortcut?.renew(renewed);
      },
    }).catch((error: Error) => options.log(`The certificate is not renewed: ${error.message}`));
  let renewing = certified();
  const isTrial = isLoopback(new URL(cloud).hostname);
  const kept = new KeptAddress(options.kept ?? (() => keptIpv6(isTrial)));
  const all = { device, identity, service, shortcut, tcp, kept };
  /** From now on the box is what the cloud calls it: so does its next connection, and its certificate. */
  const rename = async (label: string) => {
    if (all.device.label === label) return;
    all.device = renamed(all.device, label);
    await home.saveDevice(all.device);
    options.log(`This box is now "${label}": ${all.device.link}, ${all.device.host}`);
    shortcut?.rename(all.device.host);
    over.abort();
    await renewing;
    over = new AbortController();
    renewing = certified();
  };
  let renaming: Promise<void> = Promise.resolve();
  const onLabel = (label: string) => {
    renaming = renaming
      .then(() => rename(label))
      .catch((error: Error) => options.log(`The new name is not kept: ${error.message}`));
  };
  const next = await keepConnected(all, onLabel, options);
  await renaming;
  over.abort();
  tcp?.end();
  await Promise.all([renewing, shortcut?.close()]);
  if (next === "unregistered") await home.forget();
  return next;
}

/** The services that were typed, and before them those that stand in the home file; null: none. */
async function tcpServices(home: Home, typed: readonly string[]): Promise<TcpServices | null> {
  const targets = tcpTargets([...(await home.tcpServices()), ...typed]);
  const key = targets.size === 0 ? null : await home.keyItself();
  return key === null ? null : new TcpServices(targets, tlsIdentity(key));
}

/** Comes back after each end that is none, and has another connection before it gives up one. */
async function keepConnected(
  box: Pick<ConnectionOptions, "device" | "identity" | "service" | "shortcut" | "tcp" | "kept">,
  onLabel: (label: string) => void,
  options: RunOptions,
): Promise<RunEnd> {
  const { signal, log } = options;
  const clock = options.clock ?? systemClock;
  const chance = options.chance ?? Math.random;
  const open = options.open ?? openSocket;
  const id = newProgramId();
  /** Connections that the cloud wants replaced, and their ends. */
  const relieved = new Map<Connection, Promise<unknown>>();
  let failures = 0;
  for (let epoch = 1; !signal.aborted; epoch++) {
    const connection = new Connection({
      ...box,
      greeting: { id, epoch },
      open,
      clock,
      signal,
      log,
      onLabel,
      onOpen: () => {
        for (const older of relieved.keys()) void older.leave(limits.linkDrainMs);
      },
    });
    const ended = connection.run();
    const what = await Promise.race([ended, connection.relief]);
    if (what === "relief") {
      relieved.set(
        connection,
        ended.finally(() => relieved.delete(connection)),
      );
      log("The cloud asks for another connection.");
      failures = 0;
      await clock.sleep(chance() * limits.agentBackoffMinMs, signal);
      continue;
    }
    if (signal.aborted) break;
    const next = afterConnection(what.end, what.told);
    if (next.kind === "end") return next.end;
    failures = failuresAfter(failures, what.openMs);
    const waitMs = backoffMs(failures, chance());
    log(`${next.why} Trying again in ${(waitMs / 1000).toFixed(1)} s.`);
    await clock.sleep(waitMs, signal);
  }
  await Promise.all(relieved.values());
  return "stopped";
}

/** Tells the programs of a box apart while they run; says nothing of the box. */
function newProgramId(): string {
  return base64url(crypto.getRandomValues(new Uint8Array(16)));
}
