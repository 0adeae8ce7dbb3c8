/**
 * The routes of signing in elsewhere with Latchkey. What a browser shows on the way (consent) are
 * pages of the console; everything here is for programs.
 */

import { limits } from "../../protocol/limits.ts";
import { readBounded } from "../body.ts";
import { type Ctx, noStore, service } from "../http.ts";
import { Problem } from "../problem.ts";
import { anyOrigin } from "./answers.ts";
import { deviceEndpoint } from "./device-grant.ts";
import { introspectEndpoint, revokeEndpoint } from "./ending.ts";
import { publicKeys } from "./keys.ts";
import { metadata } from "./metadata.ts";
import { grantTypes, tokenEndpoint } from "./token.ts";
import { userinfo } from "./userinfo.ts";

export const openid = service();

const documents = ["/.well-known/openid-configuration", "/.well-known/oauth-authorization-server"];
const programs = ["token", "userinfo", "device", "revoke", "introspect"].map(
  (name) => `/oauth/${name}`,
);
for (const path of [...documents, "/oauth/jwks", ...programs]) openid.use(path, anyOrigin);

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

for (const path of programs) openid.use(path, noStore);
openid.post("/oauth/token", (c) => tokenEndpoint(c as Ctx));

openid.on(["GET", "POST"], "/oauth/userinfo", (c) => userinfo(c as Ctx));

openid.post("/oauth/device", (c) => deviceEndpoint(c as Ctx));
openid.post("/oauth/revoke", (c) => revokeEndpoint(c as Ctx));
openid.post("/oauth/introspect", (c) => introspectEndpoint(c as Ctx));

/** A form for the authorization endpoint goes on as its GET, to which a browser brings its cookie. */
openid.post("/oauth/authorize", async (c) => {
  const form = await readBounded(c.req.raw, limits.openidFormBytes);
  if (form === null) throw new Problem("body-too-large");
  const query = new URLSearchParams(new TextDecoder().decode(form));
  return c.redirect(`/oauth/authorize?${query}`, 303);
});

/** Signing out by form (RP-Initiated Logout §2) goes on as its GET, too, which asks the person. */
openid.post("/oauth/logout", async (c) => {
  const form = await readBounded(c.req.raw, limits.openidFormBytes);
  if (form === null) throw new Problem("body-too-large");
  const query = new URLSearchParams(new TextDecoder().decode(form));
  return c.redirect(`/oauth/logout?${query}`, 303);
});
