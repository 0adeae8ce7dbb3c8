/** What every Miniflare on this machine is told, whichever worker it serves: quiet, local, alone. */

import { Log, LogLevel } from "miniflare";

/** As in wrangler.toml. */
export const compatibilityDate = "2026-08-01";
/** The second tells of a visitor who leaves while nothing is being said. */
export const compatibilityFlags = ["nodejs_compat", "enable_request_signal"];

/**
 * The most that V8's young generation may take, in MiB: with V8's own size the longest pauses are longer and
 * the runtime takes 1.7 times the memory (docs/decisions/local-serving.md). Miniflare takes V8's flags from
 * the environment alone; whoever has set them knows better.
 */
const YOUNG_MIB = 4;
process.env["MINIFLARE_WORKERD_V8_FLAGS"] ??= `--max-semi-space-size=${YOUNG_MIB}`;

/** Workers are reached by their direct sockets; Miniflare's own port is any, on the loopback. */
export const localServer = {
  log: new Log(LogLevel.ERROR),
  host: "127.0.0.1",
  port: 0,
  cf: false,
  telemetry: { enabled: false },
} as const;
