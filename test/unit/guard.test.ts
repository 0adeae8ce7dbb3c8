/** The forgery guard's decision, row by row. */

import { Hono } from "hono";
import { describe, expect, it } from "vitest";
import { forgeryGuard, type GuardedRequest, isForged } from "../../workers/forgery.ts";

const OWN = "https://latchkey.example";
const DOOR = "https://nas.link.latchkey.example";
const EVIL = "https://evil.example";
const bare: GuardedRequest = {
  method: "POST",
  upgrade: null,
  cookie: null,
  authorization: null,
  secFetchSite: null,
  origin: null,
};
const cookie = "__Host-sid=lk_ses_…";
const bearer = "Bearer lk_ses_…";
const websocket = { method: "GET", upgrade: "websocket" };

const rows: readonly [string, Partial<GuardedRequest>, boolean][] = [
  ["a page of ours, in a browser that says so", { cookie, secFetchSite: "same-origin" }, false],
  ["a strange site", { cookie, secFetchSite: "cross-site", origin: EVIL }, true],
  ["a device's door, a sibling host", { cookie, secFetchSite: "same-site", origin: DOOR }, true],
  [
    "a door that sends our Origin by other means",
    { cookie, secFetchSite: "same-site", origin: OWN },
    true,
  ],
  ["an address bar or bookmark, which never posts", { cookie, secFetchSite: "none" }, true],
  ["an old browser on a page of ours", { cookie, origin: OWN }, false],
  ["an old browser on a strange site", { cookie, origin: EVIL }, true],
  ["an old browser on a door", { cookie, origin: DOOR }, true],
  ["a sandboxed frame", { cookie, origin: "null" }, true],
  ["our host without TLS", { cookie, origin: "http://latchkey.example" }, true],
  ["our host on another port", { cookie, origin: "https://latchkey.example:8443" }, true],
  ["a cookie and no word of where from", { cookie }, true],
  ["an empty cookie header and no word of where from", { cookie: "" }, true],
  ["any cookie at all", { cookie: "pref=de" }, true],
  ["a program with a bearer secret", { authorization: bearer }, false],
  ["a bearer secret beside a cookie", { authorization: bearer, cookie }, true],
  ["a program without either", {}, false],
  ["a strange site that signs its visitor in", { secFetchSite: "cross-site", origin: EVIL }, true],
  ["the same in an old browser", { origin: EVIL }, true],
  ["signing in on our own page", { secFetchSite: "same-origin", origin: OWN }, false],
  ["DELETE from a strange site", { method: "DELETE", cookie, secFetchSite: "cross-site" }, true],
  ["PUT from a door", { method: "PUT", cookie, secFetchSite: "same-site" }, true],
  ["reading from a strange site", { method: "GET", cookie, secFetchSite: "cross-site" }, false],
  ["HEAD", { method: "HEAD", cookie, secFetchSite: "cross-site" }, false],
  ["a WebSocket of our page", { ...websocket, cookie, origin: OWN }, false],
  ["a WebSocket of a door's page", { ...websocket, cookie, origin: DOOR }, true],
  ["a WebSocket that says same-site", { ...websocket, cookie, secFetchSite: "same-site" }, true],
  ["an agent's WebSocket", { ...websocket, authorization: bearer }, false],
  ["a made-up method", { method: "FROB", cookie, secFetchSite: "cross-site" }, true],
];

describe("the forgery guard", () => {
  it.each(rows)("%s", (_name, request, forged) => {
    expect(isForged({ ...bare, ...request }, OWN)).toBe(forged);
  });

  it.each([
    ["POST", "/oauth/token", "none 1"],
    ["POST", "/oauth/%74oken", "none 1"],
    ["POST", "/oauth/userinfo", "none 1"],
    ["POST", "/oauth/authorize", "none 1"],
    ["POST", "/oauth/consent", null],
    ["POST", "/oauth/token/", null],
    ["POST", "//oauth/token", null],
    ["PUT", "/oauth/token", null],
    ["POST", "/sign-in", null],
    ["GET", "/oauth/authorize", `${cookie} `],
  ])("leaves a strange page's %s %s: %s", async (method, path, seen) => {
    const app = new Hono();
    app.onError((error, c) => c.text(error.message, 403));
    app.use(forgeryGuard as never);
    app.all("*", async (c) => c.text(`${c.req.header("cookie") ?? "none"} ${await c.req.text()}`));
    const headers = {
      cookie: cookie.replace("…", ""),
      "sec-fetch-site": "cross-site",
      origin: EVIL,
    };
    const body = method === "GET" ? null : "1";
    const request = new Request(new URL(path, OWN), { method, headers, body });
    const answer = await app.fetch(request, { config: { origin: OWN } });
    expect(answer.status).toBe(seen === null ? 403 : 200);
    if (seen !== null) expect(await answer.text()).toBe(seen.replace("…", ""));
  });
});
