/**
 * Tokens of a device's name: bearer secrets for routers, programs and certificate clients. Each does
 * what its scopes say, from the networks its owner allows, until its day; of it a hash is held only.
 * What its owner calls it and where it works from is sealed under the name's key.
 */

import type { KeyName } from "../../db/primitives.ts";
import type { Sealer } from "../../db/seal.ts";
import { isInNetwork, parseNetwork, parsePeer } from "../../protocol/addresses.ts";
import { newId, regionOf } from "../../protocol/ids.ts";
import { DAY, HOUR, limits } from "../../protocol/limits.ts";
import { hashToken, newToken } from "../../protocol/tokens.ts";
import type { DeviceContext } from "./context.ts";
import {
  type IdleNameTokens,
  type MadeNameToken,
  type NameDescription,
  type NameScope,
  type NameTokenDescription,
  type NewNameToken,
  nameScopes,
} from "./name-rpc.ts";

interface TokenRow extends Record<string, string | number | null> {
  id: string;
  scopes: string;
  what_sealed: string;
  created_at: number;
  used_day: number | null;
  ends_at: number | null;
  flood_hours: number;
  flooded_at: number | null;
  /** The end without use that its owner was told of. */
  told_end: number | null;
}

/** A token, with how many hours there were in which its client asked far too often. */
export type KnownToken = NameTokenDescription & { readonly floodHours: number };

/** What is sealed of a token. */
type What = Pick<NewNameToken, "name" | "networks" | "labels" | "allDevices">;

/** When a token ends that is not used again; as SQL, for a row. */
const IDLE_END = `max(created_at, coalesce(used_day, 0)) + ${limits.nameTokenIdleMs}`;

/** One that nobody used for too long, as it ended. */
export interface IdleToken {
  readonly name: string;
}

export class NameTokens {
  readonly #context: DeviceContext;
  readonly #sealer: Sealer;
  readonly #key: KeyName;
  readonly #isOn: () => boolean;
  /** Opened, by their hashes, so that a client which comes often costs no look at the disk. */
  readonly #known = new Map<string, KnownToken>();
  /**
   * Calls in the hour that runs, by token. In memory only: counting must cost no write, and a client
   * that lets the object sleep in between is no flood.
   */
  readonly #calls = new Map<string, { hour: number; count: number }>();
  /** Counts changes, so that a slow reading keeps nothing old. */
  #changes = 0;

  /** @param isOn whether the name is on at this moment; whatever awaits asks again after */
  constructor(context: DeviceContext, sealer: Sealer, key: KeyName, isOn: () => boolean) {
    this.#context = context;
    this.#sealer = sealer;
    this.#key = key;
    this.#isOn = isOn;
  }

  /**
   * The token that may do `scope` from where it comes, for all of `labels`. Null for wrong, ended, for
   * something else and from elsewhere alike.
   * @param from the client's address; null when it is not known
   */
  async find(
    secret: string,
    scope: NameScope,
    from: string | null,
    labels: readonly string[] = [],
  ): Promise<KnownToken | null> {
    const hash = await hashToken(secret);
    const token = await this.#ofHash(hash);
    const now = this.#context.clock.now();
    if (token === null || !this.#isOn()) return null;
    if ((token.endsAt ?? Infinity) <= now || token.idleEndsAt <= now) return null;
    if (!token.scopes.includes(scope) || !worksFrom(token.networks, from)) return null;
    if (!speaksFor(token, labels)) return null;
    return this.#noteUse(hash, token, now);
  }

  /**
   * Counts a call of a token's client. In an hour with too many of them its owner is told; after
   * `limits.updateFloodHours` of those it is refused until they look.
   * @returns true while it is refused
   */
  isBlocked(token: KnownToken): boolean {
    if (token.isBlocked) return true;
    const { sql, clock } = this.#context;
    const now = clock.now();
    const hour = Math.floor(now / HOUR);
    const before = this.#calls.get(token.id);
    const count = before?.hour === hour ? before.count + 1 : 1;
    this.#calls.set(token.id, { hour, count });
    if (count !== limits.updateCallsPerHour + 1) return false;
    sql.run(
      "UPDATE name_token SET flood_hours = flood_hours + 1, flooded_at = ? WHERE id = ?",
      ...[now, token.id],
    );
    this.forgetMemory();
    return token.floodHours + 1 >= limits.updateFloodHours;
  }

  /** The owner has looked. @returns as `end` */
  async excuse(id: string): Promise<string | null> {
    const row = this.#isOn() ? this.#rows().find((one) => one.id === id) : undefined;
    if (row === undefined) return null;
    const query = "UPDATE name_token SET flood_hours = 0, flooded_at = NULL WHERE id = ?";
    this.#context.sql.run(query, id);
    this.#calls.delete(id);
    this.forgetMemory();
    return (await this.#opened(row)).name;
  }

  /** How many work now, of how many the client asks far too often, and how many end soon, unused. */
  counts(): Pick<NameDescription, "tokens" | "flooding" | "idle"> {
    const rows = this.#isOn() ? this.#rows() : [];
    const flooding = rows.filter((row) => row.flooded_at !== null).length;
    const soon = this.#context.clock.now() + limits.nameTokenIdleToldMs;
    const idle = rows.filter((row) => idleEndOf(row) <= soon).length;
    return { tokens: rows.length, flooding, idle };
  }

  async list(): Promise<NameTokenDescription[]> {
    const rows = this.#isOn() ? this.#rows() : [];
    const opened = await Promise.all(rows.map((row) => this.#opened(row)));
    return opened.map(({ floodHours: _, ...token }) => token);
  }

  async takeIdle(): Promise<IdleNameTokens> {
    const { sql, clock } = this.#context;
    const soon = clock.now() + limits.nameTokenIdleToldMs;
    const rows = this.#isOn() ? this.#rows() : [];
    const idle = rows.filter((row) => idleEndOf(row) <= soon);
    const opened = await Promise.all(idle.map((row) => this.#opened(row)));
    const query =
      "UPDATE name_token SET told_end = ? WHERE id = ? AND told_end IS NOT ? RETURNING id";
    const told = opened.filter(
      ({ id, idleEndsAt, endsAt }) =>
        (endsAt ?? Infinity) > idleEndsAt && sql.all(query, idleEndsAt, id, idleEndsAt).length > 0,
    );
    // One that is told of has ended by then, or was used again.
    const times = rows.map((row) => {
      const end = idleEndOf(row);
      return end <= soon ? end : end - limits.nameTokenIdleToldMs;
    });
    return {
      ending: told.map(({ name, idleEndsAt }) => ({ name, endsAt: idleEndsAt })),
      lookAt: times.length === 0 ? null : Math.min(...times),
    };
  }

  async make(asked: NewNameToken): Promise<MadeNameToken> {
    const { sql, random, clock, deviceId } = this.#context;
    const region = regionOf(deviceId) ?? "home";
    const bytes = (count: number) => random.bytes(count);
    const [id, secret] = [newId("ntk", region, bytes), newToken("upd", region, bytes)];
    const { name, networks, endsAt, labels, allDevices } = asked;
    const what: What = { name, networks, labels, allDevices };
    const hash = await hashToken(secret);
    if (!this.#isOn()) return { kind: "off" };
    const sealed = await this.#sealer.seal(this.#key, placeOf(id), JSON.stringify(what));
    if (!this.#isOn()) return { kind: "off" };
    if (this.#rows().length >= limits.nameTokensPerDevice) return { kind: "full" };
    const scopes = nameScopes.filter((scope) => asked.scopes.includes(scope));
    const createdAt = clock.now();
    sql.run(
      `INSERT INTO name_token (id, secret_hash, scopes, what_sealed, created_at, ends_at)
       VALUES (?, ?, ?, ?, ?, ?)`,
      ...[id, hash, scopes.join(" "), sealed, createdAt, endsAt],
    );
    const idleEndsAt = createdAt + limits.nameTokenIdleMs;
    const fresh = { usedDay: null, idleEndsAt, floodedAt: null, isBlocked: false };
    const token = { id, ...what, scopes, createdAt, endsAt, ...fresh };
    return { kind: "made", token, secret };
  }

  /** @returns what its owner called it; null when there is none of that id */
  async end(id: string): Promise<string | null> {
    const row = this.#isOn() ? this.#rows().find((one) => one.id === id) : undefined;
    if (row === undefined) return null;
    this.#context.sql.run("DELETE FROM name_token WHERE id = ?", id);
    this.forgetMemory();
    return (await this.#opened(row)).name;
  }

  clear(): void {
    this.#context.sql.run("DELETE FROM name_token");
    this.forgetMemory();
  }

  forgetMemory(): void {
    this.#known.clear();
    this.#changes++;
  }

  /** When the next one ends by itself; null when none does. */
  nextExpiry(): number | null {
    const query = `SELECT min(min(coalesce(ends_at, 9e15), ${IDLE_END})) AS at FROM name_token`;
    return this.#context.sql.all<{ at: number | null }>(query)[0]?.at ?? null;
  }

  /** Deletes what has ended. @returns those that ended because nobody used them */
  async sweep(): Promise<readonly IdleToken[]> {
    const { sql, clock } = this.#context;
    const now = clock.now();
    const query = `SELECT * FROM name_token WHERE ${IDLE_END} <= ?`;
    const idle = await Promise.all(sql.all<TokenRow>(query, now).map((row) => this.#opened(row)));
    const end = `DELETE FROM name_token WHERE ends_at <= ? OR ${IDLE_END} <= ? RETURNING id`;
    const gone = sql.all<{ id: string }>(end, now, now).map(({ id }) => id);
    if (gone.length > 0) this.forgetMemory();
    return idle.filter(({ id, endsAt }) => gone.includes(id) && (endsAt ?? Infinity) > now);
  }

  async #ofHash(hash: string): Promise<KnownToken | null> {
    for (;;) {
      const known = this.#known.get(hash);
      if (known !== undefined) return known;
      if (!this.#isOn()) return null;
      const changes = this.#changes;
      const query = "SELECT * FROM name_token WHERE secret_hash = ?";
      const [row] = this.#context.sql.all<TokenRow>(query, hash);
      if (row === undefined) return null;
      const token = await this.#opened(row);
      if (changes === this.#changes) this.#known.set(hash, token);
    }
  }

  /** That it was used today: at most one write a day, and none that says more than the day. */
  #noteUse(hash: string, token: KnownToken, now: number): KnownToken {
    const today = Math.floor(now / DAY) * DAY;
    if ((token.usedDay ?? 0) >= today) return token;
    this.#context.sql.run("UPDATE name_token SET used_day = ? WHERE id = ?", today, token.id);
    const idleEndsAt = today + limits.nameTokenIdleMs;
    const used = { ...token, usedDay: today, idleEndsAt };
    this.#known.set(hash, used);
    return used;
  }

  #rows(): TokenRow[] {
    const query = `SELECT id, scopes, what_sealed, created_at, used_day, ends_at, flood_hours,
        flooded_at, told_end FROM name_token
      WHERE (ends_at IS NULL OR ends_at > ?) AND ${IDLE_END} > ? ORDER BY created_at, id`;
    const now = this.#context.clock.now();
    return this.#context.sql.all<TokenRow>(query, now, now);
  }

  /** Without its key, which a switch-off may just have destroyed, a token works from nowhere. */
  async #opened(row: TokenRow): Promise<KnownToken> {
    const text = await this.#sealer.open(this.#key, placeOf(row.id), row.what_sealed);
    const what: What = text === null ? LOST : JSON.parse(text);
    return {
      id: row.id,
      ...what,
      scopes: nameScopes.filter((scope) => row.scopes.split(" ").includes(scope)),
      createdAt: row.created_at,
      usedDay: row.used_day,
      idleEndsAt: idleEndOf(row),
      endsAt: row.ends_at,
      floodedAt: row.flooded_at,
      floodHours: row.flood_hours,
      isBlocked: row.flood_hours >= limits.updateFloodHours,
    };
  }
}

/** Lets nobody in: the empty text is no network. */
const LOST: What = { name: "", networks: [""], labels: [], allDevices: false };

/** When a token ends that is not used again. */
const idleEndOf = (row: TokenRow): number =>
  Math.max(row.created_at, row.used_day ?? 0) + limits.nameTokenIdleMs;

/** True for a token that speaks for all of these names. */
export function speaksFor(token: Pick<NewNameToken, "labels">, labels: readonly string[]): boolean {
  return token.labels.length === 0 || labels.every((label) => token.labels.includes(label));
}

function worksFrom(networks: readonly string[], from: string | null): boolean {
  if (networks.length === 0) return true;
  const address = parsePeer(from ?? "");
  if (address === null) return false;
  return networks.some((text) => {
    const network = parseNetwork(text);
    return network !== null && isInNetwork(address, network);
  });
}

/** The place that a token is sealed for. */
function placeOf(id: string): string {
  return `name_token.what:${id}`;
}
