/** Switches a second step on for a person of a test, past the pages that do it. */

import { personKey, sealedAt } from "../../db/queries/accounts.ts";
import { beginStep, confirmStep, stepId } from "../../db/queries/second-steps.ts";
import type { SecondStepKind } from "../../db/queries/sign-ins.ts";
import type { Db, Ports } from "../../workers/ports.ts";

/** @param secret sealed as it is, e.g. the identifier whose phone gets the codes */
export async function switchOn(
  ports: Ports,
  accountId: string,
  kind: SecondStepKind = "totp",
  secret: unknown = { secret: "JBSWY3DPEHPK3PXP" },
): Promise<void> {
  const db = ports.regions.db(accountId) as Db;
  const at = sealedAt.secondStep(stepId(accountId, kind));
  const secretSealed = await ports.sealer.seal(personKey(accountId), at, JSON.stringify(secret));
  const now = ports.clock.now();
  await beginStep(db, { accountId, kind, secretSealed }, now);
  const confirmed = { accountId, kind, secretSealed, lastStep: 0 };
  await confirmStep(db, confirmed, { now, oldest: now - 1 });
}
