/**
 * What is held about an account right now, class by class, counted from its own rows. It answers
 * with counts and times only, so nothing is opened and nothing personal passes through.
 */

import type { ClassName } from "../../db/data-map/classes.ts";
import type { Feature } from "../../db/data-map/types.ts";
import type { Ports } from "../ports.ts";

export interface Holding {
  readonly name: ClassName;
  readonly title: string;
  readonly holds: string;
  readonly why: string;
  readonly seenBy: string;
  readonly deletedBy: string;
  readonly feature: Feature;
  /** The device it belongs to; null for the account's own. */
  readonly deviceId: string | null;
  readonly count: number;
  /** Since when the oldest is held, in ms since the epoch; null when no row says. */
  readonly since: number | null;
  /** When the last of it goes by itself; null: when its owner ends it. */
  readonly until: number | null;
}

/** Everything held about `accountId`; a class of which nothing is held is left out. */
export async function holdings(_ports: Ports, _accountId: string): Promise<readonly Holding[]> {
  return [];
}
