/**
 * The name, as the edge asks for it. What each call means stands in name.ts and name-tokens.ts; here it
 * meets the device around it: whoever looks on is told of every change.
 */

import type { Connection } from "./connection.ts";
import type { Name } from "./name.ts";
import type {
  AddressUpdate,
  IdleNameTokens,
  MadeNameToken,
  NameEvent,
  NameRight,
  NameRpc,
  NameScope,
  NameTokenDescription,
  NewNameToken,
  UpdateResult,
} from "./name-rpc.ts";
import { speaksFor } from "./name-tokens.ts";

/** What the name needs of the device around it. */
interface House {
  readonly isOn: () => boolean;
  /** The device's names; none once it is gone. */
  readonly labels: () => readonly string[];
  /** Whose it is; null once it is gone. */
  readonly owner: () => string | null;
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
    const { labels = [], account } = update;
    const isTheirs = account === undefined || account === this.#house.owner();
    if (!isTheirs || !labels.every((label) => this.#house.labels().includes(label))) {
      return { verdict: "nohost", ipv4: null, ipv6: null };
    }
    const result = await this.#name.update(update);
    const isNews = result.verdict === "abuse" || (result.verdict === "good" && !update.isTrial);
    if (isNews) await this.#house.changed();
    return result;
  }

  /** The device is elsewhere, or said which address it keeps. */
  async follow(connection: Pick<Connection, "address" | "kept">): Promise<void> {
    if (await this.#name.adopt(connection)) await this.#house.changed();
  }

  async nameRight(
    secret: string,
    scope: NameScope,
    from: string | null,
  ): Promise<NameRight | null> {
    const token = await this.#name.tokens.find(secret, scope, from);
    if (token === null) return null;
    const labels = this.#house.labels().filter((label) => speaksFor(token, [label]));
    return { labels, account: token.allDevices ? this.#house.owner() : null };
  }

  async nameTokens(): Promise<readonly NameTokenDescription[] | null> {
    return this.#house.isOn() ? await this.#name.tokens.list() : null;
  }

  async takeIdleNameTokens(): Promise<IdleNameTokens | null> {
    return this.#house.isOn() ? await this.#name.tokens.takeIdle() : null;
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
