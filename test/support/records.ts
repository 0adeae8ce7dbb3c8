/** What a device's name resolves to, read from the record sets that it publishes. */

import type { NameAddresses } from "../../durable-objects/device/rpc.ts";
import type { PublishedSet } from "../../protocol/dns/sets.ts";

/** Null while the name answers nothing. */
export async function published(device: {
  records(): Promise<readonly PublishedSet[] | null>;
}): Promise<NameAddresses | null> {
  const sets = await device.records();
  if (sets === null) return null;
  const of = (type: "A" | "AAAA") => {
    const [data] = sets.find((set) => set.owner === "" && set.type === type)?.data ?? [];
    return data !== undefined && "address" in data ? data.address : null;
  };
  return { ipv4: of("A"), ipv6: of("AAAA") };
}
