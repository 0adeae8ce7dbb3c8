/** The edge on workerd with D1, Durable Objects and R2, for suites that run on any runtime. */

import { startEdge } from "../../scripts/local/edge.ts";
import type { Runtime } from "./runtime.ts";

export const workerd: Runtime = {
  name: "workerd",
  async start(options) {
    const log: string[] = [];
    const onLog = (line: string) => {
      log.push(line);
      console.error(line);
    };
    const edge = await startEdge({ ...options, onLog });
    // Miniflare ends workerd without asking, so its stop is a kill.
    return { sweep: edge.sweep, stop: edge.close, kill: edge.close, log };
  },
};
