/** What is right and yet risky in a configuration is said once at start. */

import { env } from "cloudflare:workers";
import { expect, it, vi } from "vitest";
import worker, { type Env } from "../../workers/index.ts";

/** What a worker with these providers writes while it answers twice. */
async function written(providers: string): Promise<string[]> {
  const lines = vi.spyOn(console, "error").mockImplementation(() => {});
  const own = {
    ...env,
    IDENTITY_PROVIDERS: providers,
    IDENTITY_SECRET_WORK: "s",
  } as unknown as Env;
  const waiting: Promise<unknown>[] = [];
  const context = { waitUntil: (work: Promise<unknown>) => void waiting.push(work) };
  for (const _ of [1, 2]) {
    const request = new Request("http://localhost:8787/assets/none");
    await worker.fetch(request as never, own, context as never);
  }
  await Promise.all(waiting);
  const said = lines.mock.calls.map(([line]) => String(line));
  lines.mockRestore();
  return said.filter((line) => line.includes("emails"));
}

it("a provider whose word is taken for an address is named in the log, once", async () => {
  const work = "work title=Work issuer=https://login.works.test client=c";
  expect(await written(`${work} emails=believed`)).toEqual(['{"event":"emails-believed"}']);
  expect(await written(work)).toEqual([]);
});
