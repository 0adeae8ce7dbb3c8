/**
 * Where a DNS front of the operator's comes to read the zone: a WebSocket, handed on to the zone's
 * object. A front shows a token whose SHA-256 stands in `FRONT_TOKEN_HASHES` (docs/name.md).
 */

import { wayHeader } from "../../durable-objects/device/rpc.ts";
import { feedPath, feedSubprotocol } from "../../protocol/feed.ts";
import { limits } from "../../protocol/limits.ts";
import { equalInConstantTime, hashToken } from "../../protocol/tokens.ts";
import { type Ctx, onError, service } from "../http.ts";
import { Problem } from "../problem.ts";
import { limitedNetwork } from "../sign-in/client.ts";

export const feed = service();
feed.onError((error, c) => onError(error, c));
feed.notFound((c) => onError(new Problem("not-found"), c));

feed.get(feedPath, async (c) => {
  if (c.req.header("upgrade")?.toLowerCase() !== "websocket") throw new Problem("upgrade-required");
  const offered = (c.req.header("sec-websocket-protocol") ?? "").split(/\s*,\s*/);
  if (!offered.includes(feedSubprotocol)) throw new Problem("bad-request");
  await admit(c);
  const headers = new Headers(c.req.raw.headers);
  for (const name of ["authorization", "cookie", wayHeader]) headers.delete(name);
  return await c.env.zone().fetch(new Request(c.env.config.origin + feedPath, { headers }));
});

/** @throws Problem `not-signed-in`, or `too-many-tries` for a network that guesses */
async function admit(c: Ctx): Promise<void> {
  const token = /^Bearer (\S{32,256})$/i.exec(c.req.header("authorization") ?? "")?.[1];
  if (token === undefined) throw new Problem("not-signed-in");
  const hash = await hashToken(token);
  const known = c.env.config.frontTokenHashes.filter((one) => equalInConstantTime(one, hash));
  if (known.length > 0) return;
  const { operatorTriesPerNetwork: max, operatorWindowMs } = limits;
  const network = limitedNetwork(c.env.peer);
  const may = await c.env.limits.take("front", network, max, operatorWindowMs);
  throw new Problem(may ? "not-signed-in" : "too-many-tries");
}
