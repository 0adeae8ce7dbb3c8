/**
 * Requests to the certificate authority (RFC 8555): at the operator's configured origin only, without
 * following redirects, bounded in time and size. Part of the egress gate: nobody else may call it.
 */

import { limits } from "../../protocol/limits.ts";
import { readBounded } from "../body.ts";
import type { Authority } from "../certificates/configuration.ts";
import type { AuthorityAnswer } from "../ports.ts";

type Fields = Readonly<Record<string, string>>;

/** @param authority whom the operator configured; null: nobody is ever asked */
export function authorityTransport(
  authority: Pick<Authority, "directory"> | null,
): (fields: Fields) => Promise<AuthorityAnswer> {
  return async ({ method = "GET", url = "", body = "" }) => {
    const origin = authority === null ? null : new URL(authority.directory).origin;
    if (!URL.canParse(url) || new URL(url).origin !== origin) {
      throw new Error("the address is not at the configured authority");
    }
    const headers: Record<string, string> = { "user-agent": "Latchkey" };
    if (method === "POST") headers["content-type"] = "application/jose+json"; // RFC 8555 §6.2
    const response = await fetch(url, {
      method,
      headers,
      body: method === "POST" ? body : null,
      redirect: "manual",
      signal: AbortSignal.timeout(limits.acmeRequestMs),
    });
    const bytes = await readBounded(response, limits.acmeAnswerBytes);
    if (bytes === null) throw new Error("the authority's answer is too large");
    return {
      status: response.status,
      nonce: response.headers.get("replay-nonce"),
      location: response.headers.get("location"),
      retryAfter: response.headers.get("retry-after"),
      body: new TextDecoder().decode(bytes),
    };
  };
}
