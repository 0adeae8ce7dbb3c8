/**
 * Everything that the name has in the device's object, put together: where it leads, who may say so, what
 * else stands in DNS below it, and the signatures over all of that.
 */

import type { Sealer } from "../../db/seal.ts";
import { Certificates } from "./certificates.ts";
import { Certifying } from "./certifying.ts";
import type { DeviceContext } from "./context.ts";
import { DomainsRoom } from "./domains.ts";
import { Name } from "./name.ts";
import { Naming } from "./naming.ts";
import { OwnRecordsRoom } from "./own-records.ts";
import { Published } from "./published.ts";
import { SignedUpdates } from "./signed-updates.ts";

/** What the name needs of the device around it. */
export interface NamedOptions {
  readonly context: DeviceContext;
  readonly sealer: Sealer;
  /** Whether the name is on at this moment. */
  readonly isOn: () => boolean;
  /** Whether an operator closed it. */
  readonly isClosed: () => boolean;
  /** The device's names, the primary first; none once it is gone. */
  readonly labels: () => readonly string[];
  /** Since when one of them is the device's. */
  readonly since: (label: string) => number;
  /** Whose it is; null once it is gone. */
  readonly owner: () => string | null;
  /** Those of them that may be certified. */
  readonly certifiable: () => readonly string[];
  /** Called when the next wake-up may have changed. */
  readonly settled: () => void;
  /** Runs after what is under way, and before what comes. */
  readonly inTurn: <T>(work: () => Promise<T>) => Promise<T>;
  /** Tells whoever watches. */
  readonly changed: () => Promise<unknown>;
}

export class Named {
  readonly name: Name;
  readonly certificates: Certificates;
  readonly published: Published;
  /** What the edge may ask of it, in detail. */
  readonly naming: Naming;
  readonly signed: SignedUpdates;
  readonly certifying: Certifying;
  readonly own: OwnRecordsRoom;
  readonly domains: DomainsRoom;

  constructor(options: NamedOptions) {
    const {
      context,
      sealer,
      isOn,
      isClosed,
      labels,
      since,
      owner,
      certifiable,
      settled,
      inTurn,
      changed,
    } = options;
    const mark = () => this.published.publication.mark();
    this.name = new Name(context, sealer, isOn, mark);
    this.certificates = new Certificates(context, sealer, isOn, mark);
    const house = {
      ...{ inTurn, isOn, mark },
      changed: () => this.published.signAhead().then(changed),
    };
    this.own = new OwnRecordsRoom(context, sealer, house);
    this.domains = new DomainsRoom(context, sealer, house);
    this.published = new Published({
      ...{ context, sealer, name: this.name, others: [this.certificates], own: this.own },
      ...{ isOn, isClosed, labels, since, settled },
    });
    const apex = `.${context.signing?.apex}`;
    const mayOrder = (names: readonly string[]) =>
      names
        .filter((name) => name.endsWith(apex))
        .every((name) => certifiable().includes(name.slice(0, -apex.length).replace(/^\*\./, "")));
    const mayProve = (label: string) => certifiable().includes(label);
    this.certifying = new Certifying(this.certificates, { ...house, mayOrder, mayProve });
    this.naming = new Naming(this.name, { ...house, labels, owner });
    this.signed = new SignedUpdates(context, this.name, house);
  }
}
