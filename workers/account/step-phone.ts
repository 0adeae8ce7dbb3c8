/** Which phone of an address book the second step uses, so that nobody removes it unawares. */

import { personKey, sealedAt } from "../../db/queries/accounts.ts";
import { secondStepsOf } from "../../db/queries/sign-ins.ts";
import type { Db, Ports } from "../ports.ts";

/** Which address the codes of the second step go to; null when none does. */
export async function secondStepPhone(
  ports: Ports,
  db: Db,
  accountId: string,
): Promise<string | null> {
  const sms = (await secondStepsOf(db, accountId)).find(({ kind }) => kind === "sms");
  if (sms === undefined) return null;
  const at = sealedAt.secondStep(sms.id);
  const opened = await ports.sealer.open(personKey(accountId), at, sms.secretSealed);
  return (JSON.parse(opened ?? "{}") as { identifier?: string }).identifier ?? null;
}
