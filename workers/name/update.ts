/**
 * An update of a name: from the client's request to its device's object and back. A device's own name
 * costs one object call once the label is in the isolate's cache, and no write when nothing changed.
 * Other names are looked up only for who holds a token.
 */

import type { UpdateResult } from "../../durable-objects/device/rpc.ts";
import { limits } from "../../protocol/limits.ts";
import { labelUnder } from "../../protocol/names.ts";
import { readBounded } from "../body.ts";
import type { FrontPorts } from "../ports.ts";
import { countRefusal, deviceOf, programOf, readCredentials } from "./client.ts";
import { isFqdn, keepAll, lineOf, planUpdate, type UpdatePlan } from "./dyndns2.ts";

const OUTAGE_RETRY_SECONDS = 60;
/** For the history: what came was no address. */
const unreadable = { ipv4: { set: "" }, ipv6: { set: "" } } as const;

/** Answers `/nic/update`. Never throws: an outage is `911`, which every client tries again after. */
export async function answerUpdate(request: Request, ports: FrontPorts): Promise<Response> {
  try {
    return await update(request, ports);
  } catch (error) {
    ports.log({ event: "internal-error", code: error instanceof Error ? error.name : "unknown" });
    return later(OUTAGE_RETRY_SECONDS);
  }
}

async function update(request: Request, ports: FrontPorts): Promise<Response> {
  // No client of this protocol is a page of someone else's that makes a browser send its password.
  const site = request.headers.get("sec-fetch-site") ?? "none";
  if (!request.headers.get("user-agent") || (site !== "none" && site !== "same-origin")) {
    return verdicts("badagent");
  }
  const credentials = readCredentials(request.headers.get("authorization"));
  if (credentials === null) return unauthorized();
  const { user, password } = credentials;
  const parameters = await parametersOf(request);
  if (parameters === null) return verdicts("numhost");
  const plan = planUpdate(parameters, ports.peer);
  const deviceId = await deviceOf(credentials, ports);
  if (deviceId === null) return await failed(ports);
  const device = ports.devices.get(deviceId);
  const { peer } = ports;
  const ownOnly = plan.refused === null && plan.hosts.every((host) => sameName(host, user));
  if (!ownOnly) {
    if (!(await device.proveName(password, "address", peer))) return await failed(ports);
  }
  if (plan.refused !== null) return verdicts(plan.refused);
  const devices = ownOnly ? plan.hosts.map(() => deviceId) : await devicesOf(plan.hosts, ports);
  const changes = devices.includes(deviceId) ? (plan.changes ?? unreadable) : keepAll;
  const client = programOf(request.headers.get("user-agent"));
  const update = { secret: password, from: peer, client, ...changes };
  const result = await device.updateAddresses(update);
  if (isRefused(result)) return await failed(ports);
  if (result.verdict === "abuse") return verdicts("abuse");
  if (result.verdict === "911") return later(result.retryAfter ?? OUTAGE_RETRY_SECONDS);
  return verdicts(...linesOf(plan, devices, deviceId, result));
}

/** A name that is off has no tokens, so nobody can prove that it is theirs. */
function isRefused({ verdict }: UpdateResult): boolean {
  return verdict === "badauth" || verdict === "nohost";
}

/** True for the same host name, in any case, with or without the dot at its end (RFC 1034 §3.1). */
function sameName(one: string, other: string): boolean {
  const [a, b] = [one, other].map((name) => name.toLowerCase().replace(/\.$/, ""));
  return a === b;
}

/** One line per host, in the client's order. */
function linesOf(
  plan: UpdatePlan,
  devices: readonly (string | null)[],
  deviceId: string,
  result: UpdateResult,
): string[] {
  return plan.hosts.map((host, at) => {
    if (!isFqdn(host)) return "notfqdn";
    // Someone else's name and no name at all read the same.
    if (devices[at] !== deviceId) return "nohost";
    return plan.changes === null ? "dnserr" : lineOf(result, plan.changes);
  });
}

/** The query's parameters and, in a POST, the form's; null when there is too much of them. */
async function parametersOf(request: Request): Promise<URLSearchParams | null> {
  const query = new URL(request.url).search;
  if (query.length > limits.updateQueryBytes) return null;
  const parameters = new URLSearchParams(query);
  const type = request.headers.get("content-type")?.split(";")[0]?.trim().toLowerCase();
  if (request.method !== "POST" || type !== "application/x-www-form-urlencoded") return parameters;
  const body = await readBounded(request, limits.updateQueryBytes);
  if (body === null) return null;
  for (const [field, value] of new URLSearchParams(new TextDecoder().decode(body))) {
    parameters.append(field, value);
  }
  return parameters;
}

/** The device of each host; null for a host that is nobody's or not in our zone. */
async function devicesOf(
  hosts: readonly string[],
  { config, names }: FrontPorts,
): Promise<(string | null)[]> {
  return await Promise.all(
    hosts.slice(0, limits.updateHosts).map(async (host) => {
      const label = labelUnder(host, config.ddnsZone);
      return label === null ? null : await names.deviceOfLabel(label);
    }),
  );
}

/** Wrong, unknown and switched off read the same; too many of them from one network must wait. */
async function failed(ports: FrontPorts): Promise<Response> {
  return (await countRefusal(ports)) ? unauthorized() : later(limits.badauthWindowMs / 1000);
}

function unauthorized(): Response {
  return answer("badauth", 401, { "www-authenticate": 'Basic realm="Latchkey", charset="UTF-8"' });
}

function later(seconds: number): Response {
  return answer("911", 503, { "retry-after": String(Math.ceil(seconds)) });
}

function verdicts(...lines: string[]): Response {
  return answer(lines.join("\n"), 200, {});
}

/** Always with a length: ddclient 3.10 cannot read chunks. */
function answer(text: string, status: number, headers: Record<string, string>): Response {
  const body = new TextEncoder().encode(text);
  return new Response(body, {
    status,
    headers: {
      ...headers,
      "content-type": "text/plain; charset=utf-8",
      "content-length": String(body.length),
      "cache-control": "no-store",
    },
  });
}
