/** A device and its own OpenID client: shown to who holds its key, changed by nobody else, gone with it. */

import { env } from "cloudflare:workers";
import { SignJWT } from "jose";
import { beforeEach, describe, expect, it } from "vitest";
import { signAssertion } from "../../protocol/assertion.ts";
import { newId } from "../../protocol/ids.ts";
import { limits } from "../../protocol/limits.ts";
import { handle } from "../../workers/app.ts";
import { unregisterDevice } from "../../workers/devices/devices.ts";
import type { Ports } from "../../workers/ports.ts";
import { type TestPorts, testPorts } from "../support/ports.ts";
import { type Enrolled, enroll, newKey, newPerson } from "./devices-support.ts";

let test: TestPorts;
let ports: Ports;
let owner: string;
let box: Enrolled;
beforeEach(async () => {
  test = testPorts({ env });
  ports = test.ports;
  owner = await newPerson();
  box = await enroll(ports, owner);
});

async function ask(
  change: { assertion?: string; client?: object; [name: string]: unknown } = {},
): Promise<{ status: number; body: Record<string, unknown> }> {
  const { assertion, ...rest } = change;
  const { key, device } = box;
  const { origin } = ports.config;
  const own = await signAssertion(key.privateKey, device.id, origin, ports.clock.now());
  const request = new Request(`${origin}/api/agent/openid`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ client_assertion: assertion ?? own, ...rest }),
  });
  const response = await handle(request, ports);
  return { status: response.status, body: await response.json() };
}

describe("a device's OpenID client", () => {
  it("is there from the approval on, public, at its own hosts", async () => {
    const { status, body } = await ask();
    expect(status).toBe(200);
    expect(body).toMatchObject({
      issuer: ports.config.origin,
      client_id: box.device.id,
      token_endpoint_auth_method: "none",
    });
    const hosts = (body.redirect_uris as string[]).map((uri) => uri.split("/")[2]?.split(":")[0]);
    const { label } = box.device;
    const { linkZone, ddnsZone } = ports.config;
    expect(new Set(hosts)).toEqual(
      new Set([`${label}.${linkZone}`, `${label}.${ddnsZone}`, "127.0.0.1", "["]),
    );
  });

  it("keeps what the device says of it, and the next word replaces the last", async () => {
    const client = { token_endpoint_auth_method: "private_key_jwt", redirect_paths: ["/done"] };
    expect((await ask({ client })).status).toBe(200);
    const after = (await ask()).body;
    expect(after.token_endpoint_auth_method).toBe("private_key_jwt");
    expect(after.redirect_uris).toContainEqual("http://127.0.0.1/done");
    expect(after.redirect_uris).toContainEqual("http://127.0.0.1/.latchkey/callback");
    await ask({ client: {} });
    const last = (await ask()).body;
    expect(last.token_endpoint_auth_method).toBe("none");
    expect(last.redirect_uris).not.toContainEqual("http://127.0.0.1/done");
  });

  it("takes no path that leads elsewhere, nor more than there may be", async () => {
    for (const path of ["//evil.example", "/a/../b", "@evil.example", "/.well-known/latchkey/x"]) {
      expect([path, (await ask({ client: { redirect_paths: [path] } })).status]).toEqual([
        path,
        400,
      ]);
    }
    const many = Array.from({ length: limits.callbackPathsPerDevice + 1 }, (_, at) => `/p${at}`);
    expect((await ask({ client: { redirect_paths: many } })).status).toBe(422);
    expect((await ask({ client: { redirect_uris: ["https://evil.example/"] } })).status).toBe(400);
    expect((await ask({ extra: 1 })).status).toBe(400);
    expect((await ask()).body.redirect_uris).toHaveLength(4);
  });

  it("is shown to nobody without the device's key", async () => {
    const { origin } = ports.config;
    const now = ports.clock.now();
    const stranger = await newKey();
    const sign = (id: string, key = box.key, audience = origin, at = now) =>
      signAssertion(key.privateKey, id, audience, at);
    const wrong = {
      "another key": await sign(box.device.id, stranger),
      "another audience": await sign(box.device.id, box.key, "https://elsewhere.example"),
      old: await sign(box.device.id, box.key, origin, now - 10 * limits.agentAssertionMs),
      nonsense: "nonsense",
      "another subject": await sign("somebody"),
    };
    for (const [what, assertion] of Object.entries(wrong)) {
      expect([what, (await ask({ assertion })).status]).toEqual([what, 401]);
    }
    const nobody = newId("dev", "home", ports.random.bytes);
    expect((await ask({ assertion: await sign(nobody) })).status).toBe(410);
  });

  it("is gone with the device, also for who holds its key", async () => {
    await ask({ client: { token_endpoint_auth_method: "private_key_jwt" } });
    const proved = async () => {
      const { id } = box.device;
      const seconds = Math.floor(ports.clock.now() / 1000);
      const client_assertion = await new SignJWT({ exp: seconds + 60, jti: crypto.randomUUID() })
        .setProtectedHeader({ alg: "EdDSA" })
        .setIssuer(id)
        .setSubject(id)
        .setAudience(ports.config.origin)
        .sign(box.key.privateKey);
      const client_assertion_type = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
      const body = new URLSearchParams({ client_assertion, client_assertion_type, token: "x" });
      const url = `${ports.config.origin}/oauth/revoke`;
      const answer = await handle(new Request(url, { method: "POST", body }), ports);
      return [answer.status, (await answer.text()).includes("invalid_client")];
    };
    expect(await proved()).toEqual([200, false]);
    await unregisterDevice(ports, owner, box.device.id);
    expect(await proved()).toEqual([401, true]);
    expect((await ask()).status).toBe(410);
    expect(await box.stub.openid()).toBeNull();
    expect(await box.stub.setOpenid({ auth: "none", paths: [] })).toBe(false);
  });
});
