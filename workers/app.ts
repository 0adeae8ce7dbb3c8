/**
 * The route table: who answers a request, by its host and path. Devices come most often and to every
 * edge, so what answers them (Link, the name) starts with the Worker; the API and the pages, with all
 * they bring along, are loaded by the first request that asks for them (docs/decisions/weight.md).
 */

import { labelUnder } from "../protocol/names.ts";
import { isHost, isWithin, placeOf } from "../protocol/place.ts";
import { guardedService } from "./guarded.ts";
import type { service } from "./http.ts";
import { type DoorPages, doorPageNames } from "./link/pages.ts";
import { link } from "./link/routes.ts";
import { answerQuestion } from "./name/doh.ts";
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

/** Answers one request. `ports` is all it may use of the world. */
export function handle(request: Request, ports: FrontPorts): Promise<Response> | Response {
  if (!isHost(request.headers.get("host") ?? "")) return problemResponse("bad-request");
  const place = placeOf(request.url);
  if (place === null) return problemResponse("bad-request");
  const { host, path } = place;
  const zone = ports.config.linkZone;
  if (isWithin(host, zone)) {
    return link(request, ports, labelUnder(host, zone), doorPages, viewer);
  }
  const answer = routed(request, ports, path);
  if (answer instanceof Response) return answer;
  // The platform drops the work of who hangs up: a change would be made and nobody told of it. At a
  // door, what a visitor begins is the device's, which is told that they left.
  ports.background(answer.catch(() => undefined));
  return answer;
}

function routed(request: Request, ports: FrontPorts, path: string): Response | Promise<Response> {
  // Questions come in floods: what refuses them is to cost less than a router does.
  if (path === "/dns-query" && request.method === "GET") return answerQuestion(request, ports);
  if (forDevicesPaths.test(path)) return forDevices.fetch(request, ports);
  return byTable(request, ports, path);
}

async function byTable(request: Request, ports: FrontPorts, path: string): Promise<Response> {
  const row = table.find(({ paths }) => paths.test(path)) as Row;
  const [app, whole] = [row.load(), ports.whole()];
  if (app instanceof Promise || whole instanceof Promise) {
    const [loaded, all] = await Promise.all([app, whole]);
    return loaded.fetch(request, all);
  }
  return app.fetch(request, whole);
}
