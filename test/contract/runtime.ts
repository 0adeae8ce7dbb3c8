/** What the contract suite needs of a runtime: a whole edge on this machine, in a folder of its own. */

import type { AddressInfo } from "node:net";
import { createServer } from "node:net";

export interface StartOptions {
  readonly data: string;
  readonly port: number;
  /** Overrides of the configuration's variables. */
  readonly variables: Readonly<Record<string, string>>;
}

export interface RunningEdge {
  /** Runs the sweep now, as it runs by itself once a minute. */
  sweep(): Promise<void>;
  stop(): Promise<void>;
  /** Ends it without a chance to tidy up. */
  kill(): Promise<void>;
  /** What it has logged so far, line by line. */
  readonly log?: readonly string[];
}

export interface Runtime {
  readonly name: string;
  /** Resolves when the edge answers. */
  start(options: StartOptions): Promise<RunningEdge>;
}

export function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.on("error", reject);
    server.listen(0, "127.0.0.1", () => {
      const { port } = server.address() as AddressInfo;
      server.close(() => resolve(port));
    });
  });
}
