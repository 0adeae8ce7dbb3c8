/** What the edge may ask of a device's object about domains of its owner's own (docs/name.md). */

import type { Lookup } from "../../protocol/dns/reply.ts";

/** What a look at a domain came to. */
export type DomainVerdict =
  /** It leads to a name of this device. */
  | "here"
  /** There is no such name in DNS, or nothing at it. */
  | "unset"
  /** It is another name for something else. */
  | "elsewhere"
  /** Its addresses are not those of the device's name. */
  | "other-address"
  /** Its addresses are, and nothing says that it is this device's: `_acme-challenge` does. */
  | "unproved"
  /** The device's name has no address now to compare with. */
  | "no-address"
  /** It goes round in a circle, or through too many names. */
  | "loop"
  /** Its own name servers fail. */
  | "broken"
  /** The resolver said nothing that is an answer. */
  | "silent";

/** One question that was asked, and what came. */
export interface DomainStep {
  readonly name: string;
  readonly type: Lookup;
  /** Names or addresses; none: what `said` tells. */
  readonly values: readonly string[];
  /** `silent`: no answer that can be read; `failed`: any other code than the two. */
  readonly said: "answer" | "no-name" | "failed" | "silent";
}

/** What was seen when one looked. */
export interface DomainSight {
  readonly at: number;
  readonly verdict: DomainVerdict;
  readonly steps: readonly DomainStep[];
}

export interface OwnDomain {
  /** In lower case, without the last dot. */
  readonly name: string;
  readonly addedAt: number;
  readonly seen: DomainSight | null;
  /** Since when it leads here; null while it does not, or did and is over. */
  readonly since: number | null;
  /** Whether its `_acme-challenge` leads to this device's, as it was seen last. */
  readonly certifiable: boolean;
  /** Since when its owner knows that it leads here no more; null while it does. */
  readonly lostAt: number | null;
  /** Looks in a row that did not see it here; those among them that were answered. */
  readonly tries: number;
  readonly misses: number;
  /** Looks in a row that came to nothing: the resolver did not answer, or with what is no answer. */
  readonly silences: number;
  /** When it is looked at again by itself; null: not until somebody asks. */
  readonly dueAt: number | null;
}

export interface DomainsState {
  /** Grows with each change; a change that was made of an older state is not kept. */
  readonly revision: number;
  readonly domains: readonly OwnDomain[];
}

export interface DomainsRpc {
  /** Null while the name is off and for a device that is gone. */
  ownDomains(): Promise<DomainsState | null>;
  /** Keeps what was made of the stored state; false when that changed meanwhile, or the name is off. */
  setOwnDomains(state: DomainsState): Promise<boolean>;
}
