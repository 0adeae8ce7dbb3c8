/** The name's service: dyndns2 updates and DNS over HTTPS. */

import { updatePaths } from "../../durable-objects/device/dyndns2.ts";
import { service } from "../http.ts";
import type { FrontPorts } from "../ports.ts";
import { problemResponse } from "../problem.ts";
import { answerDoh } from "./doh.ts";
import { answerUpdate } from "./update.ts";

export const name = service<FrontPorts>();

name.on(["GET", "POST"], updatePaths, (c) => answerUpdate(c.req.raw, c.env));
// What a router behind NAT asks before an update: the address it is seen with. Nothing is noted.
name.get("/nic/ip", (c) => c.text(c.env.peer ?? "", 200, { "cache-control": "no-store" }));
name.on(["GET", "POST"], "/dns-query", (c) => answerDoh(c.req.raw, c.env));

for (const path of [...updatePaths, "/dns-query"]) {
  name.all(path, () => problemResponse("method-not-allowed"));
}
