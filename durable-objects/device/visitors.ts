/**
 * Who may reach a device, and who is on the way: the list, the door and what Link carries for them.
 * Whoever loses the right is let out at once, also in the middle of a request.
 */

import { Access } from "./access.ts";
import { doorHeader, refusal } from "./door.ts";
import type { RegistrationRecord } from "./registration.ts";
import type { AccessMode, DoorCodeResult } from "./rpc.ts";
import type { Rooms } from "./switches.ts";

export class Visitors {
  readonly #rooms: Rooms;
  readonly #registration: RegistrationRecord;
  readonly #access: Access;
  readonly #schedule: () => void;

  /** @param schedule is told when something that ends by itself has begun */
  constructor(rooms: Rooms, registration: RegistrationRecord, schedule: () => void) {
    this.#rooms = rooms;
    this.#registration = registration;
    this.#access = new Access(rooms.context);
    this.#schedule = schedule;
  }

  /** The people that the owner let in. */
  listed(): string[] {
    return this.#access.people();
  }

  setMode(mode: AccessMode): void {
    this.#access.setMode(mode);
    this.#registration.forgetMemory();
    this.#endWithoutRight();
  }

  /** False when the list is full. */
  allow(accountId: string): boolean {
    return this.#access.add(accountId);
  }

  disallow(accountId: string): void {
    this.#access.remove(accountId);
    this.#endWithoutRight();
  }

  /** Takes a person off the list with every visit, whatever the mode. */
  forget(accountId: string): void {
    const { door, link } = this.#rooms;
    this.#access.remove(accountId);
    door.forget(accountId);
    link.keepOnly((visitor) => visitor !== accountId);
  }

  /** A one-time code with which a person who may enter comes back to the door. */
  async issueCode(asked: {
    readonly accountId: string;
    readonly nonceHash: string;
    readonly sessionId: string;
  }): Promise<DoorCodeResult> {
    const code = this.#mayEnter(asked.accountId)
      ? await this.#rooms.door.issueCode(asked, (person) => this.#mayEnter(person))
      : null;
    if (code === null) return { kind: "forbidden" };
    this.#schedule();
    return { kind: "code", code };
  }

  /** Ends the visits that came from a session. */
  endVisits(sessionId: string): void {
    const { door, link } = this.#rooms;
    // Which visit a request under way belongs to is not kept: those of the same person end with it.
    const visitors = door.endVisits(sessionId);
    link.keepOnly((visitor) => visitor === null || !visitors.has(visitor));
  }

  /** Answers a request at the door, from the device when its visitor may pass. */
  async serve(request: Request, mode: AccessMode): Promise<Response> {
    const { door, link } = this.#rooms;
    try {
      const response = await door.serve(
        request,
        mode,
        (accountId) => this.#mayEnter(accountId),
        (forwarded, visitor) => link.relay(forwarded, visitor),
      );
      const entered = response.headers.get(doorHeader) === "entered";
      if (entered || response.status === 101) this.#schedule();
      return response;
    } catch (error) {
      // Unregistered while the visitor stood at the door: the tables are gone.
      if (!this.#registration.stands) return refusal("unknown");
      throw error;
    }
  }

  #endWithoutRight(): void {
    const { door, link } = this.#rooms;
    door.keepOnly((accountId) => this.#mayEnter(accountId));
    link.keepOnly((visitor) => this.#mayEnter(visitor));
  }

  #mayEnter(visitor: string | null): boolean {
    const row = this.#registration.row();
    if (row === null || !this.#rooms.features.isOn("link")) return false;
    return this.#access.mayEnter(row, visitor);
  }
}
