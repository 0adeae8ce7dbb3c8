import { cloudflareTest } from "@cloudflare/vitest-plugin";
import { defineConfig } from "vitest/config";
import { buildConsole } from "./scripts/build-console.ts";
import { migrationFiles } from "./scripts/local/edge.ts";

await buildConsole();

/** A project that speaks to running programs over the network. */
function running(name: string, timeoutMs: number) {
  return {
    test: {
      name,
      include: [`test/${name}/**/*.test.ts`],
      testTimeout: timeoutMs,
      hookTimeout: timeoutMs,
    },
  };
}

/**
 * - `unit`: pure code, in Node
 * - `edge`: inside workerd, with D1, objects and R2
 * - `integration`: a whole running edge, spoken to over HTTP
 * - `contract`: one suite over every runtime (workerd, Deno)
 * - `clients`, `browser`: real peers from the system's packages (`npm run test:clients`, `test:browser`)
 */
export default defineConfig({
  test: {
    // Most tests wait for other programs: three keep two cores busy.
    maxWorkers: 3,
    projects: [
      {
        test: {
          name: "unit",
          include: ["test/unit/**/*.test.ts", "test/*.test.ts"],
          testTimeout: 30_000,
          hookTimeout: 60_000,
        },
      },
      {
        plugins: [
          cloudflareTest(async () => ({
            main: "./workers/index.ts",
            wrangler: { configPath: "./wrangler.toml" },
            miniflare: {
              // A second region, for those tests that configure one.
              r2Buckets: ["KEYS_EU", "PHOTOS_EU"],
              bindings: {
                TEST_MIGRATIONS: {
                  directory: await migrationFiles("directory"),
                  region: await migrationFiles("region"),
                },
              },
            },
          })),
        ],
        test: {
          name: "edge",
          include: ["test/edge/**/*.test.ts"],
          setupFiles: ["test/edge/setup.ts"],
          testTimeout: 30_000,
          hookTimeout: 30_000,
        },
      },
      running("integration", 120_000),
      running("contract", 120_000),
      running("clients", 180_000),
      running("browser", 120_000),
    ],
  },
});
