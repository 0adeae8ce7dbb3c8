/**
 * A client of RFC 8555 (ACME) and RFC 9773 (renewal information): signed requests, nonces, and the
 * authority's refusals as one kind of error. It waits for nothing: what is pending is asked for again
 * by whoever calls next (order.ts).
 */

import { base64url as encode, FlattenedSign, importJWK, type JWK } from "jose";
import { limits } from "../../protocol/limits.ts";
import { base64url } from "../../protocol/tokens.ts";
import type { AuthorityAnswer, Ports } from "../ports.ts";

type World = Pick<Ports, "egress" | "clock">;

/** What an authority's directory names (RFC 8555 §7.1.1, RFC 9773 §4.1). */
export interface Directory {
  readonly newNonce: string;
  readonly newAccount: string;
  readonly newOrder: string;
  readonly revokeCert: string;
  readonly renewalInfo?: string;
  readonly meta?: { readonly caaIdentities?: readonly string[] };
}

export interface OrderObject {
  readonly status: "pending" | "ready" | "processing" | "valid" | "invalid";
  readonly authorizations: readonly string[];
  readonly finalize: string;
  readonly certificate?: string;
  readonly error?: ProblemObject;
}

export interface AuthorizationObject {
  readonly status: string;
  readonly identifier: { readonly value: string };
  readonly challenges: readonly {
    readonly type: string;
    readonly url: string;
    readonly status: string;
    readonly token?: string;
    readonly error?: ProblemObject;
  }[];
}

interface ProblemObject {
  readonly type?: string;
  readonly detail?: string;
  readonly subproblems?: readonly ProblemObject[];
}

/** A refusal of the authority (RFC 8555 §6.7), or nothing that can be understood. */
export class AcmeRefusal extends Error {
  override readonly name = "AcmeRefusal";
  /** The last part of the error's type, e.g. `rateLimited`; `unknown` for any other. */
  readonly kind: string;
  /** In the authority's words, shortened. */
  readonly detail: string;
  readonly status: number;
  /** How long it asks to be left alone; null when it does not say. */
  readonly retryAfterMs: number | null;

  constructor(problem: ProblemObject, status: number, retryAfterMs: number | null) {
    super("the authority refused");
    const [, kind = "unknown"] =
      /^urn:ietf:params:acme:error:([A-Za-z]{1,40})$/.exec(problem.type ?? "") ?? [];
    const details = [problem, ...(problem.subproblems ?? [])].map(({ detail }) => detail ?? "");
    this.kind = kind;
    this.detail = details.join(" ").trim().slice(0, limits.acmeDetailLength);
    this.status = status;
    this.retryAfterMs = retryAfterMs;
  }
}

/** Our account's key, and its address once it has one. */
export interface AccountKey {
  readonly jwk: JWK;
  readonly url: string | null;
}

/** One conversation with the authority. Knows one nonce at a time. */
export class Acme {
  readonly #world: World;
  readonly #directory: Directory;
  readonly #account: AccountKey;
  #nonce: string | null = null;

  constructor(world: World, directory: Directory, account: AccountKey) {
    this.#world = world;
    this.#directory = directory;
    this.#account = account;
  }

  get directory(): Directory {
    return this.#directory;
  }

  /** A signed request; an empty `payload` reads (POST-as-GET, §6.3). @throws AcmeRefusal */
  async post(url: string, payload: object | null): Promise<AuthorityAnswer> {
    for (let left = limits.acmeNonceTries; ; left--) {
      const nonce = this.#nonce ?? (await this.#freshNonce());
      this.#nonce = null;
      const body = await this.#signed(url, payload, nonce);
      const answer = await this.#world.egress.send("certificate authority", {
        ...{ method: "POST", url, body },
      });
      this.#nonce = answer.nonce;
      if (answer.status < 300) return answer;
      const refusal = refusalOf(answer, this.#world.clock.now());
      // §6.5: a nonce that came too late is no fault of the request.
      if (refusal.kind !== "badNonce" || left <= 1) throw refusal;
    }
  }

  /** The object at `url`, and when it wants to be asked again. @throws AcmeRefusal */
  async object<T>(url: string, payload: object | null = null) {
    const answer = await this.post(url, payload);
    const retryAfterMs = retryAfter(answer, this.#world.clock.now());
    return { value: parsed<T>(answer), location: answer.location, retryAfterMs };
  }

  /** Makes our account, or finds it. @returns its address. @throws AcmeRefusal */
  async newAccount(binding: { id: string; key: string } | null): Promise<string> {
    const { newAccount } = this.#directory;
    const bound =
      binding === null ? {} : { externalAccountBinding: await this.#bound(newAccount, binding) };
    const { location } = await this.post(newAccount, { termsOfServiceAgreed: true, ...bound });
    if (location === null)
      throw new AcmeRefusal({ detail: "an account without an address" }, 0, null);
    return location;
  }

  /** What a challenge is answered with: its token and our key's thumbprint (§8.1), hashed for DNS (§8.4). */
  async proofOf(token: string): Promise<string> {
    const { crv, kty, x, y } = this.#account.jwk;
    const thumbprint = await sha256(JSON.stringify({ crv, kty, x, y }));
    return await sha256(`${token}.${thumbprint}`);
  }

  async #freshNonce(): Promise<string> {
    const { newNonce: url } = this.#directory;
    const request = { method: "HEAD", url, body: "" };
    const { nonce, status } = await this.#world.egress.send("certificate authority", request);
    if (nonce === null) throw new AcmeRefusal({ detail: "no nonce was given" }, status, null);
    return nonce;
  }

  async #signed(url: string, payload: object | null, nonce: string): Promise<string> {
    const { jwk, url: kid } = this.#account;
    const text = payload === null ? "" : JSON.stringify(payload);
    const { crv, kty, x, y } = jwk;
    const who = kid === null ? { jwk: { crv, kty, x, y } as JWK } : { kid };
    const jws = await new FlattenedSign(new TextEncoder().encode(text))
      .setProtectedHeader({ alg: "ES256", nonce, url, ...who })
      .sign(await importJWK(jwk, "ES256"));
    return JSON.stringify(jws);
  }

  async #bound(url: string, { id, key }: { id: string; key: string }): Promise<object> {
    const { crv, kty, x, y } = this.#account.jwk;
    return await new FlattenedSign(new TextEncoder().encode(JSON.stringify({ crv, kty, x, y })))
      .setProtectedHeader({ alg: "HS256", kid: id, url })
      .sign(encode.decode(key));
  }
}

/** The authority's directory. @throws AcmeRefusal */
export async function readDirectory(world: World, url: string): Promise<Directory> {
  return parsed<Directory>(await read(world, url));
}

/** When a certificate is best renewed (RFC 9773 §4.2), and when to ask again. @throws AcmeRefusal */
export async function renewalWindow(
  world: World,
  directory: Directory,
  id: string,
): Promise<{ start: number; end: number; askAgainMs: number } | null> {
  if (directory.renewalInfo === undefined) return null;
  const answer = await read(world, `${directory.renewalInfo}/${id}`);
  const { suggestedWindow } = parsed<{ suggestedWindow?: { start?: string; end?: string } }>(
    answer,
  );
  const [start, end] = [suggestedWindow?.start, suggestedWindow?.end].map((text) =>
    Date.parse(text ?? ""),
  ) as [number, number];
  if (!(start <= end)) return null;
  const askAgainMs = retryAfter(answer, world.clock.now()) ?? limits.renewalAskMs;
  return { start, end, askAgainMs };
}

async function read(world: World, url: string): Promise<AuthorityAnswer> {
  const request = { method: "GET", url, body: "" };
  const answer = await world.egress.send("certificate authority", request);
  if (answer.status !== 200) throw refusalOf(answer, world.clock.now());
  return answer;
}

function refusalOf(answer: AuthorityAnswer, now: number): AcmeRefusal {
  let problem: ProblemObject = {};
  try {
    const value: unknown = JSON.parse(answer.body);
    if (typeof value === "object" && value !== null) problem = value;
  } catch {
    // Something else than the authority answered; its status says all.
  }
  return new AcmeRefusal(problem, answer.status, retryAfter(answer, now));
}

function parsed<T>(answer: AuthorityAnswer): T {
  try {
    const value: unknown = JSON.parse(answer.body);
    if (typeof value === "object" && value !== null) return value as T;
  } catch {
    // Falls through to the one refusal.
  }
  throw new AcmeRefusal({ detail: "an answer that is no JSON" }, answer.status, null);
}

/** RFC 9110 §10.2.3: seconds, or a date; never longer than a day. */
function retryAfter({ retryAfter: text }: AuthorityAnswer, now: number): number | null {
  if (text === null || text.trim() === "") return null;
  const ms = /^\d{1,9}$/.test(text) ? Number(text) * 1000 : Date.parse(text) - now;
  return Number.isNaN(ms) ? null : Math.min(Math.max(ms, 0), limits.acmeRetryMaxMs);
}

async function sha256(text: string): Promise<string> {
  const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(text));
  return base64url(new Uint8Array(digest));
}
