/**
 * The console: HTML pages over the same functions as the API. Mounted last, after every service.
 * `street` greets strangers
 * too; `devices` and `house` need a session.
 */

import type { MiddlewareHandler } from "hono";
import { assetResponse } from "../workers/assets.ts";
import { become, currentSession } from "../workers/guard.ts";
import { type AppEnv, type Ctx, onError, service } from "../workers/http.ts";
import { offerParts } from "./account-nav.tsx";
import { addressPages } from "./addresses.tsx";
import { certificatePages } from "./certificate.tsx";
import { data } from "./data.tsx";
import { deviceCodes, logouts } from "./device-code.tsx";
import { devices } from "./devices.tsx";
import { domainPages } from "./domains.tsx";
import { doorPages } from "./door.tsx";
import { house } from "./house.tsx";
import { linked } from "./linked.tsx";
import { namePages } from "./name.tsx";
import { nameOfferPages } from "./name-offers.tsx";
import { namesPages } from "./names.tsx";
import { apps, authorizing } from "./openid.tsx";
import { pageOnError } from "./page.ts";
import { passkeyPages } from "./passkeys.tsx";
import { peoplePages } from "./people.tsx";
import { profilePages } from "./profile.tsx";
import { programPages } from "./programs.tsx";
import { recordPages } from "./records.tsx";
import { recovery } from "./recovery.tsx";
import { reportPages } from "./report.tsx";
import { secondStep } from "./second-step.tsx";
import { smart } from "./smart.tsx";
import { steps } from "./steps.tsx";
import { street } from "./street.tsx";
import { tokenPages } from "./tokens.tsx";

/** Says who is here, if anyone; lets everybody pass. */
const visitor: MiddlewareHandler<AppEnv> = async (c, next) => {
  const session = await currentSession(c);
  if (session !== null) become(c, session);
  await next();
};

export const consoleRoutes = service();
consoleRoutes.onError((error, c) => pageOnError(error, c as Ctx));
consoleRoutes.get("/assets/:file", async (c, next) => {
  const response = await assetResponse(c.req.raw, c.env.assets, c.req.param("file"));
  return response ?? (await next());
});
consoleRoutes.use(visitor);
consoleRoutes.route("/", street);
consoleRoutes.route("/", reportPages);
consoleRoutes.route("/", recovery);
consoleRoutes.route("/", steps);
consoleRoutes.route("/", secondStep);
consoleRoutes.route("/", authorizing);
consoleRoutes.route("/", deviceCodes);
consoleRoutes.route("/", logouts);
consoleRoutes.route("/", doorPages);
consoleRoutes.route("/", namePages);
consoleRoutes.route("/", nameOfferPages);
consoleRoutes.route("/", namesPages);
consoleRoutes.route("/", domainPages);
consoleRoutes.route("/", certificatePages);
consoleRoutes.route("/", recordPages);
consoleRoutes.route("/", devices);
consoleRoutes.route("/", profilePages);
consoleRoutes.route("/", peoplePages);
consoleRoutes.route("/", house);
consoleRoutes.route("/", addressPages);
consoleRoutes.route("/", data);
consoleRoutes.route("/", apps);
consoleRoutes.route("/", passkeyPages);
consoleRoutes.route("/", tokenPages);
consoleRoutes.route("/", programPages);
consoleRoutes.route("/", linked);
// After every path of ours: what is none may be a device's.
consoleRoutes.route("/", smart);
// Last, when every page is mounted.
offerParts(consoleRoutes.routes.filter(({ method }) => method === "GET").map(({ path }) => path));

/** True when a browser asks for a page rather than a program for data. */
export function wantsPage(c: Ctx): boolean {
  return (c.req.header("accept") ?? "").includes("text/html") && !c.req.path.startsWith("/api/");
}

/** What went wrong, in the form of who asked. */
export const failure = (error: Error, c: Ctx): Response =>
  wantsPage(c) ? pageOnError(error, c) : onError(error, c);
