/**
 * An update of a name: from the client's request to its device's object and back. A device's own name
 * costs one object call once the label is in the isolate's cache, and no write when nothing changed.
 * Other names are looked up only for who holds a token.
 */

import {
  badauthAnswer,
  isFqdn,
  isSameName,
  keepAll,
  laterAnswer,
  lineOf,
  planUpdate,
  type UpdatePlan,
  unreadable,
  verdictsAnswer,
} from "../../durable-objects/device/dyndns2.ts";
import {
  type Credentials,
  programOf,
  readCredentials,
} from "../../durable-objects/device/name-clients.ts";
import { peerHeader, type UpdateResult, wayHeader } from "../../durable-objects/device/rpc.ts";
import { limits } from "../../protocol/limits.ts";
import { labelUnder } from "../../protocol/names.ts";
import { readBounded } from "../body.ts";
import type { FrontPorts } from "../ports.ts";
import { countRefusal, deviceOf } from "./client.ts";

const OUTAGE_RETRY_SECONDS = 60;

/** Answers `/nic/update`. Never throws: an outage is `911`, which every client tries again after. */
export async function answerUpdate(request: Request, ports: FrontPorts): Promise<Response> {
  try {
    return await update(request, ports);
  } catch (error) {
    ports.log({ event: "internal-error", code: error instanceof Error ? error.name : "unknown" });
    return laterAnswer(OUTAGE_RETRY_SECONDS);
  }
}

async function update(request: Request, ports: FrontPorts): Promise<Response> {
  // No client of this protocol is a page of someone else's that makes a browser send its password.
  const site = request.headers.get("sec-fetch-site") ?? "none";
  if (!request.headers.get("user-agent") || (site !== "none" && site !== "same-origin")) {
    return verdictsAnswer("badagent");
  }
  const credentials = readCredentials(request.headers.get("authorization"));
  if (credentials === null) return badauthAnswer();
  const { user, password } = credentials;
  if (asksForOne(request, user)) return await handOver(credentials, request, ports);
  const parameters = await parametersOf(request);
  if (parameters === null) return verdictsAnswer("numhost");
  const plan = planUpdate(parameters, ports.peer);
  const isOwn = plan.refused === null && plan.hosts.every((host) => isSameName(host, user));
  if (isOwn) return await handOver(credentials, request, ports, String(parameters));
  const deviceId = await deviceOf(credentials, ports);
  if (deviceId === null) return await failed(ports);
  const device = ports.devices.get(deviceId);
  const { peer } = ports;
  if (!(await device.proveName(password, "address", peer))) return await failed(ports);
  if (plan.refused !== null) return verdictsAnswer(plan.refused);
  const devices = await devicesOf(plan.hosts, ports);
  const changes = devices.includes(deviceId) ? (plan.changes ?? unreadable) : keepAll;
  const client = programOf(request.headers.get("user-agent"));
  const update = { secret: password, from: peer, client, ...changes };
  const result = await device.updateAddresses(update);
  if (isRefused(result)) return await failed(ports);
  if (result.verdict === "abuse") return verdictsAnswer("abuse");
  if (result.verdict === "911") return laterAnswer(result.retryAfter ?? OUTAGE_RETRY_SECONDS);
  return verdictsAnswer(...linesOf(plan, devices, deviceId, result));
}

/**
 * True for what most routers ask: for the name that is their user's, alone. Looked at as text, for it is
 * read where it is judged; what is written otherwise is read here first.
 */
function asksForOne({ method, url }: Request, user: string): boolean {
  const at = url.indexOf("?");
  if (method !== "GET" || at < 0 || url.length - at > limits.updateQueryBytes) return false;
  if (url.includes("#")) return false;
  let host = "";
  for (const pair of url.slice(at + 1).split("&")) {
    const [field = "", value = ""] = pair.split("=", 2);
    if (field !== "hostname" && !/[%+]/.test(field)) continue;
    if (field !== "hostname" || host !== "") return false;
    host = value;
  }
  return host !== "" && isSameName(host, user);
}

/**
 * Lets the device's object answer for the one name that its client is called by.
 * @param query what it asks, with all that a form said; null: what stands in the request
 */
async function handOver(
  credentials: Credentials,
  request: Request,
  ports: FrontPorts,
  query: string | null = null,
): Promise<Response> {
  const deviceId = await deviceOf(credentials, ports);
  if (deviceId === null) return await failed(ports);
  const response = await ports.devices.get(deviceId).fetch(handedOver(request, ports, query));
  // Refused, or there is no such device any more.
  return response.status === 200 || response.status === 503 ? response : await failed(ports);
}

/** As it came, where the object needs no word of ours: a copy costs more than all else that is done here. */
function handedOver(request: Request, ports: FrontPorts, query: string | null): Request {
  const asItIs = query === null && ports.devices.knowClients === true;
  if (asItIs && !request.headers.has(wayHeader)) return request;
  const headers = new Headers({ [wayHeader]: "update" });
  for (const name of ["authorization", "user-agent"]) {
    headers.set(name, request.headers.get(name) ?? "");
  }
  if (ports.peer !== null) headers.set(peerHeader, ports.peer);
  const url = new URL(request.url);
  if (query !== null) url.search = query;
  return new Request(url, { headers });
}

/** A name that is off has no tokens, so nobody can prove that it is theirs. */
function isRefused({ verdict }: UpdateResult): boolean {
  return verdict === "badauth" || verdict === "nohost";
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
  return (await countRefusal(ports)) ? badauthAnswer() : laterAnswer(limits.badauthWindowMs / 1000);
}
