/**
 * An update of names by dyndns2: from the client's request to the objects of devices and back. A name that
 * is its user's costs one call once the label is in the isolate's cache, and no write when nothing changed.
 * Other names are looked up only for who holds a token (several.ts).
 */

import {
  badauthAnswer,
  isFqdn,
  isSameName,
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
import { changeNames } from "./several.ts";

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
  const { user } = credentials;
  if (asksForOne(request, user)) return await handOver(credentials, request, ports);
  const parameters = await parametersOf(request);
  if (parameters === null) return verdictsAnswer("numhost");
  const plan = planUpdate(parameters, ports.peer);
  const isOwn = plan.refused === null && plan.hosts.every((host) => isSameName(host, user));
  if (isOwn) return await handOver(credentials, request, ports, String(parameters));
  return await updateSeveral(plan, credentials, request, ports);
}

/**
 * Changes several names, or another than the user's: a verdict for each, of what is on its device's disk.
 * Where one device would refuse, nothing changes at any; where one must wait, all are asked again.
 */
async function updateSeveral(
  plan: UpdatePlan,
  credentials: Credentials,
  request: Request,
  ports: FrontPorts,
): Promise<Response> {
  const { password: secret } = credentials;
  const deviceId = await deviceOf(credentials, ports);
  if (deviceId === null) return await failed(ports);
  const right = await ports.devices.get(deviceId).nameRight(secret, "address", ports.peer);
  if (right === null) return await failed(ports);
  if (plan.refused !== null) return verdictsAnswer(plan.refused);
  const labels = plan.hosts.map((host) =>
    isFqdn(host) ? labelUnder(host, ports.config.ddnsZone) : null,
  );
  const client = programOf(request.headers.get("user-agent"));
  const said = { secret, client, changes: plan.changes ?? unreadable };
  const results = await changeNames({ deviceId, right, labels, said }, ports);
  const [own] = results.values();
  if (own === undefined || isRefused(own)) return await failed(ports);
  if (own.verdict === "abuse") return verdictsAnswer("abuse");
  const waits = [...results.values()].filter(({ verdict }) => verdict === "911");
  if (waits.length > 0) {
    const times = waits.map(({ retryAfter }) => retryAfter ?? OUTAGE_RETRY_SECONDS);
    return laterAnswer(Math.max(...times));
  }
  return verdictsAnswer(...linesOf(plan, labels, results));
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

/** One line per host, in the client's order. Someone else's name and no name at all read the same. */
function linesOf(
  { hosts, changes }: UpdatePlan,
  labels: readonly (string | null)[],
  results: ReadonlyMap<string, UpdateResult>,
): string[] {
  return hosts.map((host, at) => {
    if (!isFqdn(host)) return "notfqdn";
    const label = labels[at] ?? null;
    const result = label === null ? undefined : results.get(label);
    if (result === undefined || isRefused(result)) return "nohost";
    return changes === null ? "dnserr" : lineOf(result, changes);
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

/** Wrong, unknown and switched off read the same; too many of them from one network must wait. */
async function failed(ports: FrontPorts): Promise<Response> {
  return (await countRefusal(ports)) ? badauthAnswer() : laterAnswer(limits.badauthWindowMs / 1000);
}
