/** Debian's Pebble, Let's Encrypt's own test authority, on this machine: it asks the DNS server it is given. */

import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { freePort } from "../contract/runtime.ts";

export interface Pebble {
  readonly directory: string;
  /** The certificate that programs must trust to speak with it, a PEM file. */
  readonly trust: string;
  /** What it said, line by line. */
  readonly lines: readonly string[];
  close(): Promise<void>;
}

/** A folder with the CA and leaf under which Pebble speaks: whoever starts an edge must trust it before. */
export async function pebbleFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "latchkey-pebble-"));
  const openssl = (line: string, ...more: string[]) =>
    execFileSync("openssl", [...line.split(" "), ...more], { cwd: folder, stdio: "pipe" });
  openssl("req -x509 -newkey rsa:2048 -nodes -keyout ca.key -out ca.pem -days 2 -subj", "/CN=Test");
  openssl("req -new -newkey rsa:2048 -nodes -keyout key.pem -out leaf.csr -subj", "/CN=localhost");
  await writeFile(join(folder, "ext"), "subjectAltName=DNS:localhost,IP:127.0.0.1\n");
  openssl(
    "x509 -req -in leaf.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 -out cert.pem -extfile ext",
  );
  return folder;
}

/**
 * Starts it. Resolves when it listens.
 * @param dns the port of the DNS server that it asks
 * @param badNonces how many nonces in a hundred it refuses
 * @param bindings the keys of external accounts, by id; where there are some, it takes no other account
 */
export async function startPebble(
  folder: string,
  port: number,
  dns: number,
  badNonces = 0,
  bindings: Readonly<Record<string, string>> = {},
): Promise<Pebble> {
  const managementPort = await freePort();
  const configuration = {
    pebble: {
      listenAddress: `127.0.0.1:${port}`,
      managementListenAddress: `127.0.0.1:${managementPort}`,
      certificate: "cert.pem",
      privateKey: "key.pem",
      httpPort: 5002,
      tlsPort: 5001,
      ocspResponderURL: "",
      externalAccountBindingRequired: Object.keys(bindings).length > 0,
      externalAccountMACKeys: bindings,
      certificateValidityPeriod: 7_776_000,
    },
  };
  await writeFile(join(folder, "pebble.json"), JSON.stringify(configuration));
  const environment = {
    ...{ PATH: process.env.PATH, PEBBLE_VA_NOSLEEP: "1" },
    PEBBLE_WFE_NONCEREJECT: String(badNonces),
  };
  const args = ["-config", "pebble.json", "-dnsserver", `127.0.0.1:${dns}`];
  const child = spawn("pebble", args, {
    ...{ cwd: folder, env: environment },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const lines: string[] = [];
  await listening(child, lines);
  return {
    directory: `https://localhost:${port}/dir`,
    trust: join(folder, "ca.pem"),
    lines,
    async close() {
      const ended = new Promise((resolve) => child.once("close", resolve));
      child.kill("SIGTERM");
      await ended;
      await rm(folder, { recursive: true, force: true });
    },
  };
}

function listening(child: ChildProcess, lines: string[]): Promise<void> {
  return new Promise((resolve, reject) => {
    child.once("error", () => reject(new Error("pebble is not installed: apt-get install pebble")));
    child.once("close", () => reject(new Error(`pebble ended: ${lines.join("\n")}`)));
    for (const stream of [child.stdout, child.stderr]) {
      if (stream === null) continue;
      createInterface({ input: stream }).on("line", (line) => {
        lines.push(line);
        if (line.includes("ACME directory available")) resolve();
      });
    }
  });
}
