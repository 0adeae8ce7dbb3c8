/** Which label a person may have, of what they typed: for a device that comes, and for one that is there. */

import { limits } from "../../protocol/limits.ts";
import { checkLabel, labelFrom } from "../../protocol/names.ts";
import type { Ports } from "../ports.ts";
import { Problem } from "../problem.ts";

/**
 * The label that `typed` means, which `accountId` may claim.
 * @param own those that the device has
 * @throws Problem `label-syntax`, `label-reserved`, `label-yours`, `label-taken`, `names-held`
 */
export async function wantedLabel(
  { directory }: Pick<Ports, "directory">,
  accountId: string,
  typed: string,
  own: readonly string[] = [],
): Promise<string> {
  const label = labelFrom(typed);
  const problem = checkLabel(label);
  if (problem !== null) throw new Problem(problem, "label");
  if (own.includes(label)) throw new Problem("label-yours", "label");
  if (!(await directory.isLabelFree(label, accountId))) throw new Problem("label-taken", "label");
  const held = await directory.heldLabels(accountId);
  if (held >= limits.labelsHeldPerAccount) throw new Problem("names-held");
  return label;
}
