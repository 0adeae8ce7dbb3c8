/** The entry on Cloudflare: whoever hangs up does not stop what they began half-way. */

import { env } from "cloudflare:workers";
import { expect, it } from "vitest";
import worker from "../../workers/index.ts";

it("goes on with a request whose sender is gone, to the end", async () => {
  const kept: Promise<unknown>[] = [];
  const context = {
    waitUntil: (work: Promise<unknown>) => void kept.push(work),
    passThroughOnException: () => undefined,
  };
  const body = JSON.stringify({ token: "lk_chl_home_none" });
  const headers = { "content-type": "application/json" };
  const request = new Request("http://localhost/api/recovery/stop", {
    method: "POST",
    headers,
    body,
  });
  const answer = worker.fetch(request as never, env as never, context as never);
  let done = false;
  void answer.then(() => {
    done = true;
  });
  expect([kept.length, done]).toEqual([1, false]);
  const [result] = (await Promise.all(kept)) as Response[];
  expect(result).toBe(await answer);
});
