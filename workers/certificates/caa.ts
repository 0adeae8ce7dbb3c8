/** Whether what an owner wrote into CAA keeps the authority out that we order from (RFC 8659 §4). Pure. */

import type { CertificateState } from "../../durable-objects/device/certificate-rpc.ts";
import type { OwnRecords } from "../../durable-objects/device/records-rpc.ts";
import type { Authority } from "./configuration.ts";

/**
 * True where the next order would find the owner's records alone, and our authority not among them. While
 * only our account may certify the name it stands beside them; the first order sees to that by itself.
 */
export function isKeptOut(
  authority: Pick<Authority, "caa"> | null,
  { caa, current, order }: Pick<CertificateState, "caa" | "current" | "order">,
  own: Pick<OwnRecords, "sets">,
): boolean {
  const isFirst = current === null && (order === null || order.failures === 0);
  if (authority === null || caa !== null || isFirst) return false;
  const written = own.sets.find(({ owner, type }) => owner === "" && type === "CAA")?.data ?? [];
  return ["issue", "issuewild"].some((tag) => {
    const values = written.flatMap((one) =>
      one.type === "CAA" && one.tag === tag ? one.value : [],
    );
    const domains = values.map((value) => value.split(";")[0]?.trim().toLowerCase());
    return values.length > 0 && !domains.includes(authority.caa?.toLowerCase());
  });
}
