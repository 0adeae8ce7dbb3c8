/** The life of signing keys: made once, published before they sign, gone after what they signed. */

import { env } from "cloudflare:workers";
import { createLocalJWKSet, decodeProtectedHeader, jwtVerify } from "jose";
import { describe, expect, it, vi } from "vitest";
import { limits } from "../../protocol/limits.ts";
import { makeDueKeys, publicKeys, signToken } from "../../workers/openid/keys.ts";
import { sweep } from "../../workers/privacy/sweep.ts";
import { type TestPorts, testPorts } from "../support/ports.ts";

const bindings = env as unknown as { DIRECTORY: D1Database };
const { signingKeyMs, signingKeyAheadMs, signingKeyPublishedMs, signingKeyAfterMs } = limits;
const { idTokenMs, signingKeyCacheMs } = limits;

/** Empty of keys, in the middle of a period. */
async function fresh(): Promise<TestPorts> {
  await bindings.DIRECTORY.exec("DELETE FROM signing_key");
  const test = testPorts({ env });
  test.clock.time = 20 * signingKeyMs + signingKeyMs / 2;
  return test;
}

const kidsOf = async ({ ports }: TestPorts) =>
  (await publicKeys(ports)).map(({ kid }) => kid).sort();
const sign = async ({ ports, clock }: TestPorts) => {
  const exp = Math.floor((clock.now() + idTokenMs) / 1000);
  return await signToken(ports, "EdDSA", { iss: ports.config.origin, exp });
};
const verify = async ({ ports, clock }: TestPorts, token: string) =>
  await jwtVerify(token, createLocalJWKSet({ keys: await publicKeys(ports) }), {
    currentDate: new Date(clock.now()),
  });

describe("signing keys", () => {
  it("are made once by all who need them at once", async () => {
    const { ports } = await fresh();
    const runners = Array.from({ length: 6 }, () => testPorts({ env }));
    for (const runner of runners) runner.clock.time = ports.clock.now();
    const made = await Promise.all(runners.map((runner) => makeDueKeys(runner.ports)));
    expect(made.reduce((sum, count) => sum + count)).toBe(2);
    const seen = await Promise.all(runners.map(kidsOf));
    expect(new Set(seen.map(String)).size).toBe(1);
  });

  it("are remembered a minute, and the private half is sealed", async () => {
    const test = await fresh();
    const token = await sign(test);
    const asked = vi.spyOn(test.ports.directory.db, "select");
    expect(decodeProtectedHeader(await sign(test)).kid).toBe(decodeProtectedHeader(token).kid);
    expect(asked).not.toHaveBeenCalled();
    test.clock.advance(signingKeyCacheMs);
    await sign(test);
    expect(asked).toHaveBeenCalledOnce();
    asked.mockRestore();
    const rows = await bindings.DIRECTORY.prepare("SELECT * FROM signing_key").all();
    expect(JSON.stringify(rows.results)).not.toMatch(/\\"(d|p|q)\\":/);
    for (const row of rows.results) expect(row.private_sealed).toMatch(/^s1\./);
  });

  it("turn by the sweep: known before they sign, known until what they signed has expired", async () => {
    const test = await fresh();
    const end = 21 * signingKeyMs;
    const before = decodeProtectedHeader(await sign(test)).kid;
    test.clock.time = end - signingKeyAheadMs;
    await sweep(test.ports);
    await test.settle();
    test.clock.advance(signingKeyCacheMs);
    expect(await kidsOf(test)).toHaveLength(4);
    expect(decodeProtectedHeader(await sign(test)).kid).toBe(before);

    test.clock.time = end - 1;
    const last = await sign(test);
    expect(decodeProtectedHeader(last).kid).toBe(before);
    test.clock.time = end;
    const first = await sign(test);
    expect(decodeProtectedHeader(first).kid).not.toBe(before);
    test.clock.time = end - 1 + idTokenMs - 1000;
    await verify(test, last);
    await verify(test, first);

    test.clock.time = end + signingKeyAfterMs - 1;
    expect(await kidsOf(test)).toContain(before);
    test.clock.advance(1);
    expect(await kidsOf(test)).not.toContain(before);
    await sweep(test.ports);
    const rows = await bindings.DIRECTORY.prepare("SELECT kid FROM signing_key").all();
    expect(rows.results).toHaveLength(2);
  });

  it("made late wait a day, while the old ones go on", async () => {
    const test = await fresh();
    const old = decodeProtectedHeader(await sign(test)).kid;
    test.clock.time = 21 * signingKeyMs + 1000;
    await sweep(test.ports);
    test.clock.advance(signingKeyCacheMs);
    expect(decodeProtectedHeader(await sign(test)).kid).toBe(old);
    test.clock.advance(signingKeyPublishedMs);
    const late = await sign(test);
    expect(decodeProtectedHeader(late).kid).not.toBe(old);
    await verify(test, late);
  });

  it("come back by themselves after a year in which nothing ran", async () => {
    const test = await fresh();
    const old = await sign(test);
    test.clock.advance(366 * 86_400_000);
    const token = await sign(test);
    expect(decodeProtectedHeader(token).kid).not.toBe(decodeProtectedHeader(old).kid);
    await verify(test, token);
  });
});
