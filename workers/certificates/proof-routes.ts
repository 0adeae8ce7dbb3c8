/**
 * The device's own way to a certificate: its ACME client puts what proves the name into DNS, at
 * `_acme-challenge.<name>`, and keeps its account and key for itself. Two protocols that clients speak:
 * lego's httpreq (`/acme/present`, `/acme/cleanup`) and acme-dns (`/acme/update`).
 *
 * A token with the scope `acme` may do this for its own names, and only there it is answered.
 */

import { type Credentials, readCredentials } from "../../durable-objects/device/name-clients.ts";
import { limits } from "../../protocol/limits.ts";
import { labelUnder } from "../../protocol/names.ts";
import { base64url } from "../../protocol/tokens.ts";
import { guardedService } from "../guarded.ts";
import { type Ctx, service } from "../http.ts";
import { countRefusal, deviceOf } from "../name/client.ts";
import { Problem, problemResponse } from "../problem.ts";

/** A digest as dns-01 wants it (RFC 8555 §8.4): base64url of SHA-256. */
const DIGEST = /^[A-Za-z0-9_-]{43}$/;
const PREFIX = "_acme-challenge.";

const routes = service();

routes.post("/acme/present", (c) => changeByRequest(c, "put"));
routes.post("/acme/cleanup", (c) => changeByRequest(c, "remove"));
routes.post("/acme/update", (c) => acmeDns(c));
for (const path of ["/acme/present", "/acme/cleanup", "/acme/update"]) {
  routes.all(path, () => problemResponse("method-not-allowed"));
}

export const proofs = guardedService();
proofs.route("/", routes);

/**
 * lego's httpreq: `{"fqdn", "value"}`, or in its RAW mode `{"domain", "token", "keyAuth"}`. Whatever else a
 * version of it sends along is ignored.
 */
async function changeByRequest(c: Ctx, what: "put" | "remove"): Promise<Response> {
  const credentials = readCredentials(c.req.header("authorization") ?? null);
  const { fqdn, value, domain, keyAuth } = await bodyOf(c);
  const host = typeof fqdn === "string" ? hostOf(fqdn) : domain;
  const digest = typeof keyAuth === "string" ? await digestOf(keyAuth) : value;
  const proved = await provedDevice(c, credentials, host);
  if (typeof digest !== "string" || !DIGEST.test(digest)) throw new Problem("proof-syntax");
  await change(c, proved, { [what]: digest });
  return c.json({}, 200);
}

/** acme-dns: the two values that were set last stand; its answers and refusals are its own. */
async function acmeDns(c: Ctx): Promise<Response> {
  const [user, password] = [c.req.header("x-api-user") ?? "", c.req.header("x-api-key") ?? ""];
  const { subdomain, txt } = await bodyOf(c);
  let proved: Proved;
  try {
    proved = await provedDevice(c, { user, password }, subdomain);
  } catch (error) {
    if (!(error instanceof Problem) || error.code !== "not-signed-in") throw error;
    return c.json({ error: "forbidden" }, 401);
  }
  if (typeof txt !== "string" || !DIGEST.test(txt)) return c.json({ error: "bad_txt" }, 400);
  await change(c, proved, { put: txt, rolling: true });
  return c.json({ txt }, 200);
}

async function bodyOf(c: Ctx): Promise<Readonly<Record<string, unknown>>> {
  // Clients of both protocols are careless about the content type.
  const value: unknown = await c.req.json().catch(() => null);
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw new Problem("bad-request");
  }
  return value as Readonly<Record<string, unknown>>;
}

/** The host that an `fqdn` of a challenge is for; null when it is none. */
function hostOf(fqdn: string): string | null {
  const name = fqdn.toLowerCase();
  return name.startsWith(PREFIX) ? name.slice(PREFIX.length) : null;
}

async function digestOf(keyAuthorization: string): Promise<string> {
  const bytes = new TextEncoder().encode(keyAuthorization);
  return base64url(new Uint8Array(await crypto.subtle.digest("SHA-256", bytes)));
}

/** A device, and the name of its that is to be proved. */
interface Proved {
  readonly device: string;
  readonly label: string;
}

/**
 * The device that the credentials are for, and the name of its that `host` is. What is wrong, unknown
 * or somebody else's reads the same. @throws Problem `not-signed-in`, `too-many-tries`
 */
async function provedDevice(
  c: Ctx,
  credentials: Credentials | null,
  host: unknown,
): Promise<Proved> {
  const { devices, peer } = c.env;
  const device = credentials === null ? null : await deviceOf(credentials, c.env);
  if (credentials !== null && device !== null && typeof host === "string") {
    const { password } = credentials;
    const right = await devices.get(device).nameRight(password, "acme", peer);
    const label = labelOf(c, host);
    if (label !== null && right?.labels.includes(label)) return { device, label };
  }
  throw new Problem((await countRefusal(c.env)) ? "not-signed-in" : "too-many-tries");
}

/** The label of a name in DNS, or (as acme-dns calls it) a label alone; null: it is under another zone. */
function labelOf(c: Ctx, name: string): string | null {
  const host = name.toLowerCase().replace(/^\*\./, "").replace(/\.$/, "");
  return host.includes(".") ? labelUnder(host, c.env.config.ddnsZone) : host;
}

async function change(
  c: Ctx,
  { device, label }: Proved,
  what: { put?: string; remove?: string; rolling?: boolean },
): Promise<void> {
  const { proofChangesPerDevice, proofWindowMs } = limits;
  const free = await c.env.limits.take("acme-proof", device, proofChangesPerDevice, proofWindowMs);
  if (!free) throw new Problem("too-many-tries");
  // The name was switched off a moment ago, or is on its way to somebody else.
  if (!(await c.env.devices.get(device).prove({ ...what, label })))
    throw new Problem("not-signed-in");
}
