/**
 * The device's own socket and what its owner sees of it.
 *
 * The current connection record is one sealed row, overwritten, gone 24 hours after the device went
 * offline (CON-2), and absent while every feature is off (FEA-1). It never keeps an earlier address.
 */

import { attachmentMap } from "../../db/data-map/device.ts";
import type { ExportedTable } from "../../db/data-map/export.ts";
import type { Sealer } from "../../db/seal.ts";
import { agentSubprotocol, closeCodes, type EdgeNotice } from "../../protocol/agent.ts";
import { limits } from "../../protocol/limits.ts";
import type { DeviceContext, Socket } from "./context.ts";
import type { FeatureStates } from "./features.ts";
import type { ConnectionDescription, DeviceDescription } from "./rpc.ts";
import { peerHeader } from "./rpc.ts";

const AGENT = "agent";
const WATCH = "watch";

/** What stands in a socket's attachment: survives hibernation, is on no disk of ours. */
interface AgentAttachment {
  readonly kind: typeof AGENT;
  readonly epoch: number;
  readonly since: number;
  readonly address: string | null;
  readonly agent: string;
  /** The assertion that opened it: not good for a second socket, also after hibernation. */
  readonly jti: string;
}

interface WatchAttachment {
  readonly kind: typeof WATCH;
  /** A session may have ended meanwhile, so a view is shown again after this only if asked again. */
  readonly until: number;
}

export class Connection {
  readonly #context: DeviceContext;
  readonly #sealer: Sealer;
  /** Assertions already used, until they expire: one assertion opens one socket. */
  readonly #usedAssertions = new Map<string, number>();

  constructor(context: DeviceContext, sealer: Sealer) {
    this.#context = context;
    this.#sealer = sealer;
  }

  /**
   * Checks the assertion of a device that wants a socket, and uses it up.
   * @returns its unique identifier; null when anything is off or it was used before
   */
  async admit(request: Request, publicKey: string): Promise<string | null> {
    const now = this.#context.clock.now();
    const token = request.headers.get("authorization")?.replace(/^Bearer /i, "") ?? "";
    const audience = new URL(request.url).origin;
    // Loaded by the first device: the library of tokens is an eighth of what a start would evaluate.
    const { verifyAssertion } = await import("../../protocol/assertion.ts");
    const assertion = await verifyAssertion(publicKey, token, audience, now);
    if (assertion === null || assertion.deviceId !== this.#context.deviceId) return null;
    for (const [jti, expiresAt] of this.#usedAssertions) {
      if (expiresAt * 1000 + limits.agentAssertionMs < now) this.#usedAssertions.delete(jti);
    }
    const { jti } = assertion;
    const used = this.#agents().some((socket) => agentOf(socket)?.jti === jti);
    if (used || this.#usedAssertions.has(jti)) return null;
    this.#usedAssertions.set(jti, assertion.expiresAt);
    return jti;
  }

  /** Upgrades the request of an admitted device; a newer connection replaces the older one. */
  acceptAgent(request: Request, jti: string, features: FeatureStates): Response {
    const older = this.#agents();
    const attachment: AgentAttachment = {
      kind: AGENT,
      epoch: Math.max(0, ...older.map((socket) => agentOf(socket)?.epoch ?? 0)) + 1,
      since: this.#context.clock.now(),
      address: request.headers.get(peerHeader),
      agent: (request.headers.get("user-agent") ?? "").slice(0, 100),
      jti,
    };
    const response = this.#context.sockets.accept(request, [AGENT], attachment);
    response.headers.set("sec-websocket-protocol", agentSubprotocol);
    for (const socket of older) socket.close(closeCodes.replaced, "replaced by a newer connection");
    this.#tellFeatures(features);
    return response;
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

  /**
   * The live socket of the device: the one of the highest epoch; null when it is offline. A socket
   * that has not pinged for `limits.agentStaleMs` is one whose other end is gone, whatever TCP says.
   */
  agent(): Socket | null {
    let newest: Socket | null = null;
    for (const socket of this.#agents()) {
      if (this.#isStale(socket)) continue;
      if ((agentOf(socket)?.epoch ?? 0) > (newest === null ? 0 : (agentOf(newest)?.epoch ?? 0))) {
        newest = socket;
      }
    }
    return newest;
  }

  isAgent(socket: Socket): boolean {
    return agentOf(socket) !== null;
  }

  agentAddress(): string | null {
    const socket = this.agent();
    return socket === null ? null : (agentOf(socket)?.address ?? null);
  }

  async describe(): Promise<ConnectionDescription | null> {
    const live = this.agent();
    const attachment = live === null ? null : agentOf(live);
    if (attachment !== null) {
      return {
        online: true,
        since: attachment.since,
        address: attachment.address,
        agent: attachment.agent,
      };
    }
    const row = this.#row();
    if (row === null) return null;
    if (row.expires_at !== null && row.expires_at <= this.#context.clock.now()) return null;
    const text = await this.#sealer.open(this.#key(), "connection.record", row.record_sealed);
    if (text === null) return null;
    const record = JSON.parse(text) as { since: number; address: string | null; agent: string };
    return { online: false, ...record };
  }

  /** What the live socket carries in memory, also while every feature is off; null when offline. */
  liveForExport(): ExportedTable | null {
    const live = this.agent();
    const attachment = live === null ? null : agentOf(live);
    if (attachment === null) return null;
    const { since, address, agent } = attachment;
    const row = { since: new Date(since).toISOString(), address, agent };
    return { table: "live socket", class: attachmentMap.agent.class, sources: {}, rows: [row] };
  }

  /** Tells the device what is on, and keeps the record in step: no feature on, no record. */
  async featuresChanged(features: FeatureStates): Promise<void> {
    this.#tellFeatures(features);
    if (features.name || features.link) await this.recordLive();
    else this.#context.sql.run("DELETE FROM connection");
  }

  /** Writes the live connection down; nothing while the device is offline. */
  async recordLive(): Promise<void> {
    const live = this.agent();
    const attachment = live === null ? null : agentOf(live);
    if (attachment !== null) await this.#record(attachment);
  }

  async agentClosed(socket: Socket, features: FeatureStates): Promise<void> {
    const gone = agentOf(socket);
    const live = this.agent();
    if (gone === null || (live !== null && (agentOf(live)?.epoch ?? 0) > gone.epoch)) return;
    if (!features.name && !features.link) return;
    await this.#record({ ...gone, since: this.#context.clock.now() });
  }

  tellWatchers(description: DeviceDescription): void {
    const text = JSON.stringify(description);
    const now = this.#context.clock.now();
    for (const socket of this.#context.sockets.tagged(WATCH)) {
      if (watchUntil(socket) > now) trySend(socket, text);
      else socket.close(1000, "ask again");
    }
  }

  closeAll(reason: "unregistered"): void {
    for (const socket of this.#agents()) {
      trySend(socket, JSON.stringify({ type: "unregistered" } satisfies EdgeNotice));
      socket.close(closeCodes.unregistered, reason);
    }
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
    if (this.agent() !== null) {
      this.#context.sql.run("UPDATE connection SET expires_at = ?", this.#leaseEnd());
      return;
    }
    await this.destroyKey();
    this.#context.sql.run("DELETE FROM connection");
  }

  destroyKey(): Promise<void> {
    return this.#sealer.destroy(this.#key());
  }

  /** The device's sockets, the stale ones too. */
  #agents(): Socket[] {
    return this.#context.sockets.tagged(AGENT);
  }

  #isStale(socket: Socket): boolean {
    const heardAt = Math.max(socket.heardAt() ?? 0, agentOf(socket)?.since ?? 0);
    return this.#context.clock.now() - heardAt > limits.agentStaleMs;
  }

  #leaseEnd(): number {
    return this.#context.clock.now() + limits.connectionAfterOfflineMs;
  }

  async #record(attachment: AgentAttachment): Promise<void> {
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

  #tellFeatures(features: FeatureStates): void {
    const live = this.agent();
    if (live === null) return;
    trySend(live, JSON.stringify({ type: "features", ...features } satisfies EdgeNotice));
  }

  #key(): `feature/${string}/connection` {
    return `feature/${this.#context.deviceId}/connection`;
  }
}

function agentOf(socket: Socket): AgentAttachment | null {
  const attachment = socket.attachment() as AgentAttachment | { kind: string } | null;
  return attachment?.kind === AGENT ? (attachment as AgentAttachment) : null;
}

function watchUntil(socket: Socket): number {
  return (socket.attachment() as WatchAttachment | null)?.until ?? 0;
}

/** A socket may have closed between the look and the word; its close event tells the rest. */
function trySend(socket: Socket, text: string): void {
  try {
    socket.send(text);
  } catch {
    // The close handler runs for this socket; nothing is owed to it.
  }
}
