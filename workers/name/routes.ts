/** The name's service: dyndns2 updates and DNS over HTTPS. */

import { service } from "../http.ts";
import type { FrontPorts } from "../ports.ts";
import { problemResponse } from "../problem.ts";
import { answerDoh } from "./doh.ts";
import { answerUpdate } from "./update.ts";

export const name = service<FrontPorts>();

// `/v3/update` is what newer routers call Dyn's same protocol by.
name.on(["GET", "POST"], ["/nic/update", "/v3/update"], (c) => answerUpdate(c.req.raw, c.env));
// What a router behind NAT asks before an update: the address it is seen with. Nothing is noted.
name.get("/nic/ip", (c) => c.text(c.env.peer ?? "", 200, { "cache-control": "no-store" }));
name.on(["GET", "POST"], "/dns-query", (c) => answerDoh(c.req.raw, c.env));

for (const path of ["/nic/update", "/v3/update", "/dns-query"]) {
  name.all(path, () => problemResponse("method-not-allowed"));
}
