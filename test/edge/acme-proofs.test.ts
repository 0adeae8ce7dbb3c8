/** What a program of the owner's puts into DNS to have a name certified: lego's and acme-dns's ways. */

import { env } from "cloudflare:workers";
import { beforeEach, describe, expect, it } from "vitest";
import { limits } from "../../protocol/limits.ts";
import { base64url } from "../../protocol/tokens.ts";
import { handle } from "../../workers/app.ts";
import { addName } from "../../workers/name/labels.ts";
import type { Ports } from "../../workers/ports.ts";
import { nameSecret } from "../support/name.ts";
import { CLIENT } from "../support/person.ts";
import { type TestPorts, testPorts } from "../support/ports.ts";
import { type Enrolled, enroll, newLabel, newPerson } from "./devices-support.ts";

let test: TestPorts;
let ports: Ports;
let owner: string;
let box: Enrolled;
let host: string;
let token: string;

beforeEach(async () => {
  test = testPorts({ env });
  ports = test.ports;
  owner = await newPerson();
  box = await boxOf();
  host = hostOf(box);
  token = await nameSecret(ports, owner, box.device.id, { scopes: ["acme"] });
});

async function boxOf(): Promise<Enrolled> {
  const enrolled = await enroll(ports, owner);
  await enrolled.stub.setFeature("name", true);
  return enrolled;
}
const hostOf = ({ device }: Enrolled) => `${device.label}.${ports.config.ddnsZone}`;

/** A digest as authorities look for. */
const digest = (seed: number) => base64url(new Uint8Array(32).fill(seed));

async function shown({ stub }: Enrolled = box): Promise<string[]> {
  return ((await stub.records()) ?? []).flatMap(({ owner: at, data }) =>
    at === "_acme-challenge" ? data.flatMap((one) => (one.type === "TXT" ? one.texts : [])) : [],
  );
}

async function post(path: string, body: unknown, headers: Record<string, string>) {
  const request = new Request(`${ports.config.origin}/acme/${path}`, {
    method: "POST",
    headers: { "content-type": "application/json", ...headers },
    body: typeof body === "string" ? body : JSON.stringify(body),
  });
  const response = await handle(request, ports);
  return { status: response.status, body: await response.json() };
}
const basic = (user: string, password: string) => ({
  authorization: `Basic ${btoa(`${user}:${password}`)}`,
});

describe("lego's httpreq", () => {
  const lego = (path: string, value: string, name = host, secret = token, user = host) =>
    post(path, { fqdn: `_acme-challenge.${name}.`, value }, basic(user, secret));

  it("puts values side by side and takes each away again", async () => {
    expect((await lego("present", digest(1))).status).toBe(200);
    expect((await lego("present", digest(2))).status).toBe(200);
    expect((await lego("present", digest(1))).status).toBe(200);
    expect((await shown()).sort()).toEqual([digest(1), digest(2)].sort());
    expect((await lego("cleanup", digest(1))).status).toBe(200);
    expect((await lego("cleanup", digest(1))).status).toBe(200);
    expect(await shown()).toEqual([digest(2)]);
  });

  it("in its RAW mode has the value made of the key authorization", async () => {
    const body = { domain: host, token: "t", keyAuth: "t.thumbprint" };
    expect((await post("present", body, basic(box.device.id, token))).status).toBe(200);
    const bytes = new TextEncoder().encode("t.thumbprint");
    const made = base64url(new Uint8Array(await crypto.subtle.digest("SHA-256", bytes)));
    expect(await shown()).toEqual([made]);
    expect((await post("cleanup", body, basic(box.device.id, token))).status).toBe(200);
    expect(await shown()).toEqual([]);
  });

  it("keeps the last few values only", async () => {
    for (let seed = 0; seed < limits.proofsPerDevice + 2; seed++)
      await lego("present", digest(seed));
    const values = await shown();
    expect(values).toHaveLength(limits.proofsPerDevice);
    expect(values).not.toContain(digest(1));
    expect(values).toContain(digest(limits.proofsPerDevice + 1));
  });

  it("says the same of a wrong token, another's name, and a name that is nobody's or off", async () => {
    const other = await boxOf();
    const address = await nameSecret(ports, owner, box.device.id, { scopes: ["address"] });
    const tries = [
      await lego("present", digest(1), host, `${token}x`),
      await lego("present", digest(1), host, address),
      await lego("present", digest(1), hostOf(other)),
      await lego("present", digest(1), `nobody.${ports.config.ddnsZone}`),
      await lego("present", digest(1), `www.${host}`),
      await lego("present", digest(1), host, token, hostOf(other)),
      await post("present", { fqdn: `_acme-challenge.${host}.`, value: digest(1) }, {}),
      await post("present", { fqdn: `${host}.`, value: digest(1) }, basic(host, token)),
    ];
    await box.stub.setFeature("name", false);
    tries.push(await lego("present", digest(1)));
    expect(new Set(tries.map((one) => JSON.stringify(one))).size).toBe(1);
    expect(tries[0]).toMatchObject({ status: 401, body: { code: "not-signed-in" } });
    expect([await shown(), await shown(other)]).toEqual([[], []]);
  });

  it("proves no name that is on its way to somebody else, nor leaves there what it put before", async () => {
    const label = newLabel();
    await addName(ports, owner, box.device.id, label, CLIENT);
    const further = `${label}.${ports.config.ddnsZone}`;
    const at = async () =>
      ((await box.stub.records(label)) ?? []).filter((set) => set.owner === "_acme-challenge");
    expect((await lego("present", digest(1), further)).status).toBe(200);
    expect((await lego("present", digest(2))).status).toBe(200);
    expect(await at()).toHaveLength(1);
    // Asked just before: the token was looked at, and the value comes after.
    expect(await box.stub.leaveLabel(label)).toBe("left");
    expect(await at()).toEqual([]);
    expect(await box.stub.prove({ put: digest(3), label })).toBe(false);
    for (const status of [
      (await lego("present", digest(4), further)).status,
      (
        await post(
          "update",
          { subdomain: label, txt: digest(5) },
          {
            "x-api-user": box.device.id,
            "x-api-key": token,
          },
        )
      ).status,
    ])
      expect(status).toBe(401);
    expect([await at(), await shown()]).toEqual([[], [digest(2)]]);
    // Its addresses it says until it goes; and nobody took it: it may be proved again.
    const address = await nameSecret(ports, owner, box.device.id);
    expect((await box.stub.nameRight(address, "address", null))?.labels).toContain(label);
    await box.stub.settleLabels(
      [box.device.label, label].map((one) => ({ label: one, isOwn: true, wasHere: true })),
      true,
    );
    expect((await lego("present", digest(6), further)).status).toBe(200);
  });

  it("has a network with too many wrong tokens wait", async () => {
    for (let tried = 0; tried < limits.badauthPerNetwork; tried++) {
      expect((await lego("present", digest(1), host, `${token}x`)).status).toBe(401);
    }
    expect((await lego("present", digest(1), host, `${token}x`)).status).toBe(429);
    expect((await lego("present", digest(1))).status).toBe(200);
  });

  it("takes digests and nothing else into DNS, so many in a while", async () => {
    for (const value of ["hello", "", `${digest(1)}=`, "v=spf1 -all", "a".repeat(300)]) {
      expect((await lego("present", value)).body).toMatchObject({ code: "proof-syntax" });
    }
    expect((await post("present", "[]", basic(host, token))).status).toBe(400);
    expect((await post("present", "{", basic(host, token))).status).toBe(400);
    for (let change = 0; change < limits.proofChangesPerDevice; change++) {
      await lego("cleanup", digest(1));
    }
    expect((await lego("present", digest(1))).status).toBe(429);
  });

  it("is answered only where it is asked with POST", async () => {
    const response = await handle(new Request(`${ports.config.origin}/acme/present`), ports);
    expect(response.status).toBe(405);
  });
});

describe("acme-dns's API", () => {
  const set = (txt: string, subdomain = box.device.label, secret = token, user = host) =>
    post("update", { subdomain, txt }, { "x-api-user": user, "x-api-key": secret });

  it("keeps the two values that were set last", async () => {
    for (const seed of [1, 2, 3]) {
      expect(await set(digest(seed))).toEqual({ status: 200, body: { txt: digest(seed) } });
    }
    expect(await shown()).toEqual([digest(2), digest(3)]);
  });

  it("takes the name, its label and the device's own word for it, and leaves lego's values alone", async () => {
    const body = { fqdn: `_acme-challenge.${host}.`, value: digest(9) };
    await post("present", body, basic(host, token));
    for (const seed of [1, 2, 3]) await set(digest(seed), host, token, box.device.id);
    expect(await shown()).toEqual([digest(9), digest(2), digest(3)]);
  });

  it("refuses in its own words", async () => {
    const other = await boxOf();
    expect(await set(digest(1), other.device.label)).toEqual({
      status: 401,
      body: { error: "forbidden" },
    });
    expect(await set(digest(1), box.device.label, "x")).toMatchObject({ status: 401 });
    expect(await set("short")).toEqual({ status: 400, body: { error: "bad_txt" } });
  });
});

describe("[CON-5] a value", () => {
  it("goes with the name, and is not there when that comes back", async () => {
    const body = { fqdn: `_acme-challenge.${host}.`, value: digest(1) };
    await post("present", body, basic(host, token));
    await box.stub.setFeature("name", false);
    expect(await box.stub.records()).toBeNull();
    await box.stub.setFeature("name", true);
    expect(await shown()).toEqual([]);
  });
});
