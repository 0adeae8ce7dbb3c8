/**
 * Requests to Cloudflare's DNS API: for the operator's one zone, with the operator's token, bounded in
 * time and size. Part of the egress gate: nobody else may call it.
 */

import { limits } from "../../protocol/limits.ts";
import { readBounded } from "../body.ts";
import type { CloudflareZone } from "../config.ts";
import type { RecordsAnswer } from "../ports.ts";

type Fields = Readonly<Record<string, string>>;

/** @param zone null: nobody is ever asked */
export function cloudflareTransport(
  zone: CloudflareZone | null,
): (fields: Fields) => Promise<RecordsAnswer> {
  return async ({ method = "GET", query = "", batch = "" }) => {
    if (zone === null) throw new Error("no zone at Cloudflare is configured");
    const records = `${zone.api}/zones/${zone.id}/dns_records`;
    const response = await fetch(method === "POST" ? `${records}/batch` : `${records}?${query}`, {
      method,
      headers: {
        authorization: `Bearer ${zone.token}`,
        "user-agent": "Latchkey",
        ...(method === "POST" ? { "content-type": "application/json" } : {}),
      },
      body: method === "POST" ? batch : null,
      redirect: "manual",
      signal: AbortSignal.timeout(limits.publisherRequestMs),
    });
    const bytes = await readBounded(response, limits.publisherAnswerBytes);
    if (bytes === null) throw new Error("the answer of the DNS API is too large");
    return { status: response.status, body: new TextDecoder().decode(bytes) };
  };
}
