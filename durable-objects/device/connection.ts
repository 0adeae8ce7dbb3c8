/**
 * The device's connection as its owner sees it: what is on record of it, and who looks on.
 *
 * The current connection record is one sealed row, overwritten, gone 24 hours after the device went
 * offline (CON-2), and absent while every feature is off (FEA-1). It never keeps an earlier address.
 */

import { attachmentMap } from "../../db/data-map/device.ts";
import type { ExportedTable } from "../../db/data-map/export.ts";
import type { Sealer } from "../../db/seal.ts";
import { limits } from "../../protocol/limits.ts";
import { type AgentAttachment, type Agents, agentOf, heardAt, trySend } from "./agents.ts";
import type { DeviceContext, Socket } from "./context.ts";
import type { FeatureStates } from "./features.ts";
import type { AgentHealth, ConnectionDescription, DeviceDescription } from "./rpc.ts";

const WATCH = "watch";

interface WatchAttachment {
  readonly kind: typeof WATCH;
  /** A session may have ended meanwhile, so a view is shown again after this only if asked again. */
  readonly until: number;
}

export class Connection {
  readonly #context: DeviceContext;
  readonly #sealer: Sealer;
  readonly #agents: Agents;
  #toldAt = 0;

  constructor(context: DeviceContext, sealer: Sealer, agents: Agents) {
    this.#context = context;
    this.#sealer = sealer;
    this.#agents = agents;
  }

  /** Upgrades the owner's console, which then receives every change; the oldest view gives way. */
  acceptWatch(request: Request): Response {
    const watchers = this.#context.sockets.tagged(WATCH);
    const oldest = watchers.sort((a, b) => watchUntil(a) - watchUntil(b));
    for (const socket of oldest.slice(
      0,
      Math.max(0, watchers.length + 1 - limits.watchersPerDevice),
    )) {
      socket.close(1000, "too many views");
    }
    const until = this.#context.clock.now() + limits.watchMs;
    const attachment: WatchAttachment = { kind: WATCH, until };
    return this.#context.sockets.accept(request, [WATCH], attachment);
  }

  /** True while at least one of the device's sockets has somebody at its other end. */
  get online(): boolean {
    return this.#newest() !== null;
  }

  /** The TCP services that the device offers now, sorted. */
  tcpServices(): readonly string[] {
    return this.#agents.tcpServices();
  }

  /** Where the newest connection comes from; null when the device is offline. */
  address(): string | null {
    return this.#newest()?.address ?? null;
  }

  /** The IPv6 address that the newest connection says it keeps; null: it has not said. */
  kept(): string | null {
    return this.#newest()?.ipv6 ?? null;
  }

  /**
   * Each connection that stands, the newest first.
   * @param streamsOf how many visitors' requests are on their way over a socket
   */
  health(streamsOf: (socket: Socket) => number): AgentHealth[] {
    return this.#agents.live().flatMap((socket) => {
      const agent = agentOf(socket);
      if (agent === null) return [];
      return {
        id: agent.id,
        since: agent.since,
        heardAt: heardAt(socket),
        agent: agent.agent,
        service: agent.service,
        leaving: agent.leavingSince !== null,
        streams: streamsOf(socket),
      };
    });
  }

  async describe(): Promise<ConnectionDescription | null> {
    const live = this.#newest();
    if (live !== null) {
      const { since, address, agent } = live;
      return { online: true, since, address, agent };
    }
    const row = this.#row();
    if (row === null) return null;
    if (row.expires_at !== null && row.expires_at <= this.#context.clock.now()) return null;
    const text = await this.#sealer.open(this.#key(), "connection.record", row.record_sealed);
    if (text === null) return null;
    const record = JSON.parse(text) as { since: number; address: string | null; agent: string };
    return { online: false, ...record };
  }

  /** What the live sockets carry in memory, also while every feature is off; null when offline. */
  liveForExport(): ExportedTable | null {
    const rows = this.#agents.live().flatMap((socket) => {
      const attachment = agentOf(socket);
      if (attachment === null) return [];
      const { since, address, agent, ipv6, tcp, service } = attachment;
      return {
        ...{ since: new Date(since).toISOString(), address, agent, ipv6, service },
        tcp: tcp.join(" "),
      };
    });
    if (rows.length === 0) return null;
    return { table: "live socket", class: attachmentMap.agent.class, sources: {}, rows };
  }

  /** Tells the device what is on, and keeps the record in step: no feature on, no record. */
  async featuresChanged(features: FeatureStates): Promise<void> {
    this.#agents.tellFeatures(features);
    if (features.name || features.link) await this.recordLive();
    else this.#context.sql.run("DELETE FROM connection");
  }

  /** Writes the newest connection down; nothing while the device is offline. */
  async recordLive(): Promise<void> {
    const live = this.#newest();
    if (live !== null) await this.#record(live);
  }

  /** A socket went: the newest that is left is on record, or when the last one was heard of. */
  async agentClosed(socket: Socket, features: FeatureStates): Promise<void> {
    const gone = agentOf(socket);
    if (gone === null || (!features.name && !features.link)) return;
    const live = this.#newest();
    if (live !== null && live.since >= gone.since) return; // that one is on record already
    await this.#record(live ?? { ...gone, since: this.#context.clock.now() });
  }

  /** True when somebody looks on who was told long enough ago; `now`: who was told just now too. */
  wantsNews(now: boolean): boolean {
    const at = this.#context.clock.now();
    if (!now && at - this.#toldAt < limits.trafficTellMs) return false;
    return this.#context.sockets.tagged(WATCH).length > 0;
  }

  tellWatchers(description: DeviceDescription): void {
    const text = JSON.stringify(description);
    const now = this.#context.clock.now();
    this.#toldAt = now;
    for (const socket of this.#context.sockets.tagged(WATCH)) {
      if (watchUntil(socket) > now) trySend(socket, text);
      else socket.close(1000, "ask again");
    }
  }

  closeWatchers(reason: string): void {
    for (const socket of this.#context.sockets.tagged(WATCH)) socket.close(1000, reason);
  }

  nextExpiry(): number | null {
    return this.#row()?.expires_at ?? null;
  }

  /**
   * Destroys the key of a record whose time has come, then deletes the record: while a row stands, a
   * key that could not be destroyed is tried again. While the device is connected
   * the record is renewed instead: a close that nobody could tell us of (a crash) ends it in time too.
   */
  async sweep(): Promise<void> {
    const expiresAt = this.#row()?.expires_at ?? null;
    if (expiresAt === null || expiresAt > this.#context.clock.now()) return;
    if (this.online) {
      this.#context.sql.run("UPDATE connection SET expires_at = ?", this.#leaseEnd());
      return;
    }
    await this.destroyKey();
    this.#context.sql.run("DELETE FROM connection");
  }

  destroyKey(): Promise<void> {
    return this.#sealer.destroy(this.#key());
  }

  #newest(): AgentAttachment | null {
    const [socket] = this.#agents.live();
    return socket === undefined ? null : agentOf(socket);
  }

  #leaseEnd(): number {
    return this.#context.clock.now() + limits.connectionAfterOfflineMs;
  }

  async #record(attachment: Pick<AgentAttachment, "since" | "address" | "agent">): Promise<void> {
    const { since, address, agent } = attachment;
    // The key of a record whose time has come goes before anything new is sealed.
    if ((this.nextExpiry() ?? Infinity) <= this.#context.clock.now()) await this.destroyKey();
    const sealed = await this.#sealer.seal(
      this.#key(),
      "connection.record",
      JSON.stringify({ since, address, agent }),
    );
    this.#context.sql.run(
      `INSERT INTO connection (row, record_sealed, expires_at) VALUES (1, ?, ?)
       ON CONFLICT (row) DO UPDATE SET record_sealed = excluded.record_sealed,
         expires_at = excluded.expires_at`,
      sealed,
      this.#leaseEnd(),
    );
  }

  #row(): { record_sealed: string; expires_at: number | null } | null {
    return (
      this.#context.sql.all<{ record_sealed: string; expires_at: number | null }>(
        "SELECT record_sealed, expires_at FROM connection",
      )[0] ?? null
    );
  }

  #key(): `feature/${string}/connection` {
    return `feature/${this.#context.deviceId}/connection`;
  }
}

function watchUntil(socket: Socket): number {
  return (socket.attachment() as WatchAttachment | null)?.until ?? 0;
}
