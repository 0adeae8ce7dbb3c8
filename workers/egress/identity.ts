/**
 * Requests to the providers of accounts elsewhere: at the operator's configured origins only, without
 * following redirects, bounded in time and size. Part of the egress gate: nobody else may call it.
 */

import { limits } from "../../protocol/limits.ts";
import { readBounded } from "../body.ts";
import type { IdentityProvider } from "../linked/configuration.ts";
import type { IdentityAnswer } from "../ports.ts";

type Fields = Readonly<Record<string, string>>;

/** @param providers whom the operator configured; nobody else is ever asked */
export function identityTransport(
  providers: readonly Pick<IdentityProvider, "id" | "origins">[],
): (fields: Fields) => Promise<IdentityAnswer> {
  return async ({ provider, method = "GET", url = "", authorization = "", body = "" }) => {
    const origins = providers.find(({ id }) => id === provider)?.origins ?? [];
    if (!URL.canParse(url) || !origins.includes(new URL(url).origin)) {
      throw new Error("the address is not one of the provider's configured hosts");
    }
    const headers: Record<string, string> = {
      accept: "application/json",
      "user-agent": "Latchkey",
    };
    if (authorization !== "") headers.authorization = authorization;
    if (body !== "") headers["content-type"] = "application/x-www-form-urlencoded";
    const response = await fetch(url, {
      method,
      headers,
      body: body === "" ? null : body,
      redirect: "manual",
      signal: AbortSignal.timeout(limits.identityRequestMs),
    });
    const bytes = await readBounded(response, limits.identityAnswerBytes);
    if (bytes === null) throw new Error("the provider's answer is too large");
    return {
      status: response.status,
      contentType: response.headers.get("content-type") ?? "",
      body: new TextDecoder().decode(bytes),
    };
  };
}
