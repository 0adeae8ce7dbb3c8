/**
 * The smart link at the edge: whoever is not let in by name is led to the door, in the same words and
 * with the same work whether or not there is such a device; who is let in gets the ways, and the page
 * may ask those places and no other.
 */

import { env } from "cloudflare:workers";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { Reach } from "../../protocol/reach.ts";
import { handle } from "../../workers/app.ts";
import { allow, setAccess, setFeature } from "../../workers/devices/devices.ts";
import { candidatesOf } from "../../workers/link/smart.ts";
import { newPerson } from "../support/person.ts";
import { countQueries, type TestPorts, testPorts } from "../support/ports.ts";
import { connect, type Enrolled, enroll } from "./devices-support.ts";

const { DB_HOME } = env as unknown as { DB_HOME: D1Database };
let test: TestPorts;
let count = 0;
let owner: { token: string; accountId: string };
let friend: { token: string; accountId: string };
let stranger: { token: string; accountId: string };
let device: Enrolled;
const address = "http://192.168.77.5";
const reach: Reach = {
  home: [
    { probe: `${address}:4780`, page: `${address}:5000` },
    { probe: "https://nas.example.org:4780", page: "https://nas.example.org:5001" },
  ],
  direct: { scheme: "https", probe: 4780, page: 443 },
};

beforeEach(async () => {
  test = testPorts({ env });
  const person = async (name: string) => await newPerson(test, `${name}${count}@smart.example`);
  count++;
  [owner, friend, stranger] = [await person("owner"), await person("friend"), await person("some")];
  device = await enroll(test.ports, owner.accountId);
  const { id } = device.device;
  await setFeature(test.ports, owner.accountId, id, "link", true);
  await setFeature(test.ports, owner.accountId, id, "lan", true);
  const agent = await connect(test.ports, device);
  agent.socket.send(JSON.stringify({ type: "reach", reach }));
  await vi.waitFor(async () => expect(await device.stub.ownReach()).toEqual(reach));
  await test.settle();
});
afterEach(() => vi.restoreAllMocks());

async function ask(path: string, token: string | null = null): Promise<Response> {
  const headers = new Headers({ accept: "text/html" });
  if (token !== null) headers.set("cookie", `__Host-sid=${token}`);
  return await handle(new Request(test.ports.config.origin + path, { headers }), test.ports);
}
const door = (label: string) => `http://${label}.link.localhost:8787`;

describe("who is not let in by name", () => {
  /** Everything that an answer says, with the label that was asked about taken out. */
  async function said(label: string, token: string | null) {
    const queries = countQueries(DB_HOME);
    const response = await ask(`/${label}`, token);
    const asked = queries();
    vi.restoreAllMocks();
    const headers = JSON.stringify([...response.headers]).replaceAll(label, "LABEL");
    return { status: response.status, headers, body: await response.text(), queries: asked };
  }

  it("gets one answer, whether the device is another's, is nobody's, or has its door off", async () => {
    const { label, id } = device.device;
    const nobody = label.replace(/.$/, (last) => (last === "x" ? "y" : "x"));
    for (const who of [null, stranger.token, friend.token]) {
      await said(`warm-${label.slice(0, 20)}`, who);
      for (const mode of ["owner", "listed", "everyone"] as const) {
        await setAccess(test.ports, owner.accountId, id, mode);
        await ask(`/${label}`);
        await ask(`/${nobody}`);
        const [of, none] = [await said(label, who), await said(nobody, who)];
        expect(of, mode).toEqual(none);
        expect(of.status).toBe(303);
        expect(of.headers).toContain(door("LABEL"));
        expect(of.headers + of.body).not.toContain("192.168");
      }
    }
    await setFeature(test.ports, owner.accountId, id, "link", false);
    await said(nobody, owner.token);
    expect(await said(label, owner.token)).toEqual(await said(nobody, owner.token));
  });

  it("wakes no object for a label that nobody has, nor for somebody who is not signed in", async () => {
    const get = vi.spyOn(test.ports.devices, "get");
    await ask("/nobodys-box", stranger.token);
    await ask(`/${device.device.label}`);
    expect(get).not.toHaveBeenCalled();
  });
});

describe("who is let in", () => {
  it("gets a page that may ask the box's own places and no other", async () => {
    await setAccess(test.ports, owner.accountId, device.device.id, "listed");
    await allow(test.ports, owner.accountId, device.device.id, friend.accountId);
    for (const { token } of [owner, friend]) {
      const response = await ask(`/${device.device.label}`, token);
      expect(response.status).toBe(200);
      expect(response.headers.get("cache-control")).toBe("no-store");
      const policy = response.headers.get("content-security-policy") ?? "";
      const [, connectSrc] = /connect-src ([^;]+)/.exec(policy) ?? [];
      const direct = `https://${device.device.label}.${test.ports.config.ddnsZone}:4780`;
      expect(connectSrc?.split(" ")).toEqual([
        "'self'",
        "ws://localhost:8787",
        `${address}:4780`,
        "https://nas.example.org:4780",
        direct,
      ]);
      const text = await response.text();
      expect(text).toContain(device.key.publicKey);
      expect(text).toContain(`href="${door(device.device.label)}/"`);
    }
  });

  it("is led on at once where there is nothing to choose", async () => {
    await setFeature(test.ports, owner.accountId, device.device.id, "lan", false);
    const { label } = device.device;
    const response = await ask(`/${label}?to=/photos/%3Fa=1`, owner.token);
    expect([response.status, response.headers.get("location")]).toEqual([
      303,
      `${door(label)}/photos/?a=1`,
    ]);
    const staying = await ask(`/${label}?stay`, owner.token);
    expect(staying.status).toBe(200);
    expect(await staying.text()).toContain("No nearer way is offered");
  });

  it.each([
    "//evil.example",
    "https://evil.example",
    "/\\evil.example",
    "/.well-known/latchkey/leave",
  ])("is led to no other place by ?to=%s", async (to) => {
    const { label } = device.device;
    const path = `/${label}?to=${encodeURIComponent(to)}`;
    const response = await ask(path, stranger.token);
    expect(response.headers.get("location")).toBe(`${door(label)}/`);
    expect(await (await ask(path, owner.token)).text()).toContain(`href="${door(label)}/"`);
  });
});

it("asks under https what answers under https, and never an IPv6 address that no policy can name", () => {
  const home = [...reach.home, { probe: "http://[fd00::1]:1", page: "http://[fd00::1]:2" }];
  const of = (origin: string) =>
    candidatesOf({ origin, ddnsZone: "ddns.example" }, "attic", { ...reach, home });
  expect(of("https://latchkey.example").map(({ probe }) => probe)).toEqual([
    "https://nas.example.org:4780",
    "https://attic.ddns.example:4780",
  ]);
  expect(of("http://localhost:8787").map(({ way }) => way)).toEqual(["home", "home", "direct"]);
});

it.each(["/blog", "/x", "/Attic", "/na--s", "/-nas", "/nas.txt", "/nas/photos"])(
  "%s is no smart link",
  async (path) => {
    expect((await ask(path, owner.token)).status).toBe(404);
  },
);
