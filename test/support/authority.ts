/**
 * A certificate authority at the network's edge: RFC 8555 with every signature and nonce checked, and
 * RFC 9773, which Debian's Pebble does not speak. A test says what DNS shows and what goes wrong.
 */

import { calculateJwkThumbprint, flattenedVerify, importJWK, type JWK } from "jose";
import { readRequest } from "../../protocol/certificates.ts";
import { der, derOid, tags } from "../../protocol/der.ts";
import { base64url, fromBase64url } from "../../protocol/tokens.ts";
import type { AuthorityAnswer } from "../../workers/ports.ts";

export const CA = "https://ca.example/directory";
const ORIGIN = "https://ca.example";
const DAY = 86_400_000;

interface Authorization {
  readonly name: string;
  readonly token: string;
  status: string;
  error?: object;
}
interface Order {
  readonly names: readonly string[];
  readonly authorizations: string[];
  readonly replaces: string | null;
  status: string;
  chain?: string;
}

export interface StandInOptions {
  readonly now: () => number;
  /** The TXT values at `_acme-challenge.<name>`. */
  readonly txt: (name: string) => Promise<readonly string[]>;
}

export class StandInAuthority {
  readonly orders: Order[] = [];
  readonly revoked: { certificate: string; reason: number }[] = [];
  /** What was asked for, newest last: `POST /order`. */
  readonly asked: string[] = [];
  /** Refusals for requests to come, by path prefix; each is given once. */
  readonly refusals: { at: string; status: number; kind: string; retryAfter?: string }[] = [];
  /** While true every second nonce is refused. */
  moody = false;
  away = false;
  /** It finds nothing in DNS. */
  blind = false;
  /** The key that it certifies in place of the one it was asked for. */
  foreignKey: Uint8Array | null = null;
  /** How many looks at an order say `processing`. */
  slow = 0;
  window: { start: number; end: number } | null = null;
  accounts = 0;
  readonly #options: StandInOptions;
  readonly #nonces = new Set<string>();
  readonly #keys = new Map<string, JWK>();
  readonly #authorizations: Authorization[] = [];
  #ca: CryptoKeyPair | null = null;
  #count = 0;

  constructor(options: StandInOptions) {
    this.#options = options;
  }

  /** What the transport would bring back. */
  answer = async (fields: Readonly<Record<string, string>>): Promise<AuthorityAnswer> => {
    const { method = "", url = "", body = "" } = fields;
    if (this.away) throw new TypeError("fetch failed");
    const path = url.slice(ORIGIN.length);
    this.asked.push(`${method} ${path}`);
    if (method === "GET") return this.#read(path);
    if (method === "HEAD") return this.#say(204, null);
    return await this.#post(path, url, JSON.parse(body));
  };

  #read(path: string): AuthorityAnswer {
    if (path === "/directory") {
      return this.#say(200, {
        ...{ newNonce: `${ORIGIN}/nonce`, newAccount: `${ORIGIN}/account` },
        ...{ newOrder: `${ORIGIN}/order`, revokeCert: `${ORIGIN}/revoke` },
        ...{ renewalInfo: `${ORIGIN}/ari`, meta: { caaIdentities: ["ca.example"] } },
      });
    }
    if (path.startsWith("/ari/") && this.window !== null) {
      const { start, end } = this.window;
      const [from, to] = [start, end].map((at) => new Date(at).toISOString());
      const said = this.#say(200, { suggestedWindow: { start: from, end: to } });
      return { ...said, retryAfter: "21600" };
    }
    return this.#say(404, null);
  }

  async #post(path: string, url: string, jws: Record<string, string>): Promise<AuthorityAnswer> {
    const at = this.refusals.findIndex((one) => path.startsWith(one.at));
    const [refusal] = at < 0 ? [] : this.refusals.splice(at, 1);
    if (refusal !== undefined) {
      const said = this.#refuse(refusal.status, refusal.kind);
      return { ...said, retryAfter: refusal.retryAfter ?? null };
    }
    const header = JSON.parse(
      atob((jws.protected ?? "").replaceAll("-", "+").replaceAll("_", "/")),
    );
    const known = this.#nonces.delete(header.nonce);
    if (!known || (this.moody && this.#count++ % 2 === 0)) return this.#refuse(400, "badNonce");
    const jwk: JWK | undefined = header.jwk ?? this.#keys.get(header.kid);
    if (jwk === undefined) return this.#refuse(400, "accountDoesNotExist");
    const { payload } = await flattenedVerify(jws as never, await importJWK(jwk, "ES256"));
    if (header.url !== url) return this.#refuse(401, "unauthorized");
    const text = new TextDecoder().decode(payload);
    return await this.#serve(path, text === "" ? null : JSON.parse(text), jwk);
  }

  // biome-ignore lint/suspicious/noExplicitAny: whatever a client sends
  async #serve(path: string, payload: any, jwk: JWK): Promise<AuthorityAnswer> {
    const [, kind, id = ""] = path.split("/");
    switch (kind) {
      case "account": {
        const location = `${ORIGIN}/acct/${++this.accounts}`;
        this.#keys.set(location, jwk);
        return { ...this.#say(201, { status: "valid" }), location };
      }
      case "order":
        return id === "" ? this.#newOrder(payload) : this.#order(Number(id));
      case "authz": {
        const one = this.#authorizations[Number(id)] as Authorization;
        const { status, token, error, name } = one;
        const challenge = {
          type: "dns-01",
          url: `${ORIGIN}/challenge/${id}`,
          token,
          status,
          error,
        };
        return this.#say(200, { status, identifier: { value: name }, challenges: [challenge] });
      }
      case "challenge":
        return await this.#challenge(this.#authorizations[Number(id)] as Authorization, jwk);
      case "finalize":
        return await this.#finalize(Number(id), payload.csr);
      case "certificate":
        return { ...this.#say(200, null), body: this.orders[Number(id)]?.chain ?? "" };
      case "revoke":
        this.revoked.push(payload);
        return this.#say(200, null);
      default:
        return this.#refuse(404, "malformed");
    }
  }

  #newOrder(payload: { identifiers: { value: string }[]; replaces?: string }): AuthorityAnswer {
    const names = payload.identifiers.map(({ value }) => value);
    const authorizations = names.map((name) => {
      const token = base64url(crypto.getRandomValues(new Uint8Array(16)));
      const bare = name.replace(/^\*\./, "");
      return `${ORIGIN}/authz/${this.#authorizations.push({ name: bare, token, status: "pending" }) - 1}`;
    });
    const replaces = payload.replaces ?? null;
    const at = this.orders.push({ names, authorizations, replaces, status: "pending" }) - 1;
    return { ...this.#order(at), status: 201, location: `${ORIGIN}/order/${at}` };
  }

  #order(at: number): AuthorityAnswer {
    const order = this.orders[at] as Order;
    const states = order.authorizations.map((url) => {
      return this.#authorizations[Number(url.split("/").at(-1))]?.status;
    });
    if (order.status === "pending" && states.includes("invalid")) order.status = "invalid";
    if (order.status === "pending" && states.every((one) => one === "valid")) {
      if (this.slow-- <= 0) order.status = "ready";
    }
    const { status, authorizations, chain } = order;
    const certificate = chain === undefined ? {} : { certificate: `${ORIGIN}/certificate/${at}` };
    const finalize = `${ORIGIN}/finalize/${at}`;
    return this.#say(200, { status, authorizations, finalize, ...certificate });
  }

  async #challenge(one: Authorization, jwk: JWK): Promise<AuthorityAnswer> {
    const text = `${one.token}.${await calculateJwkThumbprint(jwk)}`;
    const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(text));
    const shown = this.blind ? [] : await this.#options.txt(one.name);
    one.status = shown.includes(base64url(new Uint8Array(digest))) ? "valid" : "invalid";
    if (one.status === "invalid") {
      one.error = { type: "urn:ietf:params:acme:error:unauthorized", detail: "wrong TXT record" };
    }
    return this.#say(200, {});
  }

  async #finalize(at: number, csr: string): Promise<AuthorityAnswer> {
    const order = this.orders[at] as Order;
    const request = readRequest(fromBase64url(csr) ?? new Uint8Array());
    if (order.status !== "ready") return this.#refuse(403, "orderNotReady");
    if (request?.names.join() !== order.names.join()) return this.#refuse(400, "badCSR");
    order.chain = await this.#issue(order.names, this.foreignKey ?? request.spki, at + 1);
    order.status = "valid";
    return this.#order(at);
  }

  /** A certificate of 90 days, signed by a key of this authority's. */
  async #issue(names: readonly string[], spki: Uint8Array, serial: number): Promise<string> {
    this.#ca ??= (await crypto.subtle.generateKey({ name: "ECDSA", namedCurve: "P-256" }, false, [
      ...(["sign", "verify"] as const),
    ])) as CryptoKeyPair;
    const body = certificateBody(names, spki, serial, this.#options.now());
    const algorithm = { name: "ECDSA", hash: "SHA-256" };
    const raw = new Uint8Array(await crypto.subtle.sign(algorithm, this.#ca.privateKey, body));
    const integer = (bytes: Uint8Array) => der(tags.integer, Uint8Array.of(0), bytes);
    const signature = der(tags.sequence, integer(raw.slice(0, 32)), integer(raw.slice(32)));
    const whole = der(tags.sequence, body, ecdsa, der(tags.bits, Uint8Array.of(0), signature));
    const lines = btoa(String.fromCharCode(...whole)).match(/.{1,64}/g) ?? [];
    return ["-----BEGIN CERTIFICATE-----", ...lines, "-----END CERTIFICATE-----", ""].join("\n");
  }

  #refuse(status: number, kind: string): AuthorityAnswer {
    const type = `urn:ietf:params:acme:error:${kind}`;
    return this.#say(status, { type, detail: `no: ${kind}`, status });
  }

  #say(status: number, body: object | null): AuthorityAnswer {
    const nonce = base64url(crypto.getRandomValues(new Uint8Array(12)));
    this.#nonces.add(nonce);
    const text = body === null ? "" : JSON.stringify(body);
    return { status, nonce, location: null, retryAfter: null, body: text };
  }
}

const ecdsa = der(tags.sequence, derOid("1.2.840.10045.4.3.2"));

/** TBSCertificate (RFC 5280 §4.1.2) with names and an authority's key identifier. */
export function certificateBody(
  names: readonly string[],
  spki: Uint8Array,
  serial: number | Uint8Array,
  now: number,
  authorityKey: Uint8Array = Uint8Array.of(1, 2, 3, 4),
): Uint8Array<ArrayBuffer> {
  const ascii = (text: string) => new TextEncoder().encode(text);
  const time = (at: number) =>
    der(tags.time, ascii(new Date(at).toISOString().replaceAll(/[-:T]|\.\d+/g, "")));
  const extension = (oid: string, value: Uint8Array) =>
    der(tags.sequence, derOid(oid), der(tags.octets, value));
  const alternative = der(tags.sequence, ...names.map((name) => der(0x82, ascii(name))));
  const extensions = der(
    tags.sequence,
    extension("2.5.29.17", alternative),
    extension("2.5.29.35", der(tags.sequence, der(0x80, authorityKey))),
  );
  const number = typeof serial === "number" ? Uint8Array.of(serial) : serial;
  return der(
    tags.sequence,
    der(0xa0, der(tags.integer, Uint8Array.of(2))),
    der(tags.integer, number),
    ecdsa,
    der(tags.sequence),
    der(tags.sequence, time(now), time(now + 90 * DAY)),
    der(tags.sequence),
    spki,
    der(0xa3, extensions),
  );
}
