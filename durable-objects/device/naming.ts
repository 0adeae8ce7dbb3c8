/**
 * The name, as the edge asks for it. What each call means stands in name.ts and name-tokens.ts; here it
 * meets the device around it: whoever looks on is told of every change.
 */

import type { Connection } from "./connection.ts";
import type { Name } from "./name.ts";
import type {
  AddressUpdate,
  MadeNameToken,
  NameEvent,
  NameRpc,
  NameScope,
  NameTokenDescription,
  NewNameToken,
  UpdateResult,
} from "./name-rpc.ts";

/** What the name needs of the device around it. */
interface House {
  readonly isOn: () => boolean;
  /** Tells whoever watches. */
  readonly changed: () => Promise<unknown>;
}

export class Naming implements NameRpc {
  readonly #name: Name;
  readonly #house: House;

  constructor(name: Name, house: House) {
    this.#name = name;
    this.#house = house;
  }

  async updateAddresses(update: AddressUpdate): Promise<UpdateResult> {
    const result = await this.#name.update(update);
    if (result.verdict === "good" || result.verdict === "abuse") await this.#house.changed();
    return result;
  }

  /** The device is elsewhere, or said which address it keeps. */
  async follow(connection: Pick<Connection, "address" | "kept">): Promise<void> {
    if (await this.#name.adopt(connection)) await this.#house.changed();
  }

  proveName(secret: string, scope: NameScope, from: string | null): Promise<boolean> {
    return this.#name.tokens.prove(secret, scope, from);
  }

  async nameTokens(): Promise<readonly NameTokenDescription[] | null> {
    return this.#house.isOn() ? await this.#name.tokens.list() : null;
  }

  async makeNameToken(asked: NewNameToken): Promise<MadeNameToken> {
    const made = await this.#name.makeToken(asked);
    if (made.kind === "made") await this.#house.changed();
    return made;
  }

  async excuseNameToken(id: string): Promise<string | null> {
    const name = await this.#name.tokens.excuse(id);
    if (name !== null) await this.#house.changed();
    return name;
  }

  async nameHistory(): Promise<readonly NameEvent[] | null> {
    return this.#house.isOn() ? await this.#name.history.list() : null;
  }

  async endNameToken(id: string): Promise<string | null> {
    const name = await this.#name.tokens.end(id);
    if (name !== null) await this.#house.changed();
    return name;
  }
}
