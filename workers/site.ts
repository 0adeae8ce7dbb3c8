/**
 * What a browser comes to: the console's pages, signing in elsewhere with Latchkey (OpenID), and the
 * way to a device's door. Loaded by the first request for it.
 */

import { consoleRoutes, failure } from "../console/routes.tsx";
import { guarded } from "./guarded.ts";
import { handoff } from "./link/handoff.ts";
import { openid } from "./openid/routes.ts";

export const site = guarded(failure);
site.route("/", openid);
site.route("/", handoff);
site.route("/", consoleRoutes); // last: it greets whoever came for nothing above
