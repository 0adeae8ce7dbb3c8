/**
 * The routes of signing in elsewhere with Latchkey. What a browser shows on the way (consent) are
 * pages of the console; everything here is for programs.
 */

import { limits } from "../../protocol/limits.ts";
import { noStore } from "../described.ts";
import { type Ctx, service } from "../http.ts";
import { answer, anyOrigin } from "./answers.ts";
import { publicKeys } from "./keys.ts";
import { metadata } from "./metadata.ts";
import { grantTypes, tokenEndpoint } from "./token.ts";

export const openid = service();

const documents = ["/.well-known/openid-configuration", "/.well-known/oauth-authorization-server"];
for (const path of [...documents, "/oauth/jwks", "/oauth/token", "/oauth/userinfo"]) {
  openid.use(path, anyOrigin);
}

for (const path of documents) {
  openid.get(path, (c) => {
    c.header("cache-control", `public, max-age=${limits.jwksCacheSeconds}`);
    return c.json(metadata(c.env.config, Object.keys(grantTypes)));
  });
}

openid.get("/oauth/jwks", async (c) => {
  const keys = await publicKeys(c.env);
  c.header("cache-control", `public, max-age=${limits.jwksCacheSeconds}`);
  return c.json({ keys });
});

openid.use("/oauth/token", noStore);
openid.post("/oauth/token", (c) => tokenEndpoint(c as Ctx));
