/** How an account stands, part by part: what the overview of the account center says at a glance. */

import { personKey, sealedAt } from "../../db/queries/accounts.ts";
import { type OverviewRow, overviewOf } from "../../db/queries/overview.ts";
import type { Ports } from "../ports.ts";
import { Problem } from "../problem.ts";
import { homeOf } from "./account.ts";

export interface Overview extends Omit<OverviewRow, "primaryId" | "addressSealed"> {
  readonly accountId: string;
  readonly regionTitle: string;
  /** Where notices go: an e-mail address or a phone number. */
  readonly address: string;
}

/** One query. @throws Problem `not-found` when the account is gone */
export async function overview(ports: Ports, accountId: string): Promise<Overview> {
  const db = ports.regions.db(accountId);
  const row = db === null ? null : await overviewOf(db, accountId, ports.clock.now());
  if (row === null) throw new Problem("not-found");
  const { primaryId, addressSealed, ...rest } = row;
  const at = sealedAt.address(primaryId);
  const address = await ports.sealer.open(personKey(accountId), at, addressSealed);
  if (address === null) throw new Problem("not-found");
  return { ...rest, accountId, regionTitle: homeOf(ports, accountId).regionTitle, address };
}
