/**
 * What a device's name answers: the record sets of everything in the device that publishes some, put
 * together and signed. The one place that DNS over HTTPS and the feed to the fronts read.
 */

import type { Sealer } from "../../db/seal.ts";
import { wildcardChain } from "../../protocol/dns/chain.ts";
import type { PublishedSet, RecordSet } from "../../protocol/dns/sets.ts";
import type { PublishedName } from "../../protocol/feed.ts";
import type { Connection } from "./connection.ts";
import type { DeviceContext } from "./context.ts";
import type { Name } from "./name.ts";
import type { OwnRecordsRoom } from "./own-records.ts";
import { completed } from "./own-sets.ts";
import { Publication } from "./publication.ts";
import { Signatures } from "./signatures.ts";

/** A part of the device that publishes record sets; it keeps them itself, and nobody else does. */
export interface SetProvider {
  /** Owners relative to the device's label; each owner and type once among all providers. */
  sets(label: string): Promise<readonly RecordSet[]>;
}

export interface PublishedOptions {
  readonly context: DeviceContext;
  readonly sealer: Sealer;
  readonly name: Name;
  /** Who publishes beside the name itself. */
  readonly others: readonly SetProvider[];
  /** What its owner put there. */
  readonly own: OwnRecordsRoom;
  /** Whether the name is on. */
  readonly isOn: () => boolean;
  /** Whether an operator closed it. */
  readonly isClosed: () => boolean;
  /** The device's names, the primary first; none once it is gone. */
  readonly labels: () => readonly string[];
  /** Since when one of them is the device's. */
  readonly since: (label: string) => number;
  /** Called when the next wake-up may have changed. */
  readonly settled: () => void;
}

export class Published {
  readonly signatures: Signatures;
  /** Tells the zone of every change, for the fronts. */
  readonly publication: Publication;
  readonly #options: PublishedOptions;

  constructor(options: PublishedOptions) {
    const { context, sealer, name, labels, since, isOn, settled } = options;
    this.#options = options;
    this.publication = new Publication(context, {
      published: async () => {
        const names: PublishedName[] = [];
        for (const label of labels()) {
          const sets = await this.publishedSets(label);
          if (sets !== null) names.push({ label, sets, since: since(label) });
        }
        return names.length === 0 ? null : { names };
      },
      seal: (at, text) => name.seal(at, text),
      settled,
    });
    this.signatures = new Signatures({
      ...{ context, sealer, isOn },
      isOwn: (label) => labels().includes(label),
      inTurn: (work) => name.inTurn(work),
      mark: () => this.publication.mark(),
      signed: () => this.publication.tell(),
    });
  }

  /**
   * What is answered by `label`, the device's first if absent; null too when it is none of its.
   * @param signed false: nobody wants signatures
   */
  async records(label?: string, signed = true): Promise<readonly PublishedSet[] | null> {
    const labels = this.#options.labels();
    const [asked = labels[0]] = [label];
    return asked !== undefined && labels.includes(asked)
      ? await this.publishedSets(asked, signed)
      : null;
  }

  /** Takes over the address that the connected device comes from. */
  async adopt(connection: Pick<Connection, "address" | "kept">): Promise<void> {
    await this.#options.name.adopt(connection);
    await this.signAhead();
  }

  /** Everything that `label` answers now, signed where that is wanted; null while it answers nothing. */
  async publishedSets(label: string, isSigned = true): Promise<readonly PublishedSet[] | null> {
    const { context, name, others, own } = this.#options;
    if (!this.#isOpen()) return null;
    const given: RecordSet[] = [];
    for (const provider of [name, ...others]) given.push(...(await provider.sets(label)));
    const sets = completed(given, await own.read(), context.allowSpecialAddresses);
    if (context.signing !== undefined)
      sets.push(...wildcardChain(sets, label, context.signing.apex));
    const signed = isSigned
      ? await this.signatures.sign(label, sets)
      : sets.map((set) => ({ ...set, signatures: [] }));
    // It may have been switched off meanwhile.
    return this.#isOpen() ? signed : null;
  }

  /** Signs what changed before anybody asks; what cannot be signed now is when it is asked for. */
  async signAhead(): Promise<void> {
    await this.signAll().catch(() => undefined);
  }

  /** @throws whatever keeps what is published out of reach */
  async signAll(): Promise<void> {
    for (const label of this.#options.labels()) await this.publishedSets(label);
  }

  #isOpen(): boolean {
    return this.#options.isOn() && !this.#options.isClosed();
  }
}
