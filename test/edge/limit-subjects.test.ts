/**
 * Whom each limit counts: a network is an IPv4 address or a /64, however the address is written, and
 * an address or account that is named in a request is counted for itself.
 */

import { env } from "cloudflare:workers";
import { beforeEach, describe, expect, it } from "vitest";
import { handle } from "../../workers/app.ts";
import { ORIGIN, registered } from "../support/openid.ts";
import { testPorts } from "../support/ports.ts";

const PUBLIC_KEY = "B".repeat(43);
const json = (body: object) => ({
  headers: { "content-type": "application/json" },
  body: JSON.stringify(body),
});
const tv = {
  ...{ id: "tv", name: "The tv", device_grant: true },
  token_endpoint_auth_method: "none",
};

/** What a stranger may ask, and under which names the network is counted there. */
const strangers: Readonly<Record<string, readonly [kind: string, init: () => RequestInit]>> = {
  "/api/sessions": [
    "sign-in-network",
    () => json({ address: "mara@example.org", password: "a wrong password" }),
  ],
  "/api/sign-up": [
    "mail-network",
    () => json({ address: "new@example.org", password: "an unlikely password" }),
  ],
  "/api/password/forgot": ["mail-network", () => json({ address: "mara@example.org" })],
  "/api/sign-in/passkey/options": ["passkey-network", () => json({})],
  "/api/reports": ["report", () => json({ door: "nas", about: "other", words: "It harms." })],
  "/acme/present": ["badauth", () => json({})],
  "/acme/update": ["badauth", () => json({})],
  "/api/enrolments": ["enrolment", () => json({ public_key: PUBLIC_KEY })],
  "/oauth/device": ["device-code", () => ({ body: new URLSearchParams({ client_id: "tv" }) })],
};

interface Taken {
  readonly kind: string;
  readonly subject: string;
}
let variables: Record<string, string>;
beforeEach(async () => {
  variables = { ORIGIN, OPENID_CLIENTS: await registered(tv) };
});

/** What was counted when `peer` asks once; `free` says whether there is room. */
async function counted(path: string, peer: string | null, init: RequestInit, free = true) {
  const taken: Taken[] = [];
  const limits = {
    take: async (kind: string, subject: string) => {
      taken.push({ kind, subject });
      return free;
    },
  };
  const test = testPorts({ env, variables, peer, replace: { limits } });
  const request = new Request(ORIGIN + path, { method: "POST", ...init });
  const { status } = await handle(request, test.ports);
  await test.settle();
  return { taken, status, sent: test.mail.sent.length };
}

const networkAt = async (path: string, peer: string | null) => {
  const [kind, init] = strangers[path] as (typeof strangers)[string];
  const { taken, status } = await counted(path, peer, init());
  expect([path, status]).not.toEqual([path, 400]);
  return taken.find((one) => one.kind === kind)?.subject;
};

describe.each(Object.keys(strangers))("%s", (path) => {
  it("counts an IPv4 client by its address, in any of its forms", async () => {
    expect(await networkAt(path, "203.0.113.7")).toBe("203.0.113.7");
    expect(await networkAt(path, "::ffff:203.0.113.7")).toBe("203.0.113.7");
    expect(await networkAt(path, "::ffff:cb00:7107")).toBe("203.0.113.7");
    expect(await networkAt(path, "203.0.113.8")).toBe("203.0.113.8");
  });

  it("counts an IPv6 client by its /64, and who has no address as one", async () => {
    expect(await networkAt(path, "2001:db8:1:2::1")).toBe("20010db800010002/64");
    expect(await networkAt(path, "2001:0DB8:1:2:ffff:ffff:ffff:ffff")).toBe("20010db800010002/64");
    expect(await networkAt(path, "2001:db8:1:3::1")).toBe("20010db800010003/64");
    expect(await networkAt(path, null)).toBe("unknown");
  });

  it("does nothing more for a network that has used up its tries", async () => {
    const [kind, init] = strangers[path] as (typeof strangers)[string];
    const { taken, status, sent } = await counted(path, "203.0.113.7", init(), false);
    expect([status, sent, taken.at(-1)?.kind]).toEqual([429, 0, kind]);
  });
});

it("counts an address that is typed by what it means, not by how it is written", async () => {
  const subject = async (address: string) => {
    const body = json({ address, password: "a wrong password" });
    const { taken } = await counted("/api/sessions", "203.0.113.7", body);
    return taken.find(({ kind }) => kind === "sign-in-account")?.subject;
  };
  const one = await subject("mara@example.org");
  expect(one).toMatch(/^[\w-]{43}$/);
  expect(await subject(" Mara@Example.ORG ")).toBe(one);
  expect(await subject("mara@example.com")).not.toBe(one);
});
