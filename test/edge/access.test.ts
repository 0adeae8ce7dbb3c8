/**
 * Every route has its row here: who may ask. A new route without a row fails, and so does a row
 * without a route. Whose device it is, is checked beside the devices.
 */

import { env } from "cloudflare:workers";
import { beforeAll, describe, expect, it } from "vitest";
import { limits } from "../../protocol/limits.ts";
import { newToken } from "../../protocol/tokens.ts";
import { routes as allRoutes, handle } from "../../workers/app.ts";
import { eraseAccount } from "../../workers/privacy/erase.ts";
import { revokeSession } from "../../workers/sign-in/sessions.ts";
import { signUp } from "../../workers/sign-in/sign-up.ts";
import { completeSignIn, verifySignUp } from "../support/person.ts";
import { type TestPorts, testPorts } from "../support/ports.ts";

/** Routes that strangers may use, that bring a proof of their own, and that need a session. */
const everyone = `
  GET /healthz
  POST /api/sign-up
  POST /api/sign-up/verify
  POST /api/password/forgot
  POST /api/sessions
  POST /api/sign-in/passkey/options
  POST /api/sign-in/passkey
  POST /api/enrolments
  GET /.well-known/openid-configuration
  GET /.well-known/oauth-authorization-server
  GET /oauth/jwks
  GET /oauth/authorize
  POST /oauth/authorize
  GET /oauth/consent
  POST /oauth/consent
  GET /oauth/logout
  POST /oauth/logout
  GET /oauth/logout/confirm
  POST /oauth/logout/confirm
  POST /api/reports
  GET /report
  POST /report
  GET /report/received
  GET /api/policy
  GET /api/operations/retention
  GET /nic/ip
  GET /dns-query
  POST /dns-query
  ALL /dns-query
  GET /assets/:file
  GET /
  GET /privacy
  GET /problems
  GET /sign-up
  POST /sign-up
  GET /sign-up/sent
  GET /sign-up/code
  GET /forgot
  POST /forgot
  GET /forgot/sent
  POST /sign-up/code
  GET /verify
  POST /verify
  GET /api/identity-providers
  GET /sign-in/with/:provider
  POST /sign-in/with/:provider
  GET /sign-in/with/:provider/callback
  GET /sign-in/with/:provider/done
  GET /sign-up/with/:provider
  POST /sign-up/with/:provider
  GET /sign-up/with/:provider/verify
  POST /sign-up/with/:provider/verify
  GET /sign-in
  POST /sign-in
  POST /sign-out
  GET /api/people/:account
  GET /api/people/:account/photo
  GET /people/:account
  GET /:label
`;
const ownProof = `
  GET /api/operator/reports
  GET /api/operator/reports/:id
  POST /api/operator/reports/:id/dismissal
  GET /api/operator/doors/:label
  PUT /api/operator/doors/:label/closure
  DELETE /api/operator/doors/:label/closure
  POST /api/operator/doors/:label/objection/answer
  GET /api/operator/objections
  GET /api/operator/zone
  POST /api/operator/zone/rollover
  POST /api/operator/zone/rollover/end
  POST /oauth/token
  POST /oauth/device
  POST /oauth/revoke
  POST /oauth/introspect
  GET /oauth/userinfo
  POST /oauth/userinfo
  POST /api/sign-in/second-step
  POST /api/sign-in/second-step/sms
  POST /api/sign-in/second-step/passkey/options
  POST /api/sign-in/second-step/passkey
  GET /sign-in/second-step
  POST /sign-in/second-step
  GET /sign-in/second-step/send
  POST /sign-in/second-step/send
  GET /forgot/new
  POST /forgot/new
  GET /undo
  POST /undo
  GET /sign-in/lost
  POST /sign-in/lost
  GET /recovery/finish
  POST /recovery/finish
  GET /recovery/stop
  POST /recovery/stop
  GET /recovery/stopped
  POST /api/password/reset
  POST /api/recovery
  POST /api/recovery/finish
  POST /api/recovery/stop
  POST /api/undo
  POST /api/enrolments/token
  GET /api/agent/socket
  GET /api/zone/feed
  GET /api/agent/bulk/:id
  POST /api/agent/bulk/:id
  POST /api/agent/openid
  POST /api/agent/certificate
  POST /acme/present
  POST /acme/cleanup
  POST /acme/update
  ALL /acme/present
  ALL /acme/cleanup
  ALL /acme/update
  GET /api/names/:host
  PATCH /api/names
  POST /api/agent/reachability
  GET /nic/update
  POST /nic/update
  ALL /nic/update
  GET /v3/update
  POST /v3/update
  ALL /v3/update
`;
const signedIn = `
  GET /api/account/second-steps
  POST /api/account/second-steps/totp/set-up
  POST /api/account/second-steps/totp
  POST /api/account/second-steps/sms/set-up
  POST /api/account/second-steps/sms
  DELETE /api/account/second-steps/:kind
  POST /api/account/recovery-codes
  GET /api/account/trusted-browsers
  DELETE /api/account/trusted-browsers
  DELETE /api/account/trusted-browsers/:id
  GET /account/second-step
  GET /account/second-step/totp
  POST /account/second-step/totp
  GET /account/second-step/sms
  POST /account/second-step/sms
  GET /account/second-step/sms/code
  POST /account/second-step/sms/code
  GET /account/second-step/codes
  POST /account/second-step/codes
  GET /account/second-step/off
  POST /account/second-step/off
  GET /account/second-step/trusted/end
  POST /account/second-step/trusted/end
  GET /account/second-step/trusted/end-all
  POST /account/second-step/trusted/end-all
  GET /api/sessions/current/confirm
  POST /api/sessions/current/confirm
  POST /api/sessions/current/confirm/code
  GET /confirm
  POST /confirm
  GET /confirm/send
  POST /confirm/send
  GET /api/sessions
  DELETE /api/sessions/current
  DELETE /api/sessions/:id
  POST /api/sessions/current/confirm/passkey/options
  POST /api/sessions/current/confirm/passkey
  GET /api/tokens
  POST /api/tokens
  DELETE /api/tokens/:id
  GET /api/passkeys
  POST /api/passkeys/options
  POST /api/passkeys
  PATCH /api/passkeys/:id
  DELETE /api/passkeys/:id
  GET /api/grants
  DELETE /api/grants/:id
  GET /account/apps
  GET /account/apps/end
  POST /account/apps/end
  GET /api/account
  DELETE /api/account
  GET /api/account/holdings
  POST /api/account/export
  PUT /api/account/password
  DELETE /api/account/password
  GET /api/account/recovery
  DELETE /api/account/recovery
  GET /api/account/addresses
  POST /api/account/addresses
  POST /api/account/addresses/verify
  PUT /api/account/addresses/:id/primary
  DELETE /api/account/addresses/:id
  POST /api/enrolments/lookup
  POST /api/enrolments/approve
  GET /api/devices
  GET /api/devices/:id
  DELETE /api/devices/:id
  PUT /api/devices/:id/features/:feature
  PUT /api/devices/:id/access
  PUT /api/devices/:id/access/people/:account
  DELETE /api/devices/:id/access/people/:account
  PUT /api/devices/:id/access/rules
  DELETE /api/devices/:id/access/rules/:rule
  PUT /api/devices/:id/access/rules/:rule/people/:account
  DELETE /api/devices/:id/access/rules/:rule/people/:account
  PUT /api/devices/:id/access/identity
  GET /api/devices/:id/shares
  POST /api/devices/:id/shares
  DELETE /api/devices/:id/shares/:share
  PUT /api/devices/:id/door/objection
  GET /api/devices/:id/certificate
  POST /api/devices/:id/certificate/revocation
  PUT /api/devices/:id/certificate/authorities
  GET /devices/:id/records
  POST /devices/:id/records
  POST /devices/:id/records/wildcard
  POST /devices/:id/records/neighbors
  POST /devices/:id/records/key
  GET /devices/:id/records/wildcard
  GET /devices/:id/records/neighbors
  GET /devices/:id/records/key
  GET /devices/:id/certificate
  GET /devices/:id/certificate/authorities
  POST /devices/:id/certificate/authorities
  GET /devices/:id/certificate/revoke
  POST /devices/:id/certificate/revoke
  GET /api/devices/:id/names
  POST /api/devices/:id/names
  PATCH /api/devices/:id/names/:label
  DELETE /api/devices/:id/names/:label
  GET /api/devices/:id/domains
  POST /api/devices/:id/domains
  POST /api/devices/:id/domains/:domain/check
  DELETE /api/devices/:id/domains/:domain
  GET /devices/:id/domains
  POST /devices/:id/domains
  POST /devices/:id/domains/look
  GET /devices/:id/domains/look
  GET /devices/:id/domains/take-away
  POST /devices/:id/domains/take-away
  GET /api/devices/:id/name/tokens
  POST /api/devices/:id/name/tokens
  DELETE /api/devices/:id/name/tokens/:token
  DELETE /api/devices/:id/name/tokens/:token/flood
  GET /api/devices/:id/name/history
  POST /api/devices/:id/reachability
  GET /api/devices/:id/name/records
  PUT /api/devices/:id/name/records
  PUT /api/devices/:id/name/wildcard
  PUT /api/devices/:id/name/neighbors
  GET /api/devices/:id/signing-key
  POST /api/devices/:id/signing-key
  DELETE /api/devices/:id/signing-key
  GET /api/devices/:id/live
  GET /api/tunnels/:label
  GET /door
  GET /devices
  GET /devices/add
  POST /devices/add
  GET /devices/:id
  POST /devices/:id/features/:feature
  GET /devices/:id/features/:feature/off
  POST /devices/:id/features/:feature/off
  POST /devices/:id/access
  POST /devices/:id/people
  POST /devices/:id/people/remove
  GET /names
  POST /names/take
  POST /names/end
  GET /names/take
  GET /names/end
  GET /devices/:id/names/give
  POST /devices/:id/names/give
  GET /api/name-offers
  POST /api/devices/:id/names/:label/offer
  POST /api/name-offers/:id/acceptance
  DELETE /api/name-offers/:id
  GET /devices/:id/names
  POST /devices/:id/names
  POST /devices/:id/names/change
  POST /devices/:id/names/first
  GET /devices/:id/names/change
  GET /devices/:id/names/first
  GET /devices/:id/names/give-up
  POST /devices/:id/names/give-up
  GET /devices/:id/name
  POST /devices/:id/name/tokens
  POST /devices/:id/name/tokens/end
  POST /devices/:id/name/tokens/excuse
  POST /devices/:id/reachability
  GET /devices/:id/reachability
  GET /devices/:id/name/tokens
  GET /devices/:id/name/tokens/end
  GET /devices/:id/name/tokens/excuse
  GET /devices/:id/people
  GET /devices/:id/people/remove
  GET /devices/:id/access
  GET /devices/:id/features/:feature
  GET /devices/share
  GET /devices/:id/door
  POST /devices/:id/door/services
  POST /devices/:id/door/rules
  POST /devices/:id/door/rules/remove
  POST /devices/:id/door/rules/people
  POST /devices/:id/door/rules/people/remove
  POST /devices/:id/door/identity
  POST /devices/:id/door/objection
  GET /devices/:id/door/objection
  POST /devices/:id/door/shares
  POST /devices/:id/door/shares/stop
  GET /devices/:id/door/services
  GET /devices/:id/door/rules
  GET /devices/:id/door/rules/remove
  GET /devices/:id/door/rules/people
  GET /devices/:id/door/rules/people/remove
  GET /devices/:id/door/identity
  GET /devices/:id/door/shares
  GET /devices/:id/door/shares/stop
  GET /devices/:id/unregister
  POST /devices/:id/unregister
  GET /sessions
  POST /sessions/end
  POST /sessions/end-others
  GET /sessions/end
  GET /sessions/end-others
  GET /account
  GET /device
  POST /device
  GET /account/data
  POST /account/data/export
  GET /account/data/export
  GET /account/programs
  GET /account/programs/end
  POST /account/programs/end
  DELETE /api/account/programs
  GET /account/tokens
  POST /account/tokens
  GET /account/tokens/end
  POST /account/tokens/end
  GET /account/passkeys
  POST /account/passkeys
  GET /account/passkeys/:id
  POST /account/passkeys/:id
  GET /account/passkeys/:id/remove
  POST /account/passkeys/:id/remove
  GET /account/linked
  POST /account/linked/add
  GET /account/linked/add
  POST /account/linked/remove
  GET /account/linked/remove
  POST /confirm/with/:provider
  GET /api/account/linked
  POST /api/account/linked
  DELETE /api/account/linked/:id
  GET /account/profile
  POST /account/profile
  GET /account/profile/photo
  POST /account/profile/photo
  GET /account/profile/clear
  POST /account/profile/clear
  GET /account/activity
  GET /api/account/profile
  DELETE /api/account/profile
  PUT /api/account/profile/:field
  DELETE /api/account/profile/:field
  PUT /api/account/photo
  GET /api/account/activity
  GET /people
  GET /people/ask
  POST /people/ask
  GET /people/act
  POST /people/act
  GET /api/contacts
  POST /api/contacts
  DELETE /api/contacts/:account
  POST /api/contacts/:account/accept
  POST /api/contacts/:account/decline
  PUT /api/contacts/:account/block
  DELETE /api/contacts/:account/block
  GET /account/addresses
  GET /account/addresses/add
  POST /account/addresses/add
  GET /account/addresses/verify
  POST /account/addresses/verify
  GET /account/addresses/primary
  POST /account/addresses/primary
  GET /account/addresses/remove
  POST /account/addresses/remove
  GET /account/password
  POST /account/password
  GET /account/password/remove
  POST /account/password/remove
  GET /account/password/stop-recovery
  POST /account/password/stop-recovery
  GET /account/erase
  POST /account/erase
`;
/** Middleware, which is no route. */
const before = `
  ALL /api/operator/*
  ALL /api/operator/zone
  ALL /api/operator/zone/*
  ALL /devices/:id/records
  ALL /devices/:id/records/*
  ALL /devices/:id/certificate
  ALL /devices/:id/certificate/*
  ALL /api/reports
  ALL /*
  ALL /.well-known/openid-configuration
  ALL /.well-known/oauth-authorization-server
  ALL /oauth/jwks
  ALL /oauth/token
  ALL /oauth/userinfo
  ALL /oauth/device
  ALL /oauth/revoke
  ALL /oauth/introspect
  ALL /device
  ALL /api/grants
  ALL /account/apps
  ALL /account/apps/*
  ALL /api/account
  ALL /api/account/*
  ALL /api/password/*
  ALL /api/recovery
  ALL /api/recovery/*
  ALL /account/programs
  ALL /account/programs/*
  ALL /api/tokens
  ALL /api/tokens/*
  ALL /api/devices/:id/name/*
  ALL /names
  ALL /names/*
  ALL /devices/:id/names/give
  ALL /api/name-offers
  ALL /api/name-offers/*
  ALL /api/devices/:id/names
  ALL /api/devices/:id/names/*
  ALL /devices/:id/names
  ALL /devices/:id/names/*
  ALL /api/devices/:id/domains
  ALL /api/devices/:id/domains/*
  ALL /devices/:id/domains
  ALL /devices/:id/domains/*
  ALL /api/names
  ALL /api/names/*
  ALL /devices/:id/name
  ALL /devices/:id/name/*
  ALL /api/tunnels/*
  ALL /api/contacts
  ALL /api/contacts/*
  ALL /api/people/*
  ALL /api/passkeys
  ALL /api/passkeys/*
  ALL /api/sessions/*
  ALL /api/sign-in/*
  ALL /api/sign-in/passkey/*
  ALL /api/sign-up/*
  ALL /account
  ALL /account/*
  ALL /account/second-step
  ALL /account/second-step/*
  ALL /account/second-step/codes
  ALL /account/second-step/off
  ALL /account/second-step/sms
  ALL /account/second-step/sms/code
  ALL /account/second-step/totp
  ALL /account/tokens
  ALL /account/tokens/*
  ALL /account/passkeys
  ALL /account/passkeys/*
  ALL /confirm
  ALL /confirm/*
  ALL /account/addresses
  ALL /account/addresses/*
  ALL /account/addresses/add
  ALL /account/addresses/primary
  ALL /account/addresses/remove
  ALL /account/password
  ALL /account/password/*
  ALL /account/password/remove
  ALL /devices
  ALL /devices/*
  ALL /devices/share
  ALL /devices/:id/door
  ALL /devices/:id/door/*
  ALL /sessions
  ALL /sessions/*
`;

const lines = (text: string) => text.trim().split(/\s*\n\s*/);
const ORIGIN = "http://localhost:8787";
const client = { userAgent: null, peer: null };
let test: TestPorts;
let accountId: string;
let dead: Record<string, string | null>;
let count = 0;

beforeAll(async () => {
  test = testPorts({ env, variables: { ORIGIN } });
  accountId = await newAccount();
  dead = await deadTokens();
});

async function newAccount(): Promise<string> {
  const address = `access${count++}@example.org`;
  const password = "an unlikely password";
  await signUp(test.ports, { address, password }, client);
  const token = /token=(\S+)/.exec(test.mail.sent.at(-1)?.text ?? "")?.[1] ?? "";
  return (await verifySignUp(test.ports, { token, password }, client)).accountId;
}

const newSession = async (id = accountId) =>
  await completeSignIn(test.ports, { accountId: id, methods: ["password"] }, client);

/** Every kind of token that must open nothing. */
async function deadTokens(): Promise<Record<string, string | null>> {
  const [revoked, erased] = [await newSession(), await newSession(await newAccount())];
  await revokeSession(test.ports, accountId, revoked.sessionId);
  await eraseAccount(test.ports, erased.accountId);
  const old = await newSession();
  test.clock.advance(limits.sessionIdleMs);
  return {
    none: null,
    empty: "",
    nonsense: "lk_ses_nonsense",
    "made up": newToken("ses", "home", test.ports.random.bytes),
    "of another kind": newToken("chl", "home", test.ports.random.bytes),
    revoked: revoked.token,
    "of an erased account": erased.token,
    "too old": old.token,
  };
}

/** Asks a route of the table, with `token` as cookie or bearer secret; true when a session was missed. */
async function misses(route: string, token: string | null, as: "cookie" | "bearer") {
  const [method = "", pattern = ""] = route.split(" ");
  const path = pattern
    .replace(
      ":id",
      route.includes("/api/sessions") ? "ses_home_0000000000000000" : "dev_home_0000000000000000",
    )
    .replace(":feature", "name")
    .replace(":field", "name")
    .replace(":account", "acc_home_0000000000000000")
    .replace(/^\/door$/, `/door?label=nas&nonce=${"A".repeat(43)}&to=%2F`);
  const headers = new Headers({ "sec-fetch-site": "same-origin" });
  if (!path.startsWith("/api/")) headers.set("accept", "text/html");
  if (token !== null && as === "cookie") headers.set("cookie", `__Host-sid=${token}`);
  if (token !== null && as === "bearer") headers.set("authorization", `Bearer ${token}`);
  const writes = !["GET", "HEAD"].includes(method);
  if (writes) {
    const json = path.startsWith("/api/");
    headers.set("content-type", json ? "application/json" : "application/x-www-form-urlencoded");
  }
  const body = writes ? (path.startsWith("/api/") ? "{}" : "a=b") : null;
  const response = await handle(new Request(ORIGIN + path, { method, headers, body }), test.ports);
  expect([route, response.status < 500]).toEqual([route, true]);
  const toSignIn = response.headers.get("location")?.startsWith("/sign-in") ?? false;
  // A wrong password in a form of a signed-in person is a 401 too, but not this one.
  const text = response.webSocket === null ? await response.text() : "";
  const refused = response.status === 401 && text.includes("not-signed-in");
  return refused || (response.status === 303 && toSignIn);
}

describe("who may ask", () => {
  it("[SEC-5] is said for every route, and every row is a route", async () => {
    const declared = lines(everyone + ownProof + signedIn);
    expect(new Set(declared).size).toBe(declared.length);
    const middleware = new Set(lines(before));
    const routes = new Set((await allRoutes()).map(({ method, path }) => `${method} ${path}`));
    const real = [...routes].filter((route) => !middleware.has(route) || declared.includes(route));
    expect(real.sort()).toEqual(declared.sort());
  });

  it.each(lines(signedIn))(
    "[SEC-5] %s needs a session that lives",
    { timeout: 30_000 },
    async (route) => {
      for (const [what, token] of Object.entries(dead)) {
        for (const as of ["cookie", "bearer"] as const) {
          expect([what, as, await misses(route, token, as)]).toEqual([what, as, true]);
        }
      }
      for (const as of ["cookie", "bearer"] as const) {
        expect([as, await misses(route, (await newSession()).token, as)]).toEqual([as, false]);
      }
    },
  );

  it.each(lines(everyone))("%s greets strangers", async (route) => {
    expect(await misses(route.replace("ALL", "PUT"), null, "cookie")).toBe(false);
  });
});
