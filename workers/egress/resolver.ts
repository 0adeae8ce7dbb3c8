/**
 * Questions to the resolver that the operator configured, DNS over HTTPS (RFC 8484): one name and one kind of
 * record at a time, bounded in time and size. Part of the egress gate: nobody else may call it.
 */

import { type Lookup, lookups, readReply, writeQuestion } from "../../protocol/dns/reply.ts";
import { limits } from "../../protocol/limits.ts";
import { readBounded } from "../body.ts";
import type { ResolverAnswer } from "../ports.ts";

type Fields = Readonly<Record<string, string>>;

/** @param url where it takes questions; null: nobody is ever asked */
export function resolverTransport(url: string | null): (fields: Fields) => Promise<ResolverAnswer> {
  return async ({ name = "", type = "" }) => {
    if (url === null || !Object.hasOwn(lookups, type)) throw new Error("not a question");
    const response = await fetch(url, {
      method: "POST",
      headers: { "content-type": MESSAGE, accept: MESSAGE, "user-agent": "Latchkey" },
      body: writeQuestion(name, type as Lookup),
      redirect: "manual",
      signal: AbortSignal.timeout(limits.resolverMs),
    });
    if (!response.ok) throw new Error(`the resolver answered ${response.status}`);
    const bytes = await readBounded(response, limits.resolverAnswerBytes);
    return bytes === null ? null : readReply(bytes, name, type as Lookup);
  };
}

const MESSAGE = "application/dns-message";
