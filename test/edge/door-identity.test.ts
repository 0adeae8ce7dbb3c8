/** What a device is told of who comes: nothing, or a signed statement, as its owner says. */

import { env } from "cloudflare:workers";
import { createLocalJWKSet, type JSONWebKeySet, jwtVerify } from "jose";
import { beforeEach, describe, expect, it } from "vitest";
import { limits } from "../../protocol/limits.ts";
import { frameType } from "../../protocol/link/frames.ts";
import { handle } from "../../workers/app.ts";
import { setAccess, setIdentity } from "../../workers/devices/devices.ts";
import { makeShare } from "../../workers/devices/shares.ts";
import { subjectOf } from "../../workers/openid/subject.ts";
import { type TestPorts, testPorts } from "../support/ports.ts";
import { newPerson } from "./devices-support.ts";
import { type Box, client, enter, newBox, openLink, visitIn } from "./door-support.ts";
import { say } from "./people-support.ts";

let test: TestPorts;
let box: Box;
beforeEach(async () => {
  test = testPorts({ env });
  box = await newBox(test.ports);
});

describe("what the device is told of who comes", () => {
  async function told(cookie: string, extra: Record<string, string> = {}): Promise<string | null> {
    const asked = box.ask("/", { headers: { cookie, ...extra } });
    const { stream, head } = await box.agent.request();
    box.agent.answer(stream, 200, [], "");
    await (await asked).text();
    const all = head.headers.filter(([name]) => name.startsWith("latchkey"));
    expect(all.length).toBeLessThan(2);
    return all[0]?.[1] ?? null;
  }

  async function verified(statement: string) {
    const keys = await handle(new Request(`${test.ports.config.origin}/oauth/jwks`), test.ports);
    return await jwtVerify(statement, createLocalJWKSet((await keys.json()) as JSONWebKeySet), {
      issuer: test.ports.config.origin,
      audience: box.id,
      typ: "latchkey-user+jwt",
      algorithms: ["EdDSA"],
      currentDate: new Date(test.clock.now()),
    });
  }

  const forged = {
    "latchkey-user": "forged",
    Latchkey_User: "forged",
    "x-latchkey-identity": "forged",
  };

  it("is nothing before its owner says so, whatever a visitor claims", async () => {
    expect(await told(await enter(box, box.owner), forged)).toBeNull();
  });

  it("is a signed statement of a minute that names the visitor to this device alone", async () => {
    await setIdentity(test.ports, box.owner, box.id, "id");
    const cookie = await enter(box, box.owner);
    const statement = (await told(cookie, forged)) ?? "";
    const { payload } = await verified(statement);
    expect(payload).toEqual({
      iss: test.ports.config.origin,
      aud: box.id,
      sub: await subjectOf(test.ports, box.owner, box.id),
      iat: Math.floor(test.clock.now() / 1000),
      exp: Math.floor(test.clock.now() / 1000) + 60,
      owner: true,
    });
    expect(JSON.stringify(payload)).not.toContain(box.owner);
    expect(await told(cookie), "kept for the visit").toBe(statement);
    test.clock.advance(limits.identityCacheMs);
    expect(await told(cookie)).not.toBe(statement);
    await setIdentity(test.ports, box.owner, box.id, "off");
    expect(await told(cookie), "off holds at once").toBeNull();
  });

  it("says of somebody else that they are not the owner, and their name only if they show it", async () => {
    await setIdentity(test.ports, box.owner, box.id, "name");
    const visitor = await newPerson();
    await setAccess(test.ports, box.owner, box.id, "listed");
    await box.stub.allow(visitor);
    const claims = async (visibility: "nobody" | "everyone") => {
      await say(test.ports, visitor, "name", "Ada", visibility);
      return (await verified((await told(await enter(box, visitor))) ?? "")).payload;
    };
    const sub = await subjectOf(test.ports, visitor, box.id);
    expect(await claims("nobody")).toMatchObject({ sub });
    expect(await claims("nobody")).not.toHaveProperty("owner");
    expect(await claims("nobody")).not.toHaveProperty("name");
    expect(await claims("everyone")).toMatchObject({ sub, name: "Ada" });
    const elsewhere = await newBox(test.ports);
    expect(await subjectOf(test.ports, visitor, elsewhere.id)).not.toBe(sub);
  });

  it("is nothing of somebody who only has a link", async () => {
    await setIdentity(test.ports, box.owner, box.id, "name");
    const wish = { path: "/", name: "", audience: "link", people: [], password: null } as const;
    const expiresAt = test.clock.now() + limits.shareMs;
    const { address } = await makeShare(
      test.ports,
      box.owner,
      box.id,
      { ...wish, expiresAt },
      client,
    );
    expect(await told(visitIn(await openLink(box, address)), forged)).toBeNull();
    expect(box.agent.count(frameType.open)).toBe(0);
  });
});
