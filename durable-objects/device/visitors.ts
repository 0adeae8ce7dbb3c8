/**
 * Who may reach a device, and who is on the way: the rules, the door and what Link carries for them.
 * Whoever loses the right is let out at once, also in the middle of a request.
 */

import { webService } from "../../protocol/link/headers.ts";
import { readPass } from "./access.ts";
import { doorHeader, doorVerdicts, refusal } from "./door.ts";
import {
  type TunnelVisitor,
  tooManyTunnels,
  tunnelOf,
  tunnelPass,
  tunnelVisitor,
} from "./link/tunnel.ts";
import type { RegistrationRecord } from "./registration.ts";
import type {
  AccessMode,
  Closure,
  DoorCodeResult,
  IdentityMode,
  LinkOpened,
  LinkOpening,
  TunnelOffer,
} from "./rpc.ts";
import type { Rooms } from "./switches.ts";

export class Visitors {
  readonly #rooms: Rooms;
  readonly #registration: RegistrationRecord;
  readonly #schedule: () => void;

  /** @param schedule is told when something that ends by itself has begun */
  constructor(rooms: Rooms, registration: RegistrationRecord, schedule: () => void) {
    this.#rooms = rooms;
    this.#registration = registration;
    this.#schedule = schedule;
  }

  setMode(mode: AccessMode): void {
    this.#rooms.access.rules.set(webService, "/", mode);
    this.endWithoutRight();
  }

  /** Makes or changes a rule; false when there are as many as can be. */
  setRule(service: string, path: string, mode: AccessMode): boolean {
    const { access } = this.#rooms;
    if (!access.rules.set(service, path, mode)) return false;
    const id = access.rules.at(service, path)?.id;
    this.endWithoutRight();
    // Where a path went is not kept: whoever was let in above, and would not be here, ends.
    if (id !== undefined) this.#letOut((pass) => pass === null || access.holdsBeside(pass, id));
    return true;
  }

  removeRule(ruleId: string): void {
    this.#rooms.access.rules.remove(ruleId);
    this.endWithoutRight();
  }

  /** False when the list is full, null when there is none. */
  allow(accountId: string, ruleId: string | null): boolean | null {
    return this.#rooms.access.rules.list(accountId, ruleId);
  }

  disallow(accountId: string, ruleId: string | null): void {
    this.#rooms.access.rules.unlist(accountId, ruleId);
    this.endWithoutRight();
  }

  endContact(accountId: string): void {
    this.#rooms.door.visits.endContact(accountId);
    this.endTunnels((tunnel) => !tunnel.contact || tunnel.account !== accountId);
    this.endWithoutRight();
  }

  /** Ends a share; the people it was for, or null when there is none. */
  stopShare(shareId: string): readonly string[] | null {
    const people = this.#rooms.access.shares.stop(shareId);
    this.endWithoutRight();
    return people;
  }

  setIdentity(mode: IdentityMode): void {
    this.#rooms.access.setIdentity(mode);
  }

  /** Says the operator's word; false when it was said before. */
  close(closure: Closure | null): boolean {
    const { access, context, publication } = this.#rooms;
    const isChange = context.sql.transaction(() => {
      if (!access.close(closure)) return false;
      // What is closed as a whole has no name either.
      publication.mark();
      return true;
    });
    if (!isChange) return false;
    this.endWithoutRight();
    return true;
  }

  /** Takes a person off every list with every visit, whatever the mode. */
  forget(accountId: string): void {
    const { access, door, link } = this.#rooms;
    access.forget(accountId);
    door.visits.forget(accountId);
    link.keepOnly((pass) => accountOf(pass) !== accountId);
  }

  /** A one-time code with which a person who may enter comes back to the door. */
  async issueCode(asked: {
    readonly accountId: string;
    readonly nonceHash: string;
    readonly sessionId: string;
    readonly isContact: boolean;
  }): Promise<DoorCodeResult> {
    const mayEnter = (person: string, contact: boolean) => this.#mayEnter(person, contact);
    const code = mayEnter(asked.accountId, asked.isContact)
      ? await this.#rooms.door.visits.issueCode(asked, mayEnter)
      : null;
    if (code === null) return { kind: "forbidden" };
    this.#schedule();
    return { kind: "code", code };
  }

  /** Lets a browser in that has a link, with its password if it wants one. */
  async openShare({ secret, password, visit }: LinkOpening): Promise<LinkOpened> {
    const { access, door } = this.#rooms;
    const share = await access.shares.ofLink(secret, password);
    if (share === null || access.closed !== null) return { kind: "no" };
    const visitor = { account: null, contact: false, opened: new Set([share.id]) };
    const stands = () => this.#isOn && access.shares.holds(share.id, visitor, access.closed);
    const opened = await door.visits.open(visit, share.id, stands);
    if (opened === null) return { kind: "no" };
    this.#schedule();
    return { kind: "opened", visit: opened.visit, path: share.prefix };
  }

  /** Ends the visits that came from a session. */
  endVisits(sessionId: string): void {
    // Which visit a request under way belongs to is not kept: those of the same person end with it.
    const visitors = this.#rooms.door.visits.endVisits(sessionId);
    this.#letOut((pass) => !visitors.has(accountOf(pass) ?? ""));
  }

  /** Answers a request at the door, from the device when its visitor may pass. */
  async serve(request: Request): Promise<Response> {
    const { access, door, link } = this.#rooms;
    try {
      const response = await door.serve(request, access, (forwarded, pass, identity) =>
        link.relay(forwarded, pass, identity),
      );
      // The status first: most responses are the device's, and looking at their headers has its price.
      const { status } = response;
      const entered =
        status === doorVerdicts.entered && response.headers.get(doorHeader) === "entered";
      if (entered || status === 101) this.#schedule();
      return response;
    } catch (error) {
      // Unregistered while the visitor stood at the door: the tables are gone.
      if (!this.#registration.stands) return refusal("unknown");
      throw error;
    }
  }

  /** Ends what nobody has a right to any more: visits, tunnels, and what is on its way. */
  endWithoutRight(): void {
    const { access, door } = this.#rooms;
    const now = this.#rooms.context.clock.now();
    this.endTunnels((tunnel) => tunnel.until > now && this.#mayTunnel(tunnel, tunnel.service));
    door.visits.keepOnly((person, contact) => this.#mayEnter(person, contact));
    this.#letOut((pass) => this.#isOn && pass !== null && access.holds(pass));
  }

  /** Ends the tunnels that may not stay, and those that are just being opened. */
  endTunnels(mayStay: (tunnel: TunnelVisitor) => boolean): void {
    this.#rooms.link.keepOnly((pass) => {
      const tunnel = tunnelOf(pass);
      return tunnel === null || mayStay(tunnel);
    });
  }

  /** Ends what is on its way at the page and may not stay. A tunnel has rules of its own. */
  #letOut(mayStay: (pass: string | null) => boolean): void {
    this.#rooms.link.keepOnly((pass) => tunnelOf(pass) !== null || mayStay(pass));
  }

  /** What an account needs to know to open tunnels; null where it may not. */
  tunnelOffer(account: string, contact: boolean): TunnelOffer | null {
    const row = this.#registration.row();
    const person = { account, contact };
    if (row === null || !this.#mayTunnel(person, null)) return null;
    const { connection } = this.#rooms;
    return {
      id: row.device_id,
      label: row.label,
      publicKey: row.public_key,
      online: connection.online,
      services: connection.tcpServices().filter((service) => this.#mayTunnel(person, service)),
    };
  }

  /** Joins a visitor's socket to a service of the device. */
  async tunnel(request: Request): Promise<Response> {
    const { context, connection, link } = this.#rooms;
    const visitor = tunnelVisitor(request, context.clock.now());
    if (visitor === null) return refusal("malformed");
    if (!this.#mayTunnel(visitor, visitor.service)) return refusal("forbidden");
    if (connection.online && !connection.tcpServices().includes(visitor.service)) {
      return refusal("unknown");
    }
    if (tooManyTunnels(link.passages.tunnels(), visitor.account)) return refusal("busy");
    const response = await link.relay(request, tunnelPass(visitor));
    if (response.status === 101) this.#schedule();
    return response;
  }

  /** @param service null: whether it may open any tunnel, also while the device offers nothing */
  #mayTunnel(
    { account, contact }: Pick<TunnelVisitor, "account" | "contact">,
    service: string | null,
  ): boolean {
    if (!this.#isOn) return false;
    const { access } = this.#rooms;
    return service === null
      ? access.mayUseSome(account, contact)
      : access.mayUse(service, account, contact);
  }

  get #isOn(): boolean {
    return this.#registration.row() !== null && this.#rooms.features.isOn("link");
  }

  #mayEnter(account: string, contact: boolean): boolean {
    return this.#isOn && this.#rooms.access.mayEnter(account, contact);
  }
}

/** Whose pass it is; null: nobody was asked. */
function accountOf(pass: string | null): string | null {
  return pass === null ? null : readPass(pass).account;
}
