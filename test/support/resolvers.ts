/** Real resolvers and name servers from the system's packages, and the way to them over HTTPS's protocol. */

import { type ChildProcess, spawn } from "node:child_process";
import { writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import packet from "dns-packet";
import { freePort } from "../contract/runtime.ts";

export interface Served {
  readonly port: number;
  end(): Promise<void>;
}

/**
 * unbound, which asks for each zone where it is told to.
 * @param stubs ports on this machine, by zone
 * @param more lines of its `server:` clause
 */
export async function startUnbound(
  folder: string,
  stubs: Readonly<Record<string, number>>,
  more = "",
): Promise<Served> {
  const port = await freePort();
  const config = join(folder, `unbound-${port}.conf`);
  const zones = Object.entries(stubs).map(
    ([zone, at]) => `stub-zone:\n  name: "${zone}"\n  stub-addr: 127.0.0.1@${at}\n`,
  );
  await writeFile(
    config,
    `server:
  interface: 127.0.0.1@${port}
  do-daemonize: no
  chroot: ""
  username: ""
  directory: "${folder}"
  pidfile: ""
  use-syslog: no
  do-not-query-localhost: no
  do-ip6: no
  local-zone: "test." nodefault
  ${more}
remote-control:
  control-enable: no
${zones.join("")}`,
  );
  const child = spawn("/usr/sbin/unbound", ["-d", "-c", config], {
    stdio: ["ignore", "ignore", "pipe"],
  });
  await saying(child, "start of service", "unbound");
  return { port, end: () => ended(child) };
}

export interface NameServer extends Served {
  /** Serves these records, in the form of zone files, from now on. */
  serve(records: string): Promise<void>;
}

/** Knot, which answers for one zone; its records are kept by nobody. */
export async function startKnot(folder: string, zone: string): Promise<NameServer> {
  const port = await freePort();
  let serial = 0;
  const write = (records: string) =>
    writeFile(
      join(folder, `${zone}.zone`),
      `$ORIGIN ${zone}.\n$TTL 0\n@ SOA ns1 hostmaster ${++serial} 3600 600 604800 0\n` +
        `@ NS ns1\nns1 A 127.0.0.1\n${records}\n`,
    );
  await write("");
  const config = join(folder, "knot.conf");
  await writeFile(
    config,
    `server:
    listen: 127.0.0.1@${port}
    rundir: ${folder}
    pidfile: ${folder}/knot.pid
database:
    storage: ${folder}/db
log:
  - target: stderr
    any: info
zone:
  - domain: ${zone}
    storage: ${folder}
    file: ${zone}.zone
    zonefile-load: whole
    zonefile-sync: -1
`,
  );
  const child = spawn("/usr/sbin/knotd", ["-c", config], { stdio: ["ignore", "ignore", "pipe"] });
  await saying(child, "server started", "knot");
  return {
    port,
    async serve(records) {
      await write(records);
      const loaded = saying(child, `serial ${serial - 1} -> ${serial}`, "knot");
      child.kill("SIGHUP");
      await loaded;
    },
    end: () => ended(child),
  };
}

/** DNS over HTTPS's POST (RFC 8484), in plain HTTP as on one machine. */
export async function startDoh(
  answerTo: (message: Buffer) => Promise<Buffer> | Buffer,
): Promise<Served & { readonly url: string }> {
  const server = createServer(async (request, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const isFine = request.headers["content-type"] === "application/dns-message";
    if (!isFine || request.method !== "POST") return void response.writeHead(400).end();
    const answer = await answerTo(Buffer.concat(chunks));
    response.setHeader("content-type", "application/dns-message");
    response.end(answer);
  });
  await new Promise<void>((listening) => server.listen(0, "127.0.0.1", listening));
  const { port } = server.address() as AddressInfo;
  return {
    port,
    url: `http://127.0.0.1:${port}/dns-query`,
    async end() {
      server.closeAllConnections();
      await new Promise((closed) => server.close(closed));
    },
  };
}

/** Answers as a resolver does that knows these names; a target by its CNAME. */
export const knowing =
  (aliases: Readonly<Record<string, string>>) =>
  (message: Buffer): Buffer => {
    const { id, questions = [] } = packet.decode(message);
    const { name = "", type } = questions[0] ?? {};
    const data = aliases[name];
    const answers = data !== undefined && type === "CNAME" ? [{ type, name, data } as const] : [];
    const code = data === undefined ? 3 : 0;
    return packet.encode({ type: "response", ...(id && { id }), flags: code, questions, answers });
  };

/** Resolves when it has said `words`. */
function saying(child: ChildProcess, words: string, name: string): Promise<void> {
  return new Promise<void>((resolve, reject) => {
    let said = "";
    const hear = (chunk: unknown) => {
      said += chunk;
      if (!said.includes(words)) return;
      child.off("exit", gone);
      resolve();
    };
    const gone = (code: number | null) => reject(new Error(`${name} ended with ${code}: ${said}`));
    child.stderr?.on("data", hear);
    child.once("error", () =>
      reject(new Error(`${name} is not installed: apt-get install ${name}`)),
    );
    child.once("exit", gone);
  });
}

async function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null) return;
  const exited = new Promise((resolve) => child.once("exit", resolve));
  child.kill("SIGTERM");
  await exited;
}
