/** `npx wrangler dev` keeps working for those who prefer it, with its own migrations and storage. */

import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import type { AddressInfo } from "node:net";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, expect, it } from "vitest";

const ROOT = join(import.meta.dirname, "../..");
const WRANGLER = join(ROOT, "node_modules/wrangler/bin/wrangler.js");

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "wrangler-"));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

it("wrangler dev applies the migrations and serves the console and the API", async () => {
  const environment = { ...process.env, CI: "1", WRANGLER_SEND_METRICS: "false" };
  for (const database of ["DIRECTORY", "DB_HOME"]) {
    const args = ["d1", "migrations", "apply", database, "--local", "--persist-to", folder];
    await promisify(execFile)(process.execPath, [WRANGLER, ...args], {
      cwd: ROOT,
      env: environment,
    });
  }
  const free = createServer().listen(0, "127.0.0.1");
  await once(free, "listening");
  const { port } = free.address() as AddressInfo;
  free.close();
  await once(free, "close");
  const child = spawn(
    process.execPath,
    [WRANGLER, "dev", "--port", String(port), "--persist-to", folder, "--inspector-port", "0"],
    { cwd: ROOT, env: environment, stdio: ["ignore", "pipe", "pipe"] },
  );
  try {
    let output = "";
    for await (const chunk of child.stdout) {
      output += chunk;
      if (output.includes("Ready on")) break;
    }
    expect(output).toContain("Ready on");
    const origin = `http://127.0.0.1:${port}`;
    const page = await fetch(`${origin}/privacy`);
    expect(page.status).toBe(200);
    const [styles = ""] = (await page.text()).match(/\/assets\/[^"]+\.css/) ?? [];
    for (const coding of ["identity", "gzip", "br"]) {
      const headers = { "accept-encoding": coding };
      expect(await (await fetch(origin + styles, { headers })).text(), coding).toContain("Figtree");
    }
    // The platform serves no file by itself, on no path and on no host.
    for (const path of [styles.replace("/assets", ""), `${styles}.br`]) {
      expect((await fetch(origin + path)).status, path).toBe(404);
    }
    const unknown = await fetch(`${origin}/api/sessions`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ address: "nobody@example.org", password: "an unlikely password" }),
    });
    expect(unknown.status).toBe(401);
  } finally {
    child.stdout.destroy();
    child.kill("SIGINT");
    await once(child, "exit");
  }
});
