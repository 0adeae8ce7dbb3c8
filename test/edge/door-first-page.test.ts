/** The first page of an open door: who is shown it, and that nobody else passes it over for them. */

import { env } from "cloudflare:workers";
import { beforeEach, describe, expect, it } from "vitest";
import { setAccess } from "../../workers/devices/devices.ts";
import { type TestPorts, testPorts } from "../support/ports.ts";
import { type Box, newBox, serve } from "./door-support.ts";

let test: TestPorts;
let box: Box;
beforeEach(async () => {
  test = testPorts({ env });
  box = await newBox(test.ports);
});

describe("the first page of an open door", () => {
  const html = { accept: "text/html" };

  it("is shown once to a browser that asks for a page, and holds up nothing else", async () => {
    await setAccess(test.ports, box.owner, box.id, "everyone");
    void serve(box.agent);
    const first = await box.ask("/a?b", { headers: html });
    expect([first.status, await first.text()]).toEqual([200, expect.stringContaining("Go on to")]);
    const seen = await box.ask("/.well-known/latchkey/seen", {
      method: "POST",
      headers: { "sec-fetch-site": "same-origin" },
      body: new URLSearchParams({ to: "/a?b" }).toString(),
    });
    expect([seen.status, seen.headers.get("location")]).toEqual([303, "/a?b"]);
    const [set = ""] = seen.headers.getSetCookie();
    expect(set).toMatch(/^__Host-door-seen=yes; Max-Age=7776000;/);
    const passed: [string, RequestInit][] = [
      ["after that", { headers: { ...html, cookie: "__Host-door-seen=yes" } }],
      ["a program", { headers: { accept: "*/*" } }],
      ["a picture", { headers: { accept: "image/avif,image/*" } }],
      ["a form", { method: "POST", headers: html }],
    ];
    for (const [what, init] of passed) {
      const response = await box.ask("/a?b", init);
      expect([what, (await response.text()).includes("Go on to")]).toEqual([what, false]);
    }
  });

  it("is passed over by no page of another site", async () => {
    for (const site of ["cross-site", "same-site"]) {
      const response = await box.ask("/.well-known/latchkey/seen", {
        method: "POST",
        headers: { "sec-fetch-site": site },
        body: "to=/",
      });
      expect([site, response.status, response.headers.getSetCookie()]).toEqual([site, 403, []]);
    }
  });

  it("is not shown at a private door", async () => {
    expect((await box.ask("/", { headers: html })).status).toBe(303);
  });
});
