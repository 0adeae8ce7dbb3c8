/**
 * How a client shows that it is itself, at every endpoint that programs call (RFC 6749 §2.3, OpenID
 * Connect Core §9): by the one method it is registered for, and never by two at once.
 */

import { createLocalJWKSet, jwtVerify } from "jose";
import { limits } from "../../protocol/limits.ts";
import { equalInConstantTime, hashToken } from "../../protocol/tokens.ts";
import type { Ctx } from "../http.ts";
import type { Ports } from "../ports.ts";
import { type Form, OAuthError } from "./answers.ts";
import { type Client, clientOf } from "./clients.ts";

const ASSERTION = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"; // RFC 7523 §2.2
const failed = () => new OAuthError("invalid_client", "the client is not known or not proved");

/**
 * The client that a request comes from.
 * @throws OAuthError `invalid_client`; `invalid_request` when it shows two proofs at once
 */
export async function authenticateClient(c: Ctx, form: Form): Promise<Client> {
  const basic = basicOf(c.req.header("authorization"));
  const assertion = form.get("client_assertion");
  const secret = form.get("client_secret");
  const shown = [basic, assertion, secret].filter((proof) => proof !== undefined);
  if (shown.length > 1) throw new OAuthError("invalid_request", "show one proof of the client");
  const named = form.get("client_id");
  if (basic !== undefined) {
    if (named !== undefined && named !== basic.id) throw failed();
    // Some programs that have no secret send an empty one (RFC 6749 §2.3.1): it proves nothing.
    if (basic.secret === "") return await byName(c.env, basic.id);
    return await bySecret(c.env, basic.id, basic.secret, "client_secret_basic");
  }
  if (assertion !== undefined) return await byAssertion(c.env, form, assertion);
  if (named === undefined) throw failed();
  if (secret !== undefined) return await bySecret(c.env, named, secret, "client_secret_post");
  return await byName(c.env, named);
}

/** A public client, which cannot prove anything. */
async function byName(ports: Ports, id: string): Promise<Client> {
  const client = await clientOf(ports, id);
  if (client === null || client.auth.method !== "none") throw failed();
  return client;
}

/** RFC 6749 §2.3.1: identifier and secret are form-encoded before they become Basic's two halves. */
function basicOf(header: string | undefined): { id: string; secret: string } | undefined {
  const encoded = /^Basic +([A-Za-z0-9+/]+=*) *$/i.exec(header ?? "")?.[1];
  if (encoded === undefined) {
    if (/^Basic\b/i.test(header ?? "")) throw failed();
    return undefined;
  }
  try {
    const [id, secret] = /^([^:]*):(.*)$/s.exec(atob(encoded))?.slice(1) ?? [];
    if (id === undefined || secret === undefined) throw failed();
    const plain = (text: string) => decodeURIComponent(text.replaceAll("+", " "));
    return { id: plain(id), secret: plain(secret) };
  } catch {
    throw failed();
  }
}

async function bySecret(
  ports: Ports,
  id: string,
  secret: string,
  method: "client_secret_basic" | "client_secret_post",
): Promise<Client> {
  const client = await clientOf(ports, id);
  const hash = await hashToken(secret);
  if (client === null || client.auth.method !== method) throw failed();
  if (!equalInConstantTime(client.auth.secretHash, hash)) throw failed();
  return client;
}

/** RFC 7523 §3: signed by the client, for us, lately, and once. */
async function byAssertion(ports: Ports, form: Form, assertion: string): Promise<Client> {
  if (form.get("client_assertion_type") !== ASSERTION) throw failed();
  const id = subjectOf(assertion);
  const named = form.get("client_id");
  if (id === null || (named !== undefined && named !== id)) throw failed();
  const client = await clientOf(ports, id);
  if (client === null || client.auth.method !== "private_key_jwt") throw failed();
  const { origin } = ports.config;
  const verified = await jwtVerify(assertion, createLocalJWKSet(client.auth.jwks), {
    issuer: id,
    subject: id,
    audience: [origin, `${origin}/oauth/token`],
    algorithms: ["RS256", "ES256", "EdDSA"],
    currentDate: new Date(ports.clock.now()),
    requiredClaims: ["exp", "jti"],
  }).catch(() => null);
  const { exp, jti } = verified?.payload ?? {};
  const latest = (ports.clock.now() + limits.clientAssertionMs) / 1000;
  if (exp === undefined || typeof jti !== "string" || exp > latest) throw failed();
  // It cannot live longer than the window in which it is remembered.
  const subject = await hashToken(`${id}\n${jti}`);
  if (!(await ports.limits.take("client-assertion", subject, 1, limits.clientAssertionMs))) {
    throw failed();
  }
  return client;
}

function subjectOf(jwt: string): string | null {
  try {
    const part = jwt.split(".")[1] ?? "";
    const claims = JSON.parse(atob(part.replaceAll("-", "+").replaceAll("_", "/"))) as {
      sub?: unknown;
    };
    return typeof claims.sub === "string" ? claims.sub : null;
  } catch {
    return null;
  }
}
