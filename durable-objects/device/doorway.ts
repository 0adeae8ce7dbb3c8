/**
 * Who may come in, as the edge asks for it: rules, shares, what the device is told of its visitors, and
 * the operator's word. What each means stands in access.ts, shares.ts and visitors.ts.
 */

import type {
  AccessMode,
  Closure,
  ClosureSet,
  DeviceDescription,
  DoorCodeResult,
  DoorRpc,
  IdentityMode,
  LinkOpened,
  LinkOpening,
  MadeShare,
  NewShare,
  ShareDescription,
  TunnelOffer,
} from "./rpc.ts";
import type { Rooms } from "./switches.ts";
import type { Visitors } from "./visitors.ts";

/** What the doorway needs of the device around it. */
interface House {
  /** Null: there is no device, or no more. */
  readonly owner: () => string | null;
  readonly isOn: () => boolean;
  /** Runs `work` beside no other change. */
  readonly inTurn: <T>(work: () => Promise<T>) => Promise<T>;
  /** Tells whoever watches; the device as it is then. */
  readonly changed: () => Promise<DeviceDescription | null>;
}

export class Doorway implements DoorRpc {
  readonly #rooms: Rooms;
  readonly #visitors: Visitors;
  readonly #house: House;

  constructor(rooms: Rooms, visitors: Visitors, house: House) {
    this.#rooms = rooms;
    this.#visitors = visitors;
    this.#house = house;
  }

  setAccess(mode: AccessMode): Promise<DeviceDescription | null> {
    return this.#change(() => this.#visitors.setMode(mode));
  }

  async allow(
    accountId: string,
    ruleId: string | null = null,
  ): Promise<DeviceDescription | "full" | null> {
    const added = this.#house.owner() === null ? null : this.#visitors.allow(accountId, ruleId);
    if (added === null) return null;
    return added ? await this.#house.changed() : "full";
  }

  disallow(accountId: string, ruleId: string | null = null): Promise<DeviceDescription | null> {
    return this.#change(() => this.#visitors.disallow(accountId, ruleId));
  }

  async setRule(
    service: string,
    path: string,
    mode: AccessMode,
  ): Promise<DeviceDescription | "full" | null> {
    if (this.#house.owner() === null) return null;
    if (!this.#visitors.setRule(service, path, mode)) return "full";
    return await this.#house.changed();
  }

  removeRule(ruleId: string): Promise<DeviceDescription | null> {
    return this.#change(() => this.#visitors.removeRule(ruleId));
  }

  async endContact(accountId: string): Promise<void> {
    if (this.#house.owner() !== null) this.#visitors.endContact(accountId);
  }

  async shares(): Promise<readonly ShareDescription[] | null> {
    return this.#house.owner() === null ? null : await this.#rooms.access.shares.list();
  }

  makeShare(share: NewShare): Promise<MadeShare | null> {
    const { owner, isOn, inTurn, changed } = this.#house;
    return inTurn(async () => {
      if (owner() === null) return null;
      if (!isOn()) return { kind: "off" };
      const made = await this.#rooms.access.shares.make(share, isOn);
      await changed();
      return made;
    });
  }

  async stopShare(shareId: string): Promise<readonly string[] | null> {
    if (this.#house.owner() === null) return null;
    const people = this.#visitors.stopShare(shareId);
    await this.#house.changed();
    return people?.filter((person) => !this.#rooms.access.shares.knows(person)) ?? null;
  }

  async openShare(opening: LinkOpening): Promise<LinkOpened> {
    return this.#house.isOn() ? await this.#visitors.openShare(opening) : { kind: "no" };
  }

  setIdentity(mode: IdentityMode): Promise<DeviceDescription | null> {
    return this.#change(() => this.#visitors.setIdentity(mode));
  }

  async identityOf(
    visit: string,
  ): Promise<{ account: string; owner: string; name: boolean } | null> {
    const { access, door } = this.#rooms;
    const owner = this.#house.owner();
    if (owner === null || access.identity === "off" || !this.#house.isOn()) return null;
    const account = await door.visits.accountOf(visit);
    return account === null ? null : { account, owner, name: access.identity === "name" };
  }

  async mayUse(service: string, accountId: string, isContact: boolean): Promise<boolean> {
    return this.#house.isOn() && this.#rooms.access.mayUse(service, accountId, isContact);
  }

  async close(closure: Closure | null): Promise<ClosureSet | null> {
    if (this.#house.owner() === null) return null;
    const changed = this.#visitors.close(closure);
    const device = await this.#house.changed();
    return device === null ? null : { device, changed };
  }

  async forgetPerson(accountId: string): Promise<void> {
    await this.#change(() => this.#visitors.forget(accountId));
  }

  async issueDoorCode(
    accountId: string,
    nonceHash: string,
    sessionId: string,
    isContact = false,
  ): Promise<DoorCodeResult> {
    if (!this.#house.isOn()) return { kind: "off" };
    return await this.#visitors.issueCode({ accountId, nonceHash, sessionId, isContact });
  }

  async endVisits(sessionId: string): Promise<void> {
    if (this.#house.owner() !== null) this.#visitors.endVisits(sessionId);
  }

  async tunnelOffer(accountId: string, isContact = false): Promise<TunnelOffer | null> {
    return this.#visitors.tunnelOffer(accountId, isContact);
  }

  async endToken(tokenId: string): Promise<void> {
    this.#visitors.endTunnels((tunnel) => tunnel.token !== tokenId);
  }

  async #change(work: () => void): Promise<DeviceDescription | null> {
    if (this.#house.owner() === null) return null;
    work();
    return await this.#house.changed();
  }
}
