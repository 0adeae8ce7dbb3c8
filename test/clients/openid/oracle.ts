/** panva's oidc-provider on loopback, set up as ours is: the oracle of the protocol script. */

import { createHash } from "node:crypto";
import { createServer, type Server } from "node:http";
import Provider from "oidc-provider";
import { freePort } from "../../support/browser.ts";
import { Browser, type Form, type Page } from "./browser.ts";
import type { Client, Issuer, Prompt, Visitor } from "./issuer.ts";

const redirectUri = "https://client.example/callback";
const grants = ["authorization_code", "refresh_token"];
const deviceGrant = "urn:ietf:params:oauth:grant-type:device_code";
const postLogoutUri = "https://client.example/bye";

const web: Client = { id: "web", secret: "web-secret", method: "client_secret_basic", redirectUri };
const post: Client = {
  id: "post",
  secret: "post-secret",
  method: "client_secret_post",
  redirectUri: "https://other.example/callback",
};
const native: Client = {
  id: "native",
  secret: null,
  method: "none",
  redirectUri: "http://127.0.0.1/callback",
};

const registered = [web, post, native].map((client) => ({
  client_id: client.id,
  ...(client.secret === null ? {} : { client_secret: client.secret }),
  token_endpoint_auth_method: client.method,
  redirect_uris: [client.redirectUri],
  post_logout_redirect_uris: client === web ? [postLogoutUri] : [],
  application_type: client === native ? "native" : "web",
  grant_types: client === native ? [...grants, deviceGrant] : grants,
  response_types: ["code"],
  // It wants a jwks_uri of a client without a web address before it gives it subjects of its own.
  subject_type: client === native ? "public" : "pairwise",
}));

const configuration = {
  clients: registered,
  scopes: ["openid", "offline_access", "profile", "email", "phone"],
  claims: {
    openid: ["sub"],
    profile: ["name", "locale", "zoneinfo"],
    email: ["email", "email_verified"],
    phone: ["phone_number", "phone_number_verified"],
  },
  subjectTypes: ["pairwise", "public"],
  enableHttpPostMethods: true,
  responseTypes: ["code"],
  pkce: { required: () => true },
  rotateRefreshToken: true,
  conformIdTokenClaims: true,
  cookies: { keys: ["a key of this test"], long: { signed: true, sameSite: "none" } },
  features: {
    deviceFlow: { enabled: true, charset: "base-20", mask: "****-****" },
    revocation: { enabled: true },
    introspection: {
      enabled: true,
      allowedPolicy: (_: unknown, client: { clientId: string }, found: { clientId: string }) =>
        client.clientId === found.clientId,
    },
    rpInitiatedLogout: { enabled: true },
    pushedAuthorizationRequests: { enabled: false },
    dPoP: { enabled: false },
    resourceIndicators: { enabled: false },
  },
  pairwiseIdentifier: (_: unknown, accountId: string, client: { clientId: string }) =>
    createHash("sha256").update(`${client.clientId} ${accountId}`).digest("base64url"),
  findAccount: (_: unknown, id: string) => ({
    accountId: id,
    claims: () => ({
      sub: id,
      name: "Mara",
      locale: "en",
      zoneinfo: "Europe/Zurich",
      email: `${id}@example.org`,
      email_verified: true,
      phone_number: "+41790000000",
      phone_number_verified: true,
    }),
  }),
};

export interface Oracle {
  readonly issuer: Issuer;
  close(): Promise<void>;
}

export async function startOracle(): Promise<Oracle> {
  const url = `http://localhost:${await freePort()}`;
  const provider = new Provider(url, configuration);
  const server: Server = createServer(provider.callback());
  await new Promise<void>((resolve) => {
    server.listen(Number(new URL(url).port), "127.0.0.1", resolve);
  });
  const issuer: Issuer = {
    url,
    clients: { web, post, native },
    people: ["mara", "noor"],
    postLogoutUri,
    prompt,
    browser: () => new Browser(url),
    fresh: async () => undefined, // what was allowed there is bound to the browser
  };
  return {
    issuer,
    close: () =>
      new Promise((resolve) => {
        server.closeAllConnections();
        server.close(() => resolve());
      }),
  };
}

/** Its development pages: a login that takes any name, a consent, the device's code, the sign-out. */
function prompt(page: Page, { person, userCode }: Visitor): Prompt | null {
  const [form] = page.forms;
  if (form === undefined) return null;
  const submit = (asks: Prompt["asks"], values: Readonly<Record<string, string>>): Prompt => ({
    asks,
    go: (browser, allow) => (allow ? browser.submit(form, values) : decline(browser, page, form)),
  });
  if (form.fields.prompt === "login") {
    // Who signs in is never the one who declines.
    return {
      ...submit("sign-in", {}),
      go: (browser) => browser.submit(form, { login: person, password: "x" }),
    };
  }
  if (form.fields.prompt === "consent") return submit("consent", {});
  if (form.fields.confirm === "yes") return submit("confirm-code", {});
  if (page.html.includes("op.logoutForm")) return submit("sign-out", { logout: "yes" });
  if (page.html.includes("op.deviceInputForm")) {
    return userCode === "" ? null : submit("user-code", { user_code: userCode });
  }
  return page.html.includes("<body") && form.fields.xsrf !== undefined
    ? submit("nothing", {})
    : null;
}

function decline(browser: Browser, page: Page, form: Form) {
  if (form.fields.prompt === "consent") {
    const cancel = page.links.find(({ pathname }) => pathname.endsWith("/abort"));
    if (cancel !== undefined) return browser.open(cancel);
  }
  return browser.submit(form, form.fields.confirm === "yes" ? { abort: "yes" } : {});
}
