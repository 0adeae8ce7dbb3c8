/** The queries on libSQL under Deno: the cases that test/edge/queries.test.ts runs on D1. */

import { execFile } from "node:child_process";
import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { denoCommand } from "../deno-process.ts";
import { cases } from "./cases.ts";

describe("queries on libSQL under Deno", () => {
  const results = new Map<string, string | null>();
  let folder: string;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "latchkey-queries-"));
    const { file, args } = denoCommand(join(import.meta.dirname, "run.ts"));
    const { stdout } = await promisify(execFile)(file, [...args, folder]);
    for (const line of stdout.trim().split("\n")) {
      const { name, error } = JSON.parse(line);
      results.set(name, error);
    }
  });
  afterAll(() => rm(folder, { recursive: true }));

  it.each(Object.keys(cases))("%s", (name) => {
    expect(results.get(name)).toBeNull();
  });
});

it("every query has a case", async () => {
  const text = async (folder: string, ending: string) => {
    const names = (await readdir(folder)).filter((name) => name.endsWith(ending));
    const files = names.map((name) => readFile(join(folder, name), "utf8"));
    return (await Promise.all(files)).join("\n");
  };
  const queries = await text(join(import.meta.dirname, "../../../db/queries"), ".ts");
  const covered = await text(import.meta.dirname, "-cases.ts");
  const names = [...queries.matchAll(/^export async function (\w+)/gm)].map((found) => found[1]);
  expect(names.length).toBeGreaterThan(20);
  expect(names.filter((name) => !new RegExp(`\\b${name}\\(`).test(covered))).toEqual([]);
});
