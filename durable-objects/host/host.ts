/**
 * Devices in this process: what a Durable Object namespace is on Cloudflare.
 *
 * What the device's logic relies on, and how it holds here:
 * - one `Device` an id: a resident is dropped only while nothing runs in it and no socket is its own;
 * - between two awaits nothing else runs: JavaScript's event loop gives that without a gate, because
 *   SQL and `deleteAll` are synchronous here;
 * - nothing is acknowledged before it is on the disk: every statement outside `transaction` is its
 *   own durable commit (a Durable Object joins the statements between two awaits; the logic asks for
 *   `transaction` where statements belong together);
 * - messages of a socket arrive in order; a socket that closes is told once; alarms fire at least
 *   once.
 *
 * It never touches the disk for an id that was not registered.
 */

import { mkdirSync } from "node:fs";
import { join } from "node:path";
import type { Clock, KeyStore, Random } from "../../db/primitives.ts";
import { isId, regionOf } from "../../protocol/ids.ts";
import { limits } from "../../protocol/limits.ts";
import type { Budgets } from "../device/budgets.ts";
import { Device } from "../device/device.ts";
import type { DeviceStub } from "../device/rpc.ts";
import type { SignedZone } from "../device/signatures.ts";
import type { ZoneStub } from "../zone/rpc.ts";
import { Alarms } from "./alarms.ts";
import { HostSockets } from "./sockets.ts";
import { OpenStores, Store } from "./store.ts";
import { ZoneHost } from "./zone.ts";

export interface HostOptions {
  /** Holds `alarms.db`, `zone.db` and `<region>/<device>.db`. */
  readonly folder: string;
  readonly clock: Clock;
  readonly random: Random;
  readonly keys: KeyStore;
  /** Lets documentation and loopback addresses into DNS, for trying out. */
  readonly allowSpecialAddresses: boolean;
  /** Where names stand and who signs there; absent: nothing is signed. */
  readonly signing?: SignedZone;
  /** What visitors of a device may take; absent: as this program has it. */
  readonly budgets?: Budgets;
  /** Told of a failure in an event that has no caller: a message, a close, an alarm. */
  readonly onError: (error: unknown) => void;
  readonly maxResidents?: number;
  readonly maxOpenStores?: number;
}

interface Resident {
  readonly device: Device;
  readonly store: Store;
  readonly sockets: HostSockets;
  /** Calls and events that have not returned. */
  running: number;
}

/** Under which the zone's wake-up stands among those of devices. */
const ZONE = "zone";
const GOING_AWAY = 1012; // RFC 6455 registry: service restart

export class DeviceHost {
  readonly #options: HostOptions;
  readonly #stores: OpenStores;
  readonly #alarmStores = new OpenStores(1);
  readonly #alarms: Alarms;
  /** In the order of use. */
  readonly #residents = new Map<string, Resident>();
  readonly #events = new Set<Promise<void>>();
  readonly #zone: ZoneHost;

  constructor(options: HostOptions) {
    this.#options = options;
    mkdirSync(options.folder, { recursive: true, mode: 0o700 });
    this.#stores = new OpenStores(options.maxOpenStores ?? limits.hostOpenStores);
    this.#alarms = new Alarms(
      new Store(join(options.folder, "alarms.db"), this.#alarmStores),
      options.clock,
      (id) => (id === ZONE ? this.#zone.onAlarm() : this.#call(id, (device) => device.onAlarm())),
    );
    this.#zone = new ZoneHost({ ...options, wakeAt: (at) => this.#alarms.set(ZONE, at) });
  }

  /** The zone, which every device here tells what it publishes. */
  get zone(): ZoneStub {
    return this.#zone;
  }

  /** How many devices are in memory. */
  get residents(): number {
    return this.#residents.size;
  }

  /** Begins to fire alarms, those first that came due while nothing ran. */
  start(): void {
    this.#alarms.start();
  }

  /** Fires the alarms that are due now. */
  fireAlarms(): Promise<void> {
    return this.#alarms.fireDue();
  }

  /** The remote surface of a device. Asking for it creates nothing. */
  get(deviceId: string): DeviceStub {
    const call = <T>(work: (device: Device) => Promise<T>) => this.#call(deviceId, work);
    return {
      register: (registration) => call((device) => device.register(registration)),
      describe: () => call((device) => device.describe()),
      setFeature: (feature, on) => call((device) => device.setFeature(feature, on)),
      setAccess: (mode) => call((device) => device.doorway.setAccess(mode)),
      setRule: (service, path, mode) =>
        call((device) => device.doorway.setRule(service, path, mode)),
      removeRule: (ruleId) => call((device) => device.doorway.removeRule(ruleId)),
      allow: (accountId, ruleId) => call((device) => device.doorway.allow(accountId, ruleId)),
      disallow: (accountId, ruleId) => call((device) => device.doorway.disallow(accountId, ruleId)),
      endContact: (accountId) => call((device) => device.doorway.endContact(accountId)),
      shares: () => call((device) => device.doorway.shares()),
      makeShare: (share) => call((device) => device.doorway.makeShare(share)),
      stopShare: (shareId) => call((device) => device.doorway.stopShare(shareId)),
      openShare: (opening) => call((device) => device.doorway.openShare(opening)),
      setIdentity: (mode) => call((device) => device.doorway.setIdentity(mode)),
      identityOf: (visit) => call((device) => device.doorway.identityOf(visit)),
      mayUse: (service, accountId, isContact) =>
        call((device) => device.doorway.mayUse(service, accountId, isContact)),
      close: (closure) => call((device) => device.doorway.close(closure)),
      forgetPerson: (accountId) => call((device) => device.doorway.forgetPerson(accountId)),
      updateAddresses: (update) => call((device) => device.naming.updateAddresses(update)),
      nameRight: (secret, scope, from) =>
        call((device) => device.naming.nameRight(secret, scope, from)),
      nameTokens: () => call((device) => device.naming.nameTokens()),
      takeIdleNameTokens: () => call((device) => device.naming.takeIdleNameTokens()),
      makeNameToken: (asked) => call((device) => device.naming.makeNameToken(asked)),
      excuseNameToken: (id) => call((device) => device.naming.excuseNameToken(id)),
      nameHistory: () => call((device) => device.naming.nameHistory()),
      endNameToken: (id) => call((device) => device.naming.endNameToken(id)),
      labels: () => call((device) => device.labeling.labels()),
      expectLabel: (label, instead) =>
        call((device) => device.labeling.expectLabel(label, instead)),
      leaveLabel: (label) => call((device) => device.labeling.leaveLabel(label)),
      settleLabels: (judged, sure) => call((device) => device.labeling.settleLabels(judged, sure)),
      setPrimaryLabel: (label) => call((device) => device.labeling.setPrimaryLabel(label)),
      makeSigningKey: () => call((device) => device.signed.makeSigningKey()),
      signingKey: () => call((device) => device.signed.signingKey()),
      signingKeyState: () => call((device) => device.signed.signingKeyState()),
      endSigningKey: () => call((device) => device.signed.endSigningKey()),
      updateSigned: (update) => call((device) => device.signed.updateSigned(update)),
      records: (label, signed) => call((device) => device.records(label, signed)),
      certificate: () => call((device) => device.certifying.certificate()),
      setCertificate: (state) => call((device) => device.certifying.setCertificate(state)),
      prove: (change) => call((device) => device.certifying.prove(change)),
      ownRecords: () => call((device) => device.named.own.ownRecords()),
      changeRecords: (change) => call((device) => device.named.own.changeRecords(change)),
      ownDomains: () => call((device) => device.named.domains.ownDomains()),
      setOwnDomains: (state) => call((device) => device.named.domains.setOwnDomains(state)),
      issueDoorCode: (accountId, nonceHash, sessionId, isContact) =>
        call((device) => device.doorway.issueDoorCode(accountId, nonceHash, sessionId, isContact)),
      endVisits: (sessionId) => call((device) => device.doorway.endVisits(sessionId)),
      ways: (accountId) => call((device) => device.ways(accountId)),
      ownReach: () => call((device) => device.ownReach()),
      tunnelOffer: (accountId, isContact) =>
        call((device) => device.doorway.tunnelOffer(accountId, isContact)),
      endToken: (tokenId) => call((device) => device.doorway.endToken(tokenId)),
      openid: () => call((device) => device.openid()),
      setOpenid: (settings) => call((device) => device.setOpenid(settings)),
      holdings: () => call((device) => device.holdings()),
      lastUse: () => call((device) => device.lastUse()),
      exportFor: (owner) => call((device) => device.exportFor(owner)),
      unregister: () => call((device) => device.unregister()),
      fetch: (request) => call((device) => device.fetch(request)),
    };
  }

  /** Ends every socket: their devices come back when the server does. */
  endSockets(): void {
    for (const { sockets } of [...this.#residents.values()]) {
      sockets.closeAll(GOING_AWAY, "the server restarts");
    }
    this.#zone.endSockets(GOING_AWAY, "the server restarts");
  }

  /** Ends every socket and alarm, waits for what runs, and lets go of every file. */
  async close(): Promise<void> {
    await this.#alarms.stop();
    this.endSockets();
    while (this.#events.size > 0) await Promise.allSettled([...this.#events]);
    this.#residents.clear();
    this.#stores.closeAll();
    this.#zone.close();
    this.#alarmStores.closeAll();
  }

  async #call<T>(deviceId: string, work: (device: Device) => Promise<T>): Promise<T> {
    const resident = this.#resident(deviceId);
    resident.running++;
    try {
      return await work(resident.device);
    } finally {
      resident.running--;
      this.#settle(deviceId, resident);
    }
  }

  /** An event that nobody waits for. */
  #event(deviceId: string, work: (device: Device) => Promise<void>): void {
    const event = this.#call(deviceId, work)
      .catch((error) => this.#options.onError(error))
      .finally(() => this.#events.delete(event));
    this.#events.add(event);
  }

  #resident(deviceId: string): Resident {
    const existing = this.#residents.get(deviceId);
    if (existing !== undefined) return existing;
    const { clock, random, keys, allowSpecialAddresses, signing, budgets } = this.#options;
    const store = new Store(this.#pathOf(deviceId), this.#stores);
    const sockets = new HostSockets(
      {
        onMessage: (socket, data) =>
          this.#event(deviceId, (device) => device.onMessage(socket, data)),
        onClose: (socket, code, reason) =>
          this.#event(deviceId, (device) => device.onClose(socket, code, reason)),
      },
      clock,
    );
    const device = new Device({
      deviceId,
      sql: store,
      sockets,
      clock,
      random,
      keys,
      zone: this.#zone,
      allowSpecialAddresses,
      ...(signing === undefined ? {} : { signing }),
      ...(budgets === undefined ? {} : { budgets }),
      wakeAt: (at) => this.#alarms.set(deviceId, at),
      // Not at once: a device may begin work while it is being made, before it is a resident.
      background: (work) => queueMicrotask(() => this.#event(deviceId, () => work)),
      deleteAll: async () => store.destroy(),
    });
    const resident: Resident = { device, store, sockets, running: 0 };
    this.#residents.set(deviceId, resident);
    return resident;
  }

  /** After each call: a device that is nowhere on disk leaves memory, and the oldest idle ones do. */
  #settle(deviceId: string, resident: Resident): void {
    if (isIdle(resident) && !resident.store.exists) {
      this.#residents.delete(deviceId);
      return;
    }
    this.#residents.delete(deviceId);
    this.#residents.set(deviceId, resident);
    const max = this.#options.maxResidents ?? limits.hostResidentDevices;
    if (this.#residents.size <= max) return;
    for (const [id, candidate] of this.#residents) {
      if (this.#residents.size <= max) return;
      if (!isIdle(candidate)) continue;
      candidate.store.close();
      this.#residents.delete(id);
    }
  }

  /** A malformed id is a device that was never registered, and can never be. */
  #pathOf(deviceId: string): string | null {
    if (!isId("dev", deviceId)) return null;
    return join(this.#options.folder, regionOf(deviceId) ?? "", `${deviceId}.db`);
  }
}

function isIdle(resident: Resident): boolean {
  return resident.running === 0 && resident.sockets.size === 0;
}
