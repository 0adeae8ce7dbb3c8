/** The Durable Object of a device: a shell. It migrates, delegates, persists; device.ts decides. */

import { DurableObject } from "cloudflare:workers";
import { Sealer } from "../../db/seal.ts";
import { ZoneKeys } from "../../db/zone-keys.ts";
import { pingText, pongText } from "../../protocol/agent.ts";
import { clientOnWorkerd, proxiesIn, type SourceAddressPolicy } from "../peer.ts";
import { keysOf, systemClock, systemRandom, zoneKeysIn } from "../platform.ts";
import { finishClose, NO_CLOSE, socketOf, socketsOf, sqlOf } from "../shell.ts";
import { type ZoneObject, zoneObjectName } from "../zone/index.ts";
import { readBudgets } from "./budgets.ts";
import type { DeviceContext } from "./context.ts";
import { Device } from "./device.ts";
import type { DomainsState } from "./domains-rpc.ts";
import { registeredId } from "./migrations.ts";
import type { RecordsChange } from "./records-rpc.ts";
import type {
  AccessMode,
  AddressUpdate,
  CertificateState,
  Closure,
  DeviceRpc,
  FeatureName,
  IdentityMode,
  JudgedLabel,
  LinkOpening,
  NameScope,
  NewNameToken,
  NewShare,
  OpenidSettings,
  ProofChange,
  Registration,
} from "./rpc.ts";
import type { SignedZone } from "./signatures.ts";
import type { SignedUpdate } from "./signing-rpc.ts";

interface Env {
  readonly DIRECTORY?: D1Database;
  readonly DDNS_ZONE?: string;
  readonly LINK_ZONE?: string;
  readonly ALLOW_SPECIAL_ADDRESSES?: string;
  readonly LINK_BUDGETS?: string;
  readonly SOURCE_ADDRESS?: SourceAddressPolicy;
  readonly TRUSTED_PROXIES?: string;
  readonly ZONE: DurableObjectNamespace<ZoneObject>;
  /** The buckets of the regions' keys, of which a device uses its own region's. */
  readonly [binding: string]: unknown;
}

export class DeviceObject extends DurableObject<Env> implements DeviceRpc {
  readonly #device: Device;

  constructor(state: DurableObjectState, env: Env) {
    super(state, env);
    state.setWebSocketAutoResponse(new WebSocketRequestResponsePair(pingText, pongText));
    this.#device = new Device(contextOf(state, env));
  }

  register(registration: Registration) {
    return this.#device.register(registration);
  }
  describe() {
    return this.#device.describe();
  }
  setFeature(feature: FeatureName, on: boolean) {
    return this.#device.setFeature(feature, on);
  }
  setAccess(mode: AccessMode) {
    return this.#device.doorway.setAccess(mode);
  }
  setRule(service: string, path: string, mode: AccessMode) {
    return this.#device.doorway.setRule(service, path, mode);
  }
  removeRule(ruleId: string) {
    return this.#device.doorway.removeRule(ruleId);
  }
  allow(accountId: string, ruleId: string | null = null) {
    return this.#device.doorway.allow(accountId, ruleId);
  }
  disallow(accountId: string, ruleId: string | null = null) {
    return this.#device.doorway.disallow(accountId, ruleId);
  }
  endContact(accountId: string) {
    return this.#device.doorway.endContact(accountId);
  }
  shares() {
    return this.#device.doorway.shares();
  }
  makeShare(share: NewShare) {
    return this.#device.doorway.makeShare(share);
  }
  stopShare(shareId: string) {
    return this.#device.doorway.stopShare(shareId);
  }
  openShare(opening: LinkOpening) {
    return this.#device.doorway.openShare(opening);
  }
  setIdentity(mode: IdentityMode) {
    return this.#device.doorway.setIdentity(mode);
  }
  identityOf(visit: string) {
    return this.#device.doorway.identityOf(visit);
  }
  mayUse(service: string, accountId: string, isContact: boolean) {
    return this.#device.doorway.mayUse(service, accountId, isContact);
  }
  close(closure: Closure | null) {
    return this.#device.doorway.close(closure);
  }
  forgetPerson(accountId: string) {
    return this.#device.doorway.forgetPerson(accountId);
  }
  updateAddresses(update: AddressUpdate) {
    return this.#device.naming.updateAddresses(update);
  }
  nameRight(secret: string, scope: NameScope, from: string | null) {
    return this.#device.naming.nameRight(secret, scope, from);
  }
  nameTokens() {
    return this.#device.naming.nameTokens();
  }
  takeIdleNameTokens() {
    return this.#device.naming.takeIdleNameTokens();
  }
  makeNameToken(asked: NewNameToken) {
    return this.#device.naming.makeNameToken(asked);
  }
  excuseNameToken(id: string) {
    return this.#device.naming.excuseNameToken(id);
  }
  nameHistory() {
    return this.#device.naming.nameHistory();
  }
  endNameToken(id: string) {
    return this.#device.naming.endNameToken(id);
  }
  labels() {
    return this.#device.labeling.labels();
  }
  expectLabel(label: string, instead: string | null) {
    return this.#device.labeling.expectLabel(label, instead);
  }
  leaveLabel(label: string) {
    return this.#device.labeling.leaveLabel(label);
  }
  settleLabels(judged: readonly JudgedLabel[], sure: boolean) {
    return this.#device.labeling.settleLabels(judged, sure);
  }
  setPrimaryLabel(label: string) {
    return this.#device.labeling.setPrimaryLabel(label);
  }
  makeSigningKey() {
    return this.#device.signed.makeSigningKey();
  }
  signingKey() {
    return this.#device.signed.signingKey();
  }
  signingKeyState() {
    return this.#device.signed.signingKeyState();
  }
  endSigningKey() {
    return this.#device.signed.endSigningKey();
  }
  updateSigned(update: SignedUpdate) {
    return this.#device.signed.updateSigned(update);
  }
  records(label?: string, signed?: boolean) {
    return this.#device.records(label, signed);
  }
  certificate() {
    return this.#device.certifying.certificate();
  }
  setCertificate(state: CertificateState) {
    return this.#device.certifying.setCertificate(state);
  }
  prove(change: ProofChange) {
    return this.#device.certifying.prove(change);
  }
  ownRecords() {
    return this.#device.named.own.ownRecords();
  }
  changeRecords(change: RecordsChange) {
    return this.#device.named.own.changeRecords(change);
  }
  ownDomains() {
    return this.#device.named.domains.ownDomains();
  }
  setOwnDomains(state: DomainsState) {
    return this.#device.named.domains.setOwnDomains(state);
  }
  issueDoorCode(accountId: string, nonceHash: string, sessionId: string, isContact = false) {
    return this.#device.doorway.issueDoorCode(accountId, nonceHash, sessionId, isContact);
  }
  endVisits(sessionId: string) {
    return this.#device.doorway.endVisits(sessionId);
  }
  ways(accountId: string) {
    return this.#device.ways(accountId);
  }
  ownReach() {
    return this.#device.ownReach();
  }
  tunnelOffer(accountId: string, isContact = false) {
    return this.#device.doorway.tunnelOffer(accountId, isContact);
  }
  endToken(tokenId: string) {
    return this.#device.doorway.endToken(tokenId);
  }
  openid() {
    return this.#device.openid();
  }
  setOpenid(settings: OpenidSettings) {
    return this.#device.setOpenid(settings);
  }
  holdings() {
    return this.#device.holdings();
  }
  lastUse() {
    return this.#device.lastUse();
  }
  exportFor(owner: string) {
    return this.#device.exportFor(owner);
  }
  unregister() {
    return this.#device.unregister();
  }

  override fetch(request: Request): Promise<Response> {
    return this.#device.fetch(request);
  }
  override webSocketMessage(socket: WebSocket, message: string | ArrayBuffer): Promise<void> {
    return this.#device.onMessage(socketOf(this.ctx, socket), message);
  }
  override webSocketClose(socket: WebSocket, code: number, reason: string): Promise<void> {
    finishClose(socket, code, reason);
    return this.#device.onClose(socketOf(this.ctx, socket), code, reason);
  }
  override webSocketError(socket: WebSocket): Promise<void> {
    return this.#device.onClose(socketOf(this.ctx, socket), NO_CLOSE, "");
  }
  override alarm(): Promise<void> {
    return this.#device.onAlarm();
  }
}

function contextOf(state: DurableObjectState, env: Env): DeviceContext {
  const policy = {
    sourceAddress: env.SOURCE_ADDRESS ?? "edge",
    trustedProxies: proxiesIn(env.TRUSTED_PROXIES ?? null),
  };
  return {
    // The platform names an object that a request woke; one that an alarm woke knows its own name.
    deviceId: state.id.name ?? registeredId(sqlOf(state)) ?? "",
    sql: sqlOf(state),
    sockets: socketsOf(state),
    clock: systemClock,
    random: systemRandom,
    keys: keysOf(env),
    allowSpecialAddresses: env.ALLOW_SPECIAL_ADDRESSES === "yes",
    zone: { publish: (publication) => env.ZONE.getByName(zoneObjectName).publish(publication) },
    clientOf: (request) => clientOnWorkerd(policy, request),
    ...(env.LINK_ZONE === undefined ? {} : { linkZone: zoneFrom(env.LINK_ZONE) }),
    ...signedZoneOf(env),
    budgets: readBudgets(env.LINK_BUDGETS ?? null),
    wakeAt: (at) => {
      // The write is coalesced and covered by the output gate; nothing leaves before it is durable.
      if (at === null) void state.storage.deleteAlarm();
      else void state.storage.setAlarm(at);
    },
    background: (work) => state.waitUntil(work),
    deleteAll: () => state.storage.deleteAll(),
  };
}

/** The zone that the configuration names, shared by all objects of the isolate. */
function signedZoneOf(env: Env): Pick<DeviceContext, "signing"> {
  if (env.DIRECTORY === undefined || env.DDNS_ZONE === undefined) return {};
  let signing = zones.get(env);
  if (signing === undefined) {
    const sealer = new Sealer(keysOf(env), systemClock, systemRandom);
    const keys = new ZoneKeys(zoneKeysIn(env.DIRECTORY), sealer, systemClock);
    signing = { apex: zoneFrom(env.DDNS_ZONE), keys };
    zones.set(env, signing);
  }
  return { signing };
}

const zoneFrom = (variable: string): string => variable.toLowerCase().replace(/\.$/, "");

const zones = new WeakMap<Env, SignedZone>();
