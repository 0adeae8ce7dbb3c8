/**
 * Serves bench/workers/baseline.ts the way `npm start` serves the edge, so that only the code differs: with the same
 * flags, and with the peer of each connection in `request.cf`.
 */

import { join } from "node:path";
import { build } from "esbuild";
import { convertV4MiniflareOptions, Miniflare } from "miniflare";
import { compatibilityDate, compatibilityFlags, localServer } from "../scripts/local/miniflare.ts";
import { useTruePeers } from "../scripts/local/workerd-config.ts";

/** Starts the baseline worker on `port`. @returns ends it */
export async function startBaseline(port: number): Promise<() => Promise<void>> {
  const result = await build({
    entryPoints: [join(import.meta.dirname, "workers/baseline.ts")],
    bundle: true,
    format: "esm",
    conditions: ["workerd", "worker"],
    external: ["cloudflare:*"],
    write: false,
  });
  useTruePeers();
  const miniflare = new Miniflare(
    convertV4MiniflareOptions({
      ...localServer,
      workers: [
        {
          name: "baseline",
          modules: true,
          script: result.outputFiles[0]?.text ?? "",
          compatibilityDate,
          compatibilityFlags,
          durableObjects: { ALONE: { className: "AloneObject", useSQLite: true } },
          unsafeDirectSockets: [{ host: "127.0.0.1", port }],
        },
      ],
    }),
  );
  await miniflare.ready;
  return () => miniflare.dispose();
}
