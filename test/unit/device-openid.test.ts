/** Where a device's page may be led back to: its own hosts, and paths that mean one thing. */

import { describe, expect, it } from "vitest";
import { limits } from "../../protocol/limits.ts";
import { deviceAddresses, isCallbackPath } from "../../workers/devices/openid.ts";

const config = {
  origin: "https://latchkey.example",
  linkZone: "link.example",
  ddnsZone: "ddns.example",
};

describe("a device's addresses", () => {
  it("are its door, its name at any port, and the box itself, with its paths", () => {
    expect(deviceAddresses(config, { label: "nas", paths: ["/auth/done"] })).toEqual({
      redirectUris: [
        "https://nas.link.example/.latchkey/callback",
        "https://nas.link.example/auth/done",
        "https://nas.ddns.example:*/.latchkey/callback",
        "https://nas.ddns.example:*/auth/done",
        "http://127.0.0.1/.latchkey/callback",
        "http://127.0.0.1/auth/done",
        "http://[::1]/.latchkey/callback",
        "http://[::1]/auth/done",
      ],
      postLogoutRedirectUris: [
        "https://nas.link.example/",
        "https://nas.ddns.example:*/",
        "http://127.0.0.1/",
        "http://[::1]/",
      ],
    });
  });
});

describe("a path of a device", () => {
  it.each(["/callback", "/.latchkey/callback", "/a/b-c_d~e.f/", "/oauth2/callback"])(
    "may be %s",
    (path) => expect(isCallbackPath(path)).toBe(true),
  );

  it.each([
    "",
    "/",
    "callback",
    "//evil.example/callback",
    "/a//b",
    "/a/../b",
    "/a/./b",
    "/a?b",
    "/a#b",
    "/a\\b",
    "/a%2fb",
    "/a b",
    "/@evil.example",
    ":8443/callback",
    "/ä",
    "/.well-known/latchkey/enter",
    `/${"a".repeat(limits.callbackPathLength)}`,
  ])("may not be %j", (path) => expect(isCallbackPath(path)).toBe(false));
});
