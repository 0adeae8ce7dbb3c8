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
    "db/queries/accounts.ts",
  ]);
  expect(await filesWith(/\binsertSession\b/)).toEqual([
    "db/queries/accounts.ts",
    "workers/account/sign-in.ts",
  ]);
  const signIn = await readFile(join(ROOT, "workers/account/sign-in.ts"), "utf8");
  const body = signIn.slice(signIn.indexOf("export async function completeSignIn"));
  expect(signIn.match(/insertSession\(/g)).toHaveLength(1);
  expect(body).toContain("insertSession(");
});

it("[CKY-1] cookies are written through the registry and nowhere else", async () => {
  expect(await filesWith(/from "hono\/cookie"|from "hono\/utils\/cookie"/)).toEqual([
    "workers/cookies.ts",
  ]);
});

it("argon2 is called through its checked wrapper and nowhere else", async () => {
  expect(await filesWith(/from "#argon2"|@phi-ag\/argon2"/)).toEqual(["workers/account/argon2.ts"]);
});
