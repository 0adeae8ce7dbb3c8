/** Decisions of the console: pure, without a browser and without an edge. */

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { contentSecurityPolicy, pageHeaders } from "../../console/headers.ts";
import { liveOf } from "../../console/live.ts";
import { ddclientConfiguration } from "../../console/pages/commands.ts";
import { waysOf } from "../../console/pictures/path.tsx";
import { controlOf, place } from "../../console/pictures/shelf.tsx";
import { type ClassName, classes } from "../../db/data-map/classes.ts";
import type { DeviceDescription } from "../../durable-objects/device/rpc.ts";
import { DAY, limits } from "../../protocol/limits.ts";
import { localPath } from "../../protocol/local-path.ts";
import { sayRelative } from "../../protocol/times.ts";
import { pathBehindDoor } from "../../workers/link/way-back.ts";

const now = Date.UTC(2026, 10, 22, 12);

const device: DeviceDescription = {
  id: "dev_home_0000000000000000",
  accountId: "acc_home_0000000000000000",
  publicKey: "A".repeat(43),
  label: "attic",
  labels: ["attic"],
  createdAt: now,
  features: { name: false, link: false, lan: false },
  access: { mode: "owner", people: [], rules: [], identity: "off", closed: null },
  connection: null,
  agents: [],
  traffic: null,
  name: null,
  tcp: [],
};
const connection = { online: true, since: now, address: null, agent: "" };

describe("where a form may lead", () => {
  const origin = "https://latchkey.example";

  it.each([
    ["/devices", "/devices"],
    ["/door?label=a&to=%2F%2Fevil", "/door?label=a&to=%2F%2Fevil"],
    ["/a/../devices", "/devices"],
    ["//evil.example", null],
    ["/\\evil.example", null],
    ["/\t/evil.example", null],
    ["/.//evil.example/", null],
    ["/..//evil.example", null],
    ["/a/..//evil.example", null],
    ["/%2e//evil.example", null],
    ["/.%2E//evil.example", null],
    ["/./\\evil.example", null],
    ["https://evil.example/", null],
    ["javascript:alert(1)", null],
    ["", null],
    [undefined, null],
  ])("%j → %j", (text, expected) => {
    expect(localPath(text)).toBe(expected);
  });

  it("never leaves the origin, whatever was asked", () => {
    const parts = fc.constantFrom(
      "/",
      "\\",
      "\t",
      "\n",
      "//",
      ".",
      "%2e",
      "@",
      ":",
      "evil.example",
      "a",
      "?",
      "#",
    );
    fc.assert(
      fc.property(fc.array(parts), (pieces) => {
        const text = `/${pieces.join("")}`;
        for (const path of [localPath(text), pathBehindDoor(text)]) {
          if (path !== null && new URL(path, origin).origin !== origin) return false;
        }
        return true;
      }),
    );
  });
});

describe("where the way through a door may lead", () => {
  it.each([
    ["/files?a=b", "/files?a=b"],
    ["/a/..//evil.example", "/"],
    ["//evil.example", "/"],
    ["/.well-known/latchkey/leave", "/"],
    ["/a/../.well-known/latchkey/leave", "/"],
    [`/${"a".repeat(limits.linkPathBytes)}`, "/"],
    [null, "/"],
  ])("%j → %j", (text, expected) => {
    expect(pathBehindDoor(text)).toBe(expected);
  });
});

describe("headers", () => {
  it("[CKY-8] name no host but our own, and the door that a form ends at", () => {
    const origin = "https://latchkey.example";
    const plain = contentSecurityPolicy({ nonce: "n", origin });
    expect(plain.match(/[a-z]+:\/\/[^\s;]+/g)).toEqual(["wss://latchkey.example"]);
    const formTarget = "https://attic.link.example";
    expect(contentSecurityPolicy({ nonce: "n", origin, formTarget })).toContain(
      "form-action 'self' https://attic.link.example;",
    );
  });

  it("pin HTTPS where there is HTTPS", () => {
    const name = "strict-transport-security";
    expect(pageHeaders({ nonce: "n", origin: "https://latchkey.example" })[name]).toBeDefined();
    expect(pageHeaders({ nonce: "n", origin: "http://localhost:8787" })[name]).toBeUndefined();
  });
});

describe("a device's light", () => {
  it("[FEA-1] says nothing of a device whose features are all off", () => {
    expect(liveOf({ ...device, connection })).toBe("off");
  });

  it("follows the connection on record", () => {
    const on = { ...device, features: { name: true, link: false, lan: false } };
    expect(liveOf(on)).toBe("unseen");
    expect(liveOf({ ...on, connection })).toBe("online");
    expect(liveOf({ ...on, connection: { ...connection, online: false } })).toBe("offline");
  });
});

describe("the path", () => {
  it("promises no way that is not there", () => {
    const [lan, direct, relay] = waysOf(device);
    expect([lan.open, direct.open, relay.open]).toEqual([false, false, false]);
    expect(relay.why.online).toBe("the door is off");
    const on = waysOf({ ...device, features: { name: false, link: true, lan: false } });
    expect(on.map(({ open }) => open)).toEqual([false, false, true]);
    expect(on[2].why.offline).toBe("waits for the device");
  });
});

describe("the shelf", () => {
  it("keeps the order of moments and stays on the board", () => {
    const moment = fc.integer({ min: -4000 * DAY, max: 4000 * DAY });
    fc.assert(
      fc.property(moment, moment, (a, b) => {
        const [x, y] = [place(now + Math.min(a, b), now), place(now + Math.max(a, b), now)];
        return x <= y && x >= 0 && y <= 100;
      }),
    );
    expect(place(now - DAY, now)).toBeLessThan(place(now, now));
    expect(place(now + DAY, now)).toBeGreaterThan(place(now, now));
  });

  it("[PRI-2] has exactly one control for every class, of a device or of the account", () => {
    for (const [name, { feature }] of Object.entries(classes)) {
      for (const deviceId of [null, device.id]) {
        const { href, label } = controlOf({ name: name as ClassName, feature, deviceId });
        expect(label, name).not.toBe("");
        expect(href, name).toMatch(/^\/(devices|people|sessions|account)/);
      }
    }
  });
});

describe("words", () => {
  it.each([
    [0, "just now"],
    [-19_000, "just now"],
    [-59_999, "just now"],
    [-60_000, "1 minute ago"],
    [-3 * 3600_000, "3 hours ago"],
    [-25 * 3600_000, "yesterday"],
    [30_000, "in less than a minute"],
    [10 * DAY, "next week"],
    [-400 * DAY, "last year"],
  ])("%d ms is %s", (distance, said) => {
    expect(sayRelative(now + distance, now)).toBe(said);
  });

  it("give ddclient a server with a dot and the scheme of the origin", () => {
    const local = ddclientConfiguration("http://localhost:8787", "attic.ddns.test", "lk_upd");
    expect(local).toContain("server=127.0.0.1:8787");
    expect(local).toContain("ssl=no");
    const real = ddclientConfiguration("https://latchkey.example", "attic.box.example", "lk_upd");
    expect(real).toContain("server=latchkey.example");
    expect(real).toContain("ssl=yes");
    expect(real).toContain("webv4=https://latchkey.example/nic/ip");
  });
});
