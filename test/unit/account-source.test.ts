/** What the source of accounts must not say. */

import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, it } from "vitest";

const ROOT = join(import.meta.dirname, "../..");
const FOLDERS = ["protocol", "db", "durable-objects", "workers", "console", "agent", "scripts"];

/** The files under the source folders whose text matches. */
async function filesWith(pattern: RegExp): Promise<string[]> {
  const found: string[] = [];
  for (const folder of FOLDERS) {
    const entries = await readdir(join(ROOT, folder), { recursive: true }).catch(() => []);
    for (const entry of entries.filter((name) => /\.(tsx?|sql)$/.test(name))) {
      const text = await readFile(join(ROOT, folder, entry), "utf8");
      if (pattern.test(text)) found.push(`${folder}/${entry}`);
    }
  }
  return found.sort();
}

it("sessions are made in completeSignIn() and nowhere else", async () => {
  expect(await filesWith(/insert\(\s*session\s*\)|insert into "?session\b/i)).toEqual([
    "db/queries/sessions.ts",
  ]);
  expect(await filesWith(/\binsertSession\b/)).toEqual([
    "db/queries/sessions.ts",
    "workers/sign-in/complete.ts",
  ]);
  const complete = await readFile(join(ROOT, "workers/sign-in/complete.ts"), "utf8");
  expect(complete.match(/\binsertSession\(/g)).toHaveLength(1);
  expect(complete.match(/\bmakeSession\(/g)).toHaveLength(2); // what it is, and its one use
  expect(await filesWith(/\bmakeSession\b/)).toEqual(["workers/sign-in/complete.ts"]);
});

it("[CKY-1] cookies are written through the registry and nowhere else", async () => {
  expect(await filesWith(/from "hono\/cookie"|from "hono\/utils\/cookie"/)).toEqual([
    "workers/cookies.ts",
  ]);
});

it("argon2 is called through its checked wrapper and nowhere else", async () => {
  expect(await filesWith(/from "#argon2"|@phi-ag\/argon2"/)).toEqual(["workers/sign-in/argon2.ts"]);
});
