/** Debian's dnsdist and haproxy before an edge, as `npm run dns:dnsdist` sets them up. */

import { execFileSync, spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { dnsdistConf, haproxyCfg } from "../../scripts/dns-dnsdist.ts";
import { ended, freePort, listens } from "../processes.ts";
import type { Closing } from "../stage.ts";

const PROGRAMS = ["/usr/bin/dnsdist", "/usr/sbin/haproxy"];

/** @returns the port that it answers on; null where one of the two is not */
export async function startDnsdist(
  edge: string,
  zone: string,
  folder: string,
  closing: Closing,
): Promise<number | null> {
  const [dnsdist = "", haproxy = ""] = PROGRAMS;
  if (!PROGRAMS.every((program) => existsSync(program))) return null;
  const [port, between] = [await freePort(), await freePort()];
  const own = join(folder, "dnsdist");
  await mkdir(own);
  const listen = [`127.0.0.1:${port}`];
  const options = { edge: new URL(edge), zone, listen, folder: own, between };
  const [conf, cfg] = [join(own, "dnsdist.conf"), join(own, "haproxy.cfg")];
  await writeFile(conf, dnsdistConf(options));
  await writeFile(cfg, haproxyCfg(options));
  await writeCertificate(own);
  const proxy = spawn(haproxy, ["-f", cfg, "-db"], { stdio: "ignore" });
  closing.push(() => ended(proxy, "SIGKILL"));
  await listens(between);
  const args = ["--supervised", "--disable-syslog", "-C", conf];
  const server = spawn(dnsdist, args, { stdio: "ignore" });
  closing.push(() => ended(server, "SIGKILL"));
  await listens(port);
  return port;
}

/** What the two show each other. */
async function writeCertificate(folder: string): Promise<void> {
  const [key, certificate] = [join(folder, "between.key"), join(folder, "between.crt")];
  const kind = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2"];
  const name = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"];
  const files = ["-keyout", key, "-out", certificate];
  execFileSync("openssl", ["req", "-x509", ...kind, ...name, ...files], { stdio: "ignore" });
  const both = (await readFile(certificate, "utf8")) + (await readFile(key, "utf8"));
  await writeFile(join(folder, "between.pem"), both, { mode: 0o600 });
}
