/** What every Miniflare on this machine is told, whichever worker it serves: quiet, local, alone. */

import { Log, LogLevel } from "miniflare";

/** As in wrangler.toml. */
export const compatibilityDate = "2026-08-01";
/** The second tells of a visitor who leaves while nothing is being said. */
export const compatibilityFlags = ["nodejs_compat", "enable_request_signal"];

/** Workers are reached by their direct sockets; Miniflare's own port is any, on the loopback. */
export const localServer = {
  log: new Log(LogLevel.ERROR),
  host: "127.0.0.1",
  port: 0,
  cf: false,
  telemetry: { enabled: false },
} as const;
