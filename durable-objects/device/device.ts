/**
 * A device: who owns it, which features are on, who may reach it. The only home of its live data.
 *
 * Every feature is off until its owner switches it on (FEA-1); switching off deletes its data and
 * destroys the key that sealed it (FEA-4). Unregistering drops the whole store (CON-11).
 */

import type { ExportedTable } from "../../db/data-map/export.ts";
import { Sealer } from "../../db/seal.ts";
import type { PublishedSet } from "../../protocol/dns/sets.ts";
import type { Reach } from "../../protocol/reach.ts";
import { Access } from "./access.ts";
import { Agents, agentOf } from "./agents.ts";
import type { Certifying } from "./certifying.ts";
import { Connection } from "./connection.ts";
import type { DeviceContext, Socket } from "./context.ts";
import { descriptionOf } from "./description.ts";
import type { DomainsRpc } from "./domains-rpc.ts";
import { Door, refusal } from "./door.ts";
import { Doorway } from "./doorway.ts";
import { Features } from "./features.ts";
import { Hearing } from "./hearing.ts";
import { heldTables } from "./holdings.ts";
import { Labeling } from "./labeling.ts";
import { Labels } from "./labels.ts";
import { Link } from "./link/link.ts";
import { Named } from "./named.ts";
import type { Naming } from "./naming.ts";
import { readOpenid, writeOpenid } from "./openid.ts";
import type { Published } from "./published.ts";
import type { RecordsRpc } from "./records-rpc.ts";
import { RegistrationRecord, type RegistrationRow } from "./registration.ts";
import type {
  CertificateRpc,
  DeviceDescription,
  DeviceRpc,
  DoorRpc,
  FeatureName,
  HeldTable,
  LabelsRpc,
  NameRpc,
  OpenidDevice,
  OpenidSettings,
  Registration,
  WaysView,
} from "./rpc.ts";
import { wayOf } from "./said.ts";
import { Shortcut } from "./shortcut.ts";
import type { SignedUpdates } from "./signed-updates.ts";
import type { SigningRpc } from "./signing-rpc.ts";
import { type Rooms, Switches } from "./switches.ts";
import { Traffic } from "./traffic.ts";
import { answerUpdate } from "./update-requests.ts";
import { Upkeep } from "./upkeep.ts";
import { Visitors } from "./visitors.ts";
import { waysFor } from "./ways.ts";

export class Device
  implements
    Omit<
      DeviceRpc,
      | keyof DoorRpc
      | keyof NameRpc
      | keyof LabelsRpc
      | keyof SigningRpc
      | keyof CertificateRpc
      | keyof RecordsRpc
      | keyof DomainsRpc
    >
{
  /** Who may come in at its door, in detail. */
  readonly doorway: Doorway;
  /** Everything of its name; in detail: */
  readonly named: Named;
  readonly naming: Naming;
  readonly signed: SignedUpdates;
  readonly certifying: Certifying;
  /** Its names, in detail. */
  readonly labeling: Labeling;
  readonly #context: DeviceContext;
  readonly #labels: Labels;
  readonly #registration: RegistrationRecord;
  readonly #features: Features;
  readonly #published: Published;
  readonly #agents: Agents;
  readonly #hearing: Hearing;
  readonly #connection: Connection;
  readonly #shortcut: Shortcut;
  readonly #link: Link;
  readonly #traffic: Traffic;
  readonly #rooms: Rooms;
  readonly #switches: Switches;
  readonly #upkeep: Upkeep;
  readonly #access: Access;
  readonly #visitors: Visitors;
  readonly #sealer: Sealer;
  /**
   * What changes features, the connection or the registration runs one after another, so that a seal
   * under way is done before a switch-off destroys its key, and no key is made again afterwards.
   */
  #turn: Promise<unknown> = Promise.resolve();
  /** Counts changes: watchers are told the newest state only, never an older one after it. */
  #changes = 0;

  constructor(context: DeviceContext) {
    this.#context = context;
    this.#registration = new RegistrationRecord(context);
    this.#labels = new Labels(context, this.#registration);
    const sealer = new Sealer(context.keys, context.clock, context.random);
    this.#sealer = sealer;
    this.#features = new Features(context);
    this.#agents = new Agents(context, (socket) => this.#link.onAgentGone(socket));
    this.#traffic = new Traffic(context, sealer, () => this.#isOn("link"));
    const onTick = (idle: boolean) => this.#onTick(idle);
    this.#link = new Link({ ...context, agents: this.#agents, traffic: this.#traffic, onTick });
    this.#connection = new Connection(context, sealer, this.#agents);
    this.#shortcut = new Shortcut(context, sealer, () => this.#isOn("lan"));
    this.#access = new Access(context, sealer, () => this.#row()?.account_id ?? null);
    const inTurn = <T>(work: () => Promise<T>) => this.#inTurn(work);
    const turns = { inTurn, changed: () => this.#changed() };
    this.named = new Named({
      ...{ context, sealer, ...turns },
      isOn: () => this.#isOn("name"),
      isClosed: () => this.#access.closed?.extent === "all",
      labels: () => this.#labels.all(),
      since: (label) => this.#labels.since(label),
      owner: () => this.#row()?.account_id ?? null,
      certifiable: () => this.#labels.certifiable(),
      settled: () => {
        if (this.#row() !== null) this.#upkeep.schedule();
      },
    });
    this.#published = this.named.published;
    const rooms: Rooms = {
      context,
      sealer,
      features: this.#features,
      name: this.named.name,
      publication: this.#published.publication,
      certificates: this.named.certificates,
      own: this.named.own,
      domains: this.named.domains,
      access: this.#access,
      door: new Door(context),
      link: this.#link,
      connection: this.#connection,
      traffic: this.#traffic,
      shortcut: this.#shortcut,
      signatures: this.#published.signatures,
    };
    this.#rooms = rooms;
    this.#switches = new Switches(rooms);
    this.#upkeep = new Upkeep(rooms, this.#switches, {
      endWithoutRight: () => this.#visitors.endWithoutRight(),
      sign: () => this.#published.signAll(),
    });
    this.#visitors = new Visitors(rooms, this.#registration, () => this.#upkeep.schedule());
    this.#hearing = new Hearing(rooms, {
      ...{ registration: this.#registration, agents: this.#agents },
      ...{ published: this.#published, naming: this.named.naming },
      ...{ schedule: () => this.#upkeep.schedule(), ...turns },
    });
    this.doorway = new Doorway(rooms, this.#visitors, {
      owner: () => this.#row()?.account_id ?? null,
      isOn: () => this.#isOn("link"),
      ...turns,
    });
    this.certifying = this.named.certifying;
    this.naming = this.named.naming;
    this.signed = this.named.signed;
    this.labeling = new Labeling({
      ...{ labels: this.#labels, certificates: this.named.certificates, agents: this.#agents },
      mark: () => this.#published.publication.mark(),
      inTurn,
      changed: () => this.#published.signAhead().then(() => this.#changed()),
    });
    // A process that was killed between a change and its wake-up goes on here.
    if (this.#registration.stands) this.#rooms.publication.tell();
  }

  async register(registration: Registration): Promise<void> {
    this.#registration.begin(registration);
    this.#access.begin();
    this.#labels.forgetMemory();
    this.#features.forgetMemory();
  }

  async describe(): Promise<DeviceDescription | null> {
    const row = this.#row();
    return row === null
      ? null
      : await descriptionOf(row, this.#rooms, this.#agents, this.#labels.all());
  }

  setFeature(feature: FeatureName, on: boolean): Promise<DeviceDescription | null> {
    return this.#inTurn(async () => {
      if (this.#row() === null) return null;
      if (!on) {
        await this.#switches.off(feature);
        await this.#upkeep.finishOff();
      } else if ((await this.#switches.on(feature)) && feature === "name") {
        await this.#published.adopt(this.#connection);
      }
      return await this.#changed();
    });
  }

  async records(label?: string, signed?: boolean): Promise<readonly PublishedSet[] | null> {
    return await this.#published.records(label, signed);
  }

  async ways(accountId: string): Promise<WaysView | null> {
    const row = this.#row();
    if (row === null || !this.#isOn("link")) return null;
    const people = this.#access.named();
    const [connection, shortcut] = [this.#connection, this.#shortcut];
    return await waysFor(accountId, { row, people, connection, shortcut });
  }

  async ownReach(): Promise<Reach | null> {
    return this.#row() === null ? null : await this.#shortcut.read();
  }

  async openid(): Promise<OpenidDevice | null> {
    const row = this.#row();
    return row === null ? null : readOpenid(this.#context.sql, row);
  }

  async setOpenid(settings: OpenidSettings): Promise<boolean> {
    if (this.#row() === null) return false;
    writeOpenid(this.#context.sql, settings);
    return true;
  }

  async holdings(): Promise<readonly HeldTable[]> {
    return this.#row() === null ? [] : heldTables(this.#context.sql, this.#context.clock.now());
  }

  async lastUse(): Promise<number | null> {
    if (this.#row() === null) return null;
    if (this.#connection.online) return this.#context.clock.now();
    const seen = (await this.#connection.describe())?.since ?? 0;
    return Math.max(seen, this.named.name.lastReport() ?? 0) || null;
  }

  async exportFor(owner: string): Promise<readonly ExportedTable[]> {
    if (this.#row()?.account_id !== owner) return [];
    const { exportedTables } = await import("./export.ts");
    await this.#inTurn(() => this.#traffic.write());
    const tables = await exportedTables(this.#context, this.#sealer);
    const live = this.#connection.liveForExport();
    return live === null ? tables : [...tables, live];
  }

  async unregister(): Promise<void> {
    // Deaf at once; what is under way finds no device any more and writes nothing.
    this.#registration.end();
    this.#features.forgetMemory();
    this.#link.reset();
    this.#agents.closeAll("unregistered");
    this.#connection.closeWatchers("unregistered");
    await this.#inTurn(async () => {
      this.#context.wakeAt(null);
      await this.#context.deleteAll();
      this.#switches.forgetMemory();
      await this.#switches.destroyAllKeys();
      await this.#published.publication.withdraw();
    });
  }

  /** Streams and upgrades. The edge has set the way; nobody else can. */
  async fetch(request: Request): Promise<Response> {
    const row = this.#row();
    const way = wayOf(request, this.#context);
    if (row === null)
      return way === "door" || way === "tunnel"
        ? refusal("unknown")
        : new Response(null, { status: 404 });
    switch (way) {
      case "agent":
        return await this.#hearing.accept(request, row.public_key);
      case "watch": {
        const response = this.#connection.acceptWatch(request);
        await this.#changed();
        return response;
      }
      case "door":
        if (!this.#isHere(request)) return refusal("unknown");
        return await this.#visitors.serve(request);
      case "tunnel":
        return this.#isHere(request) ? await this.#visitors.tunnel(request) : refusal("unknown");
      case "update":
        return await answerUpdate(request, this.naming, this.#context);
      case "bulk":
        return await this.#link.bulk(request);
      default:
        return new Response(null, { status: 400 });
    }
  }

  async onMessage(socket: Socket, data: string | ArrayBuffer): Promise<void> {
    if (!this.#registration.stands) return;
    if (this.#link.passages.isVisitor(socket)) this.#link.passages.hear(socket, data);
    if (agentOf(socket) === null) return;
    if (typeof data !== "string" || !(await this.#hearing.hear(socket, data))) {
      this.#link.onMessage(socket, data);
    }
  }

  async onClose(socket: Socket, code: number, reason: string): Promise<void> {
    if (!this.#registration.stands) return;
    if (this.#link.passages.isVisitor(socket)) this.#link.passages.left(socket, code, reason);
    await this.#hearing.gone(socket, code);
  }

  /** A wake-up, not a command: acts on what is true now. */
  onAlarm(): Promise<void> {
    return this.#inTurn(async () => {
      if (this.#row() !== null) await this.#upkeep.run();
    });
  }

  /** While somebody is on the way, and once when nobody is any more (`idle`). */
  #onTick(idle: boolean): void {
    if (this.#traffic.isDue(idle)) void this.#inTurn(() => this.#upkeep.writeTraffic());
    if (this.#connection.wantsNews(idle)) {
      void this.#changed().catch(() => undefined); // whoever looks on is told of the next change
    }
  }

  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const result = this.#turn.then(work);
    this.#turn = result.catch(() => undefined);
    return result;
  }

  async #changed(): Promise<DeviceDescription | null> {
    if (this.#row() === null) return null;
    this.#published.publication.tell();
    this.#upkeep.schedule();
    const change = ++this.#changes;
    const description = await this.describe();
    if (description !== null && change === this.#changes)
      this.#connection.tellWatchers(description);
    return description;
  }

  #row(): RegistrationRow | null {
    return this.#registration.row();
  }

  /** The door is on, at the name that the visitor came by. */
  #isHere(request: Request): boolean {
    return this.#isOn("link") && this.#labels.areAskedBy(request.url);
  }

  #isOn(feature: FeatureName): boolean {
    return this.#registration.stands && this.#features.isOn(feature);
  }
}
