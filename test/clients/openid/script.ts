/**
 * The protocol script: everything a client may do with an OpenID issuer, and much that it may not, as
 * named steps over HTTP. The same steps run against panva's oidc-provider (oracle.ts) and against a
 * running edge; docs/openid-conformance.md lists where the two differ, and why.
 */

import { authorize, prompts } from "./authorize.ts";
import { device } from "./device.ts";
import { discovery } from "./discovery.ts";
import { introspection, logout, revocation } from "./ends.ts";
import type { Step } from "./step.ts";
import { refresh, token, userinfo } from "./token.ts";

export const script: readonly Step[] = [
  ...discovery,
  ...authorize,
  ...prompts,
  ...token,
  ...refresh,
  ...userinfo,
  ...device,
  ...revocation,
  ...introspection,
  ...logout,
];
