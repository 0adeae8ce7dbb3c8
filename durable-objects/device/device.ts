/**
 * A device: who owns it, which features are on, who may reach it. The only home of its live data.
 *
 * Every feature is off until its owner switches it on (FEA-1); switching off deletes its data and
 * destroys the key that sealed it (FEA-4). Unregistering drops the whole store (CON-11).
 */

import { Sealer } from "../../db/seal.ts";
import { parsePeer } from "../../protocol/addresses.ts";
import { limits } from "../../protocol/limits.ts";
import { Connection } from "./connection.ts";
import type { DeviceContext, Socket } from "./context.ts";
import { Door, refusal } from "./door.ts";
import { heldTables } from "./holdings.ts";
import { Link } from "./link/link.ts";
import { isRegistered, migrate } from "./migrations.ts";
import { Name } from "./name.ts";
import type {
  AccessMode,
  AddressUpdate,
  DeviceDescription,
  DeviceRpc,
  DoorCodeResult,
  FeatureName,
  HeldTable,
  NameRecords,
  Registration,
  UpdateResult,
  Way,
} from "./rpc.ts";
import { featureNames, wayHeader } from "./rpc.ts";

interface RegistrationRow extends Record<string, string | number> {
  device_id: string;
  account_id: string;
  public_key: string;
  label: string;
  access_mode: AccessMode;
  created_at: number;
}

interface FeatureRow extends Record<string, string | number> {
  name: FeatureName;
  since: number;
}

/** In place of `since`: the feature is off and its data gone, but its key is still to be destroyed. */
const KEY_REMAINS = 0;

export class Device implements DeviceRpc {
  readonly #context: DeviceContext;
  readonly #sealer: Sealer;
  readonly #name: Name;
  readonly #door: Door;
  readonly #connection: Connection;
  readonly #link: Link;
  #registered: boolean;
  /**
   * What changes features, the connection or the registration runs one after another, so that a seal
   * under way is done before a switch-off destroys its key, and no key is made again afterwards.
   */
  #turn: Promise<unknown> = Promise.resolve();
  /** Counts changes: watchers are told the newest state only, never an older one after it. */
  #changes = 0;

  constructor(context: DeviceContext) {
    this.#context = context;
    this.#sealer = new Sealer(context.keys, context.clock, context.random);
    this.#registered = isRegistered(context.sql);
    if (this.#registered) migrate(context.sql);
    this.#name = new Name(context, this.#sealer, () => this.#isOn("name"));
    this.#door = new Door(context);
    this.#link = new Link(context);
    this.#connection = new Connection(context, this.#sealer);
  }

  async register(registration: Registration): Promise<void> {
    const { sql, clock } = this.#context;
    if (registration.deviceId !== this.#context.deviceId)
      throw new Error("not this device's object");
    migrate(sql);
    this.#registered = true;
    sql.run(
      `INSERT INTO registration (device_id, account_id, public_key, label, access_mode, created_at)
       VALUES (?, ?, ?, ?, 'owner', ?) ON CONFLICT DO NOTHING`,
      registration.deviceId,
      registration.accountId,
      registration.publicKey,
      registration.label,
      clock.now(),
    );
  }

  async describe(): Promise<DeviceDescription | null> {
    const row = this.#row();
    if (row === null) return null;
    const features = this.#features();
    const people = this.#context.sql.all<{ account_id: string }>(
      "SELECT account_id FROM guest ORDER BY account_id",
    );
    return {
      id: row.device_id,
      accountId: row.account_id,
      label: row.label,
      publicKey: row.public_key,
      createdAt: row.created_at,
      features,
      access: { mode: row.access_mode, people: people.map((guest) => guest.account_id) },
      connection: features.name || features.link ? await this.#connection.describe() : null,
      name: features.name ? await this.#name.describe() : null,
    };
  }

  setFeature(feature: FeatureName, on: boolean): Promise<DeviceDescription | null> {
    return this.#inTurn(async () => {
      if (this.#row() === null) return null;
      if (on) await this.#switchOn(feature);
      else await this.#switchOff(feature);
      return await this.#changed();
    });
  }

  async setAccess(mode: AccessMode): Promise<DeviceDescription | null> {
    if (this.#row() === null) return null;
    this.#context.sql.run("UPDATE registration SET access_mode = ?", mode);
    this.#endVisitsWithoutRight();
    return await this.#changed();
  }

  async allow(accountId: string): Promise<DeviceDescription | "full" | null> {
    if (this.#row() === null) return null;
    const { sql } = this.#context;
    const others = sql.all("SELECT account_id FROM guest WHERE account_id <> ?", accountId);
    if (others.length >= limits.peoplePerDevice) return "full";
    sql.run("INSERT INTO guest (account_id) VALUES (?) ON CONFLICT DO NOTHING", accountId);
    return await this.#changed();
  }

  async disallow(accountId: string): Promise<DeviceDescription | null> {
    if (this.#row() === null) return null;
    this.#context.sql.run("DELETE FROM guest WHERE account_id = ?", accountId);
    this.#endVisitsWithoutRight();
    return await this.#changed();
  }

  async forgetPerson(accountId: string): Promise<void> {
    if (this.#row() === null) return;
    this.#context.sql.run("DELETE FROM guest WHERE account_id = ?", accountId);
    this.#door.forget(accountId);
    this.#link.keepOnly((visitor) => visitor !== accountId);
    await this.#changed();
  }

  async rotateUpdateSecret(): Promise<string | null> {
    const secret = await this.#name.rotateSecret();
    if (secret !== null) await this.#changed();
    return secret;
  }

  async updateAddresses(update: AddressUpdate): Promise<UpdateResult> {
    const result = await this.#name.update(update);
    if (result.verdict === "good") await this.#changed();
    return result;
  }

  async records(): Promise<NameRecords | null> {
    return this.#isOn("name") ? await this.#name.records() : null;
  }

  async issueDoorCode(accountId: string, nonceHash: string): Promise<DoorCodeResult> {
    const row = this.#row();
    if (row === null || !this.#features().link) return { kind: "off" };
    if (!this.#mayEnter(row, accountId)) return { kind: "forbidden" };
    return { kind: "code", code: await this.#door.issueCode(accountId, nonceHash) };
  }

  async holdings(): Promise<readonly HeldTable[]> {
    return this.#row() === null ? [] : heldTables(this.#context.sql, this.#context.clock.now());
  }

  async unregister(): Promise<void> {
    // Deaf at once; what is under way finds no device any more and writes nothing.
    this.#registered = false;
    this.#link.reset();
    this.#connection.closeAll("unregistered");
    await this.#inTurn(async () => {
      this.#context.wakeAt(null);
      await this.#context.deleteAll();
      this.#name.forgetMemory();
      await this.#destroyKeys(featureNames);
      await this.#connection.destroyKey();
    });
  }

  /** Streams and upgrades. The edge has set the way; nobody else can. */
  async fetch(request: Request): Promise<Response> {
    const row = this.#row();
    const way = request.headers.get(wayHeader) as Way | null;
    if (row === null)
      return way === "door" ? refusal("unknown") : new Response(null, { status: 404 });
    switch (way) {
      case "agent":
        return await this.#acceptAgent(request, row.public_key);
      case "watch": {
        const response = this.#connection.acceptWatch(request);
        await this.#changed();
        return response;
      }
      case "door":
        if (!this.#isOn("link")) return refusal("unknown");
        return await this.#door.serve(
          request,
          row.access_mode,
          (accountId) => this.#mayEnterNow(accountId),
          (forwarded, visitor) => this.#link.relay(forwarded, this.#connection.agent(), visitor),
        );
      default:
        return new Response(null, { status: 400 });
    }
  }

  async onMessage(socket: Socket, data: string | ArrayBuffer): Promise<void> {
    if (!this.#registered) return;
    if (this.#connection.isAgent(socket)) this.#link.onMessage(socket, data);
  }

  async onClose(socket: Socket): Promise<void> {
    if (!this.#registered || !this.#connection.isAgent(socket)) return;
    this.#link.onAgentGone(socket);
    await this.#inTurn(async () => {
      if (this.#row() === null) return;
      await this.#connection.agentClosed(socket, this.#features());
      await this.#changed();
    });
  }

  /** A wake-up, not a command: acts on what is true now. */
  onAlarm(): Promise<void> {
    return this.#inTurn(async () => {
      if (this.#row() === null) return;
      this.#door.sweep();
      await this.#connection.sweep();
      await this.#finishSwitchOff();
      this.#scheduleSweep();
    });
  }

  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const result = this.#turn.then(work);
    this.#turn = result.catch(() => undefined);
    return result;
  }

  async #acceptAgent(request: Request, publicKey: string): Promise<Response> {
    const jti = await this.#connection.admit(request, publicKey);
    if (jti === null) return new Response(null, { status: 401 });
    return await this.#inTurn(async () => {
      if (this.#row() === null) return new Response(null, { status: 404 });
      const features = this.#features();
      const response = this.#connection.acceptAgent(request, jti, features);
      const agent = this.#connection.agent();
      if (agent !== null) this.#link.onAgent(agent);
      if (features.name || features.link) await this.#connection.recordLive();
      if (features.name) await this.#adoptAddress();
      await this.#changed();
      return response;
    });
  }

  async #switchOn(feature: FeatureName): Promise<void> {
    if (this.#features()[feature]) return;
    // A key that waits to be destroyed must be gone before a new one is made (FEA-7).
    await this.#finishSwitchOff();
    const { sql, clock } = this.#context;
    sql.run("INSERT INTO feature (name, since) VALUES (?, ?)", feature, clock.now());
    await this.#connection.featuresChanged(this.#features());
    if (feature === "name") await this.#adoptAddress();
  }

  /** The data goes at once; the key goes now, or with the next wake-up if its store is away. */
  async #switchOff(feature: FeatureName): Promise<void> {
    const { sql } = this.#context;
    sql.transaction(() => {
      sql.run("UPDATE feature SET since = ? WHERE name = ?", KEY_REMAINS, feature);
      if (feature === "name") this.#name.clear();
      if (feature === "link") this.#door.clear();
    });
    if (feature === "link") this.#link.reset();
    await this.#connection.featuresChanged(this.#features());
    await this.#finishSwitchOff().catch(() => undefined);
  }

  /** Destroys the keys of what was switched off; idempotent. */
  async #finishSwitchOff(): Promise<void> {
    const off = this.#switchedOff();
    if (off.length === 0) return;
    await this.#destroyKeys(off);
    if (!this.#isOn("name") && !this.#isOn("link")) await this.#connection.destroyKey();
    for (const feature of off) {
      const { sql } = this.#context;
      sql.run("DELETE FROM feature WHERE name = ? AND since = ?", feature, KEY_REMAINS);
    }
  }

  async #destroyKeys(features: readonly FeatureName[]): Promise<void> {
    for (const feature of features) {
      if (feature === "name") await this.#name.destroyKey();
      else await this.#sealer.destroy(`feature/${this.#context.deviceId}/${feature}`);
    }
  }

  /** The connected device's address is its name's address: no polling. */
  async #adoptAddress(): Promise<void> {
    const address = parsePeer(this.#connection.agentAddress() ?? "");
    if (address === null) return;
    await this.#name.update({
      secret: null,
      ipv4: "keep",
      ipv6: "keep",
      [address.family]: { set: address.text },
    });
  }

  #endVisitsWithoutRight(): void {
    const row = this.#row();
    if (row !== null) this.#door.keepOnly((accountId) => this.#mayEnter(row, accountId));
    this.#link.keepOnly((visitor) => this.#mayEnterNow(visitor));
  }

  /** `null` is a visitor nobody asked for a name. */
  #mayEnterNow(visitor: string | null): boolean {
    const row = this.#row();
    if (row === null) return false;
    return visitor === null ? row.access_mode === "everyone" : this.#mayEnter(row, visitor);
  }

  #mayEnter(row: RegistrationRow, accountId: string): boolean {
    if (accountId === row.account_id || row.access_mode === "everyone") return true;
    if (row.access_mode === "owner") return false;
    return (
      this.#context.sql.all("SELECT account_id FROM guest WHERE account_id = ?", accountId).length >
      0
    );
  }

  async #changed(): Promise<DeviceDescription | null> {
    this.#scheduleSweep();
    const change = ++this.#changes;
    const description = await this.describe();
    if (description !== null && change === this.#changes)
      this.#connection.tellWatchers(description);
    return description;
  }

  #scheduleSweep(): void {
    const retryAt =
      this.#switchedOff().length === 0 ? null : this.#context.clock.now() + limits.keyRetryMs;
    const times = [this.#door.nextExpiry(), this.#connection.nextExpiry(), retryAt].filter(
      (time) => time !== null,
    );
    this.#context.wakeAt(times.length === 0 ? null : Math.min(...times));
  }

  #row(): RegistrationRow | null {
    if (!this.#registered) return null;
    return this.#context.sql.all<RegistrationRow>("SELECT * FROM registration")[0] ?? null;
  }

  #isOn(feature: FeatureName): boolean {
    if (!this.#registered) return false;
    const rows = this.#context.sql.all<FeatureRow>(
      "SELECT name, since FROM feature WHERE name = ?",
      feature,
    );
    return rows[0] !== undefined && rows[0].since !== KEY_REMAINS;
  }

  #features(): Record<FeatureName, boolean> {
    const on = new Set(
      this.#featureRows()
        .filter((row) => row.since !== KEY_REMAINS)
        .map(nameOf),
    );
    return { name: on.has("name"), link: on.has("link") };
  }

  /** Features that are off and whose key is still to be destroyed. */
  #switchedOff(): FeatureName[] {
    return this.#featureRows()
      .filter((row) => row.since === KEY_REMAINS)
      .map(nameOf);
  }

  #featureRows(): FeatureRow[] {
    return this.#context.sql.all<FeatureRow>("SELECT name, since FROM feature");
  }
}

const nameOf = (row: FeatureRow): FeatureName => row.name;
