/** The archive in the hands of the programs that people open it with: Info-ZIP's unzip, Python's zipfile. */

import { execFile } from "node:child_process";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, expect, it } from "vitest";
import { zip } from "../../workers/privacy/zip.ts";

const run = promisify(execFile);
const at = Date.UTC(2026, 10, 22, 6, 30, 58);
const files = [
  { name: "index.html", bytes: new TextEncoder().encode("<p>Grüße, 你好</p>\n".repeat(5000)) },
  { name: "files/photo.bin", bytes: crypto.getRandomValues(new Uint8Array(65_000)) },
  { name: "empty.json", bytes: new Uint8Array() },
];
let folder: string;
let path: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "zip-"));
  path = join(folder, "a.zip");
  await writeFile(path, zip(files, at));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

it("unzip tests it and unpacks the same bytes", async () => {
  const { stdout } = await run("unzip", ["-t", path]);
  expect(stdout).toContain("No errors detected in compressed data");
  await run("unzip", ["-q", path, "-d", join(folder, "out")]);
  for (const { name, bytes } of files) {
    expect(new Uint8Array(await readFile(join(folder, "out", name)))).toEqual(bytes);
  }
});

it("Python's zipfile reads names, times and checksums", async () => {
  const script = `import sys, zipfile
z = zipfile.ZipFile(sys.argv[1])
print(z.testzip(), [(i.filename, i.file_size, i.date_time) for i in z.infolist()])`;
  const { stdout } = await run("python3", ["-c", script, path]);
  const time = "(2026, 11, 22, 6, 30, 58)";
  const told = files.map(({ name, bytes }) => `('${name}', ${bytes.length}, ${time})`).join(", ");
  expect(stdout.trim()).toBe(`None [${told}]`);
});

it("both notice a byte that was changed", async () => {
  const bytes = new Uint8Array(await readFile(path));
  bytes[200] = (bytes[200] ?? 0) ^ 1;
  const broken = join(folder, "b.zip");
  await writeFile(broken, bytes);
  await expect(run("unzip", ["-t", broken])).rejects.toThrow();
  const script = "import sys, zipfile; print(zipfile.ZipFile(sys.argv[1]).testzip())";
  expect((await run("python3", ["-c", script, broken])).stdout.trim()).toBe("index.html");
});
