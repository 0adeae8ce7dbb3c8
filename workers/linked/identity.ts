/**
 * What a provider says of its user, cut down to what is declared (ACC-2), and the ways in which asking
 * it can fail. Pure but for the one request function, which passes the egress gate.
 */

import { limits } from "../../protocol/limits.ts";
import type { Ports } from "../ports.ts";
import { normalizeAddress } from "../sign-in/rules.ts";
import type { IdentityProvider } from "./configuration.ts";

/** An account elsewhere. Everything else that its provider said is forgotten. */
export interface Identity {
  /** The provider's name in the configuration. */
  readonly provider: string;
  /** With `subject` it names the account for good, whatever the operator calls the provider. */
  readonly issuer: string;
  readonly subject: string;
  readonly name: string | null;
  readonly email: string | null;
  /** True when the address may be taken for checked (`IdentityProvider.emails`). */
  readonly emailChecked: boolean;
}

/** What is kept between leaving for a provider and coming back. */
export interface Leave {
  readonly state: string;
  readonly nonce: string;
  /** RFC 7636 §4.1. */
  readonly verifier: string;
  /** True when the provider was asked to have its user sign in afresh. */
  readonly fresh: boolean;
  /** Milliseconds since the epoch. */
  readonly leftAt: number;
}

/**
 * Why an account elsewhere was not shown.
 * - `declined`: its owner did not want to, or the provider did not let them
 * - `unavailable`: the provider does not answer, or not as one does
 * - `invalid`: the answer is not right: forged, replayed, meant for another
 */
export class IdentityError extends Error {
  override readonly name = "IdentityError";
  readonly kind: "declined" | "unavailable" | "invalid";
  /** A word for the log; says nothing of a person. */
  readonly word: string;

  constructor(kind: "declined" | "unavailable" | "invalid", word: string) {
    super(kind);
    this.kind = kind;
    this.word = word;
  }
}

/** The console's address that `provider` sends its user back to: one for each, against mix-up. */
export function callbackUrl(origin: string, provider: Pick<IdentityProvider, "id">): string {
  return `${origin}/sign-in/with/${provider.id}/callback`;
}

/** One request to a provider. A 5xx and silence are the same: it is not there. */
export async function askProvider(
  ports: Pick<Ports, "egress">,
  provider: Pick<IdentityProvider, "id">,
  {
    url,
    method = "GET",
    authorization = "",
    body = "",
  }: {
    readonly url: string;
    readonly method?: string;
    readonly authorization?: string;
    readonly body?: string;
  },
): Promise<Response> {
  const fields = { provider: provider.id, method, url, authorization, body };
  const answer = await ports.egress.send("identity provider", fields).catch(() => {
    throw new IdentityError("unavailable", "no-answer");
  });
  if (answer.status >= 500) throw new IdentityError("unavailable", "server-error");
  const { status, contentType } = answer;
  const empty = [204, 205, 304].includes(status);
  return new Response(empty ? null : answer.body, {
    status,
    headers: { "content-type": contentType },
  });
}

/** The claims that are used of those that a provider sent. */
interface Claims {
  readonly subject: unknown;
  readonly name?: unknown;
  readonly email?: unknown;
  readonly email_verified?: unknown;
  /** The domain of a mailbox that Google hosts. */
  readonly hd?: unknown;
}

/** @throws IdentityError `invalid` without a usable subject */
export function identityOf(provider: IdentityProvider, claims: Claims): Identity {
  const { subject } = claims;
  if (
    typeof subject !== "string" ||
    subject === "" ||
    subject.length > limits.identitySubjectLength
  ) {
    throw new IdentityError("invalid", "subject");
  }
  const email = typeof claims.email === "string" ? normalizeAddress(claims.email) : null;
  return {
    provider: provider.id,
    issuer: provider.issuer,
    subject,
    name: shownName(claims.name),
    email,
    emailChecked: email !== null && isChecked(provider, email, claims),
  };
}

function isChecked(provider: IdentityProvider, email: string, claims: Claims): boolean {
  if (claims.email_verified !== true) return false;
  switch (provider.emails) {
    case "believed":
      return true;
    case "own":
      return /@gmail\.com$/i.test(email) || (typeof claims.hd === "string" && claims.hd !== "");
    case "asked":
      return false;
  }
}

/** A name as it may be shown: one line, of bounded length. */
function shownName(name: unknown): string | null {
  if (typeof name !== "string") return null;
  const line = name.replace(/[\p{C}\s]+/gu, " ").trim();
  const short = [...line].slice(0, limits.identityNameLength).join("");
  return short === "" ? null : short;
}
