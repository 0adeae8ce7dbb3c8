/**
 * The route table: who answers a request, by its host and path. Devices come most often and to every
 * edge, so what answers them (Link, the name) starts with the Worker; the API and the pages, with all
 * they bring along, are loaded by the first request that asks for them (docs/decisions/weight.md).
 */

import { labelUnder } from "../protocol/names.ts";
import { guardedService } from "./guarded.ts";
import type { service } from "./http.ts";
import { type DoorPages, doorPageNames } from "./link/pages.ts";
import { link } from "./link/routes.ts";
import { name } from "./name/routes.ts";
import type { FrontPorts, Ports } from "./ports.ts";
import { problemResponse } from "./problem.ts";

type App = ReturnType<typeof service<Ports>>;

const forDevices = guardedService<FrontPorts>();
forDevices.get("/healthz", (c) => c.text("ok"));
forDevices.route("/", name);

const forDevicesPaths = /^\/(?:healthz$|nic\/|v3\/|dns-query$)/;

/** What is loaded by need, with the databases. */
interface Row {
  readonly paths: RegExp;
  readonly load: () => App | Promise<App>;
}
const table = [
  {
    paths: /^\/api\/agent\/bulk\//,
    load: byNeed(async () => (await import("./link/bulk.ts")).bulk),
  },
  {
    paths: /^\/api\/zone\//,
    load: byNeed(async () => (await import("./name/feed.ts")).feed),
  },
  {
    paths: /^\/acme\//,
    load: byNeed(async () => (await import("./certificates/proof-routes.ts")).proofs),
  },
  { paths: /^\/api\//, load: byNeed(async () => (await import("./api.ts")).api) },
  { paths: /^/, load: byNeed(async () => (await import("./site.ts")).site) },
] as const satisfies readonly Row[];

/** Loads once. What is kept is the app, never a promise: that would belong to one request. */
function byNeed(load: () => Promise<App>): Row["load"] {
  let loaded: App | undefined;
  return () => loaded ?? load().then((app) => (loaded = app));
}

/** What a visitor sees at a door where there is nothing of the device; most never do. */
const doorPages = Object.fromEntries(
  doorPageNames.map((page): [string, DoorPages[typeof page]] => [
    page,
    async (facts) => (await import("../console/pages/door.tsx")).doorPages[page](facts),
  ]),
) as DoorPages;

const viewer = async () => (await import("../console/pages/viewer.tsx")).viewer;

/** Every route of the table. */
export async function routes(): Promise<App["routes"]> {
  const loaded = await Promise.all(table.map(({ load }) => load()));
  return [forDevices as unknown as App, ...loaded].flatMap(({ routes }) => routes);
}

/** What a `Host` may be made of (RFC 9110 §7.2); a runtime may take a path or a second host for one. */
const HOST = /^[\w.\-:[\]]*$/;

/**
 * The host and path of a request's URL, which is absolute. Its host is as the client wrote it: capitals
 * and a dot at its end name the same host (RFC 9110 §4.2.3, RFC 1034 §3.1). Null where a runtime took
 * something else for a URL, as it does of `OPTIONS *`.
 */
function placeOf(url: string): { host: string; path: string } | null {
  const [, authority = "", path = ""] = PLACE.exec(url) ?? [];
  if (!HOST.test(authority)) return null;
  const port = authority.lastIndexOf(":");
  const host = port > authority.lastIndexOf("]") ? authority.slice(0, port) : authority;
  const name = host.toLowerCase();
  return { host: name.endsWith(".") ? name.slice(0, -1) : name, path };
}

const PLACE = /^[^/]*\/\/([^/?#]*)([^?#]*)/;

/** Answers one request. `ports` is all it may use of the world. */
export async function handle(request: Request, ports: FrontPorts): Promise<Response> {
  if (!HOST.test(request.headers.get("host") ?? "")) return problemResponse("bad-request");
  const place = placeOf(request.url);
  if (place === null) return problemResponse("bad-request");
  const { host, path } = place;
  const zone = ports.config.linkZone;
  if (host === zone || host.endsWith(`.${zone}`)) {
    return link(request, ports, labelUnder(host, zone), doorPages, viewer);
  }
  const answer = routed(request, ports, path);
  // The platform drops the work of who hangs up: a change would be made and nobody told of it. At a
  // door, what a visitor begins is the device's, which is told that they left.
  ports.background(answer.catch(() => undefined));
  return answer;
}

async function routed(request: Request, ports: FrontPorts, path: string): Promise<Response> {
  if (forDevicesPaths.test(path)) return forDevices.fetch(request, ports);
  const row = table.find(({ paths }) => paths.test(path)) as Row;
  const [app, whole] = [row.load(), ports.whole()];
  if (app instanceof Promise || whole instanceof Promise) {
    const [loaded, all] = await Promise.all([app, whole]);
    return loaded.fetch(request, all);
  }
  return app.fetch(request, whole);
}
