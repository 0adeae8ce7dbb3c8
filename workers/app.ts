/**
 * The route table: every path of Latchkey, and the service that answers it. A request whose host is
 * a device's door goes to Link; everything else is found below.
 */

import { bodyLimit } from "hono/body-limit";
import { doorPages } from "../console/pages/door.tsx";
import { consoleRoutes, notFoundPage, pageOnError, wantsPage } from "../console/routes.tsx";
import { limits } from "../protocol/limits.ts";
import { labelUnder } from "../protocol/names.ts";
import { addresses } from "./account/address-routes.ts";
import { accounts } from "./account/routes.ts";
import { personalTokens } from "./account/token-routes.ts";
import { enrolments } from "./devices/enrolment-routes.ts";
import { deviceOpenid } from "./devices/openid.ts";
import { devices } from "./devices/routes.ts";
import { forgeryGuard, isSafe } from "./guard.ts";
import { type Ctx, onError, service } from "./http.ts";
import { handoff } from "./link/handoff.ts";
import { link } from "./link/routes.ts";
import { linkedAccounts } from "./linked/routes.ts";
import { name } from "./name/routes.ts";
import { openid } from "./openid/routes.ts";
import { profiles } from "./people/profile-routes.ts";
import { people } from "./people/routes.ts";
import type { Ports } from "./ports.ts";
import { privacy } from "./privacy/routes.ts";
import { Problem, problemResponse } from "./problem.ts";
import { passkeys } from "./sign-in/passkey-routes.ts";
import { recoveries } from "./sign-in/recovery-routes.ts";
import { signIns } from "./sign-in/routes.ts";
import { steps } from "./sign-in/step-routes.ts";
import { stepSettingRoutes } from "./sign-in/step-settings-routes.ts";

const limitBody = bodyLimit({
  maxSize: limits.requestBodyBytes,
  onError: () => problemResponse("body-too-large"),
});

/** A photo is larger than anything else that is sent here. */
const limitPhoto = bodyLimit({
  maxSize: limits.photoFormBytes,
  onError: (c) => {
    const problem = new Problem("photo-too-large", "photo");
    return wantsPage(c as Ctx) ? pageOnError(problem, c as Ctx) : onError(problem, c as Ctx);
  },
});
const photoPaths: ReadonlySet<string> = new Set(["/api/account/photo", "/account/profile/photo"]);

export const app = service();
app.onError((error, c) => (wantsPage(c) ? pageOnError(error, c) : onError(error, c as Ctx)));
app.notFound((c) => (wantsPage(c) ? notFoundPage(c) : problemResponse("not-found")));
app.use(forgeryGuard);
app.use((c, next) => {
  if (isSafe(c.req.method)) return next();
  return photoPaths.has(c.req.path) ? limitPhoto(c, next) : limitBody(c, next);
});
app.get("/healthz", (c) => c.text("ok"));
app.route("/", signIns);
app.route("/", passkeys);
app.route("/", personalTokens);
app.route("/", steps);
app.route("/", stepSettingRoutes);
app.route("/", accounts);
app.route("/", linkedAccounts);
app.route("/", recoveries);
app.route("/", addresses);
app.route("/", profiles);
app.route("/", people);
app.route("/", enrolments);
app.route("/", devices);
app.route("/", deviceOpenid);
app.route("/", name);
app.route("/", privacy);
app.route("/", openid);
app.route("/", handoff);
app.route("/", consoleRoutes); // last: it greets whoever came for nothing above

/** The host of a request's URL, without its port; a request's URL is absolute and in normal form. */
function hostOf(url: string): string {
  const authority = url.slice(url.indexOf("//") + 2).split(/[/?#]/, 1)[0] as string;
  const port = authority.lastIndexOf(":");
  return port > authority.lastIndexOf("]") ? authority.slice(0, port) : authority;
}

/** Answers one request. `ports` is all it may use of the world. */
export function handle(request: Request, ports: Ports): Response | Promise<Response> {
  const host = hostOf(request.url);
  const zone = ports.config.linkZone;
  if (host === zone || host.endsWith(`.${zone}`)) {
    return link(request, ports, labelUnder(host, zone), doorPages);
  }
  return app.fetch(request, ports);
}
