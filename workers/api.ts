/** The JSON API, `/api/…`: what the console does, for programs. Loaded by the first request for it. */

import { addresses } from "./account/address-routes.ts";
import { accounts } from "./account/routes.ts";
import { personalTokens } from "./account/token-routes.ts";
import { doors } from "./devices/door-routes.ts";
import { enrolments } from "./devices/enrolment-routes.ts";
import { deviceOpenid } from "./devices/openid.ts";
import { devices } from "./devices/routes.ts";
import { guardedService } from "./guarded.ts";
import { linkedAccounts } from "./linked/routes.ts";
import { grants } from "./openid/grant-routes.ts";
import { profiles } from "./people/profile-routes.ts";
import { people } from "./people/routes.ts";
import { privacy } from "./privacy/routes.ts";
import { passkeys } from "./sign-in/passkey-routes.ts";
import { recoveries } from "./sign-in/recovery-routes.ts";
import { signIns } from "./sign-in/routes.ts";
import { steps } from "./sign-in/step-routes.ts";
import { stepSettingRoutes } from "./sign-in/step-settings-routes.ts";

export const api = guardedService();
api.route("/", signIns);
api.route("/", passkeys);
api.route("/", personalTokens);
api.route("/", steps);
api.route("/", stepSettingRoutes);
api.route("/", accounts);
api.route("/", linkedAccounts);
api.route("/", recoveries);
api.route("/", addresses);
api.route("/", profiles);
api.route("/", people);
api.route("/", enrolments);
api.route("/", devices);
api.route("/", doors);
api.route("/", deviceOpenid);
api.route("/", privacy);
api.route("/", grants);
