/**
 * Who runs this Latchkey, as its configuration says: whoever holds a token whose SHA-256 stands in
 * `OPERATOR_TOKEN_HASHES` (docs/takedown.md). There is no operator's account and no operator's page.
 */

import type { MiddlewareHandler } from "hono";
import { limits } from "../../protocol/limits.ts";
import { equalInConstantTime, hashToken } from "../../protocol/tokens.ts";
import type { AppEnv } from "../http.ts";
import { Problem } from "../problem.ts";
import { limitedNetwork } from "../sign-in/client.ts";

/** Lets operators pass and nobody else; wrong tokens are counted. */
export const operator: MiddlewareHandler<AppEnv> = async (c, next) => {
  const token = /^Bearer (\S{32,256})$/i.exec(c.req.header("authorization") ?? "")?.[1];
  if (token === undefined) throw new Problem("not-signed-in");
  const hash = await hashToken(token);
  const known = c.env.config.operatorTokenHashes.filter((one) => equalInConstantTime(one, hash));
  if (known.length === 0) {
    const { operatorTriesPerNetwork: max, operatorWindowMs } = limits;
    const network = limitedNetwork(c.env.peer);
    const may = await c.env.limits.take("operator", network, max, operatorWindowMs);
    throw new Problem(may ? "not-signed-in" : "too-many-tries");
  }
  await next();
};
