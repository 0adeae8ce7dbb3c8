/**
 * `npm run dns:dnsdist`: writes the configuration of dnsdist and haproxy, which together answer DNS for
 * the zone from `/dns-query`. dnsdist speaks DNS and asks over HTTP/2 only; haproxy is the way from there
 * to the edge (docs/name.md).
 */

import { mkdir, writeFile } from "node:fs/promises";
import { isIP } from "node:net";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { limits } from "../protocol/limits.ts";
import { Sentence } from "./local/options.ts";

export interface DnsdistOptions {
  /** The edge's origin. */
  readonly edge: URL;
  /** The apex, without the dot at the end. */
  readonly zone: string;
  /** Where to answer DNS: `address:port`, IPv6 in brackets. */
  readonly listen: readonly string[];
  /** Where the files go, and where the programs find them. */
  readonly folder: string;
  /** Between dnsdist and haproxy, on this machine. */
  readonly between: number;
}

const usage = `Usage: npm run dns:dnsdist -- [options]

  --edge <url>      the edge, https://latchkey.example
  --zone <name>     the zone, name.example
  --listen <a:p>    where to answer DNS, may be given again (0.0.0.0:53 and [::]:53)
  --out <dir>       where to write dnsdist.conf and haproxy.cfg (dnsdist)
  --between <n>     a port on this machine for the two of them (8453)
  --help            this text
`;

/** Reads the command line; null when only the usage was asked for. @throws Sentence */
export function readDnsdistOptions(args: readonly string[]): DnsdistOptions | null {
  const text = { type: "string" } as const;
  const parse = () =>
    parseArgs({
      args: [...args],
      options: {
        ...{ edge: text, zone: text, out: text, between: text },
        listen: { type: "string", multiple: true },
        help: { type: "boolean", short: "h" },
      },
    }).values;
  let values: ReturnType<typeof parse>;
  try {
    values = parse();
  } catch (error) {
    throw new Sentence(`${error instanceof Error ? error.message : error}\n\n${usage}`);
  }
  if (values.help) return null;
  const edge = URL.parse(values.edge ?? "");
  if (edge === null || !/^https?:$/.test(edge.protocol)) {
    throw new Sentence("--edge takes the edge's address, like https://latchkey.example.");
  }
  const zone = (values.zone ?? "").toLowerCase().replace(/\.$/, "");
  if (!/^([a-z0-9-]{1,63}\.)+[a-z0-9-]{1,63}$/.test(zone)) {
    throw new Sentence("--zone takes the zone's name, like name.example.");
  }
  const listen = values.listen ?? ["0.0.0.0:53", "[::]:53"];
  const wrong = listen.find((place) => !isPlace(place));
  if (wrong !== undefined) throw new Sentence(`--listen takes address:port, not "${wrong}".`);
  const between = Number(values.between ?? "8453");
  if (!Number.isInteger(between) || between < 1 || between > 65_535) {
    throw new Sentence("--between takes a port.");
  }
  return { edge, zone, listen, folder: resolve(values.out ?? "dnsdist"), between };
}

function isPlace(place: string): boolean {
  const [, v6, v4, port] = /^(?:\[([^\]]+)\]|([^:]+)):(\d{1,5})$/.exec(place) ?? [];
  return isIP(v6 ?? v4 ?? "") !== 0 && Number(port) > 0 && Number(port) < 65_536;
}

/** dnsdist 1.7 and later. */
export function dnsdistConf({ zone, listen, folder, between }: DnsdistOptions): string {
  const name = JSON.stringify(`${zone}.`);
  return `-- Written by "npm run dns:dnsdist"; write it anew rather than change it.
setLocal(${JSON.stringify(listen[0])})
${listen
  .slice(1)
  .map((place) => `addLocal(${JSON.stringify(place)})\n`)
  .join("")}setACL({'0.0.0.0/0', '::/0'})
setSecurityPollSuffix('') -- asks nobody about its own version
setServFailWhenNoServer(true)
setTCPRecvTimeout(${limits.dnsTcpIdleMs / 1000})

newServer({address='127.0.0.1:${between}', tls='openssl', caStore=${JSON.stringify(join(folder, "between.crt"))},
  subjectName='localhost', validateCertificates=true, dohPath='/dns-query',
  checkName=${name}, checkType='SOA', mustResolve=true, checkInterval=2})

-- A change is seen within ${CACHE_SECONDS} s; what went stale is said only while the edge is away, and not for long.
setStaleCacheEntriesTTL(${limits.addressTtlSeconds})
getPool(''):setCache(newPacketCache(100000, {maxTTL=${CACHE_SECONDS}, maxNegativeTTL=${CACHE_SECONDS},
  temporaryFailureTTL=1, staleTTL=${CACHE_SECONDS}, keepStaleData=true}))

ours = newSuffixMatchNode()
ours:add(newDNSName(${name}))
addAction(NotRule(SuffixMatchNodeRule(ours)), RCodeAction(DNSRCode.REFUSED))
-- Who asks more comes again over TCP, where no address can be forged.
addAction(AndRule({TCPRule(false), MaxQPSIPRule(${limits.dnsFrontRate}, 24, 56)}), TCAction())
`;
}

const CACHE_SECONDS = 4;

/** haproxy 2.6 and later. */
export function haproxyCfg({ edge, folder, between }: DnsdistOptions): string {
  const isTls = edge.protocol === "https:";
  const port = edge.port === "" ? (isTls ? 443 : 80) : Number(edge.port);
  const host = edge.hostname.replace(/^\[|\]$/g, "");
  const tls = isTls
    ? ` ssl verify required ca-file @system-ca sni str(${host}) verifyhost ${host} alpn http/1.1`
    : "";
  return `# Written by "npm run dns:dnsdist"; write it anew rather than change it.
global
  maxconn 2000
defaults
  mode http
  timeout connect 3s
  timeout client 30s
  timeout server ${limits.dnsFrontEdgeMs / 1000}s
  timeout http-keep-alive 30s
  option http-keep-alive
resolvers system
  parse-resolv-conf
  hold valid 30s
frontend dnsdist
  bind 127.0.0.1:${between} ssl crt ${join(folder, "between.pem")} alpn h2
  default_backend edge
backend edge
  http-request set-header Host ${edge.host}
  http-reuse always
  server edge ${host}:${port}${tls} resolvers system init-addr last,libc,none
`;
}

async function main(args: readonly string[]): Promise<void> {
  const options = readDnsdistOptions(args);
  if (options === null) return console.log(usage);
  const { folder } = options;
  await mkdir(folder, { recursive: true });
  await writeFile(join(folder, "dnsdist.conf"), dnsdistConf(options));
  await writeFile(join(folder, "haproxy.cfg"), haproxyCfg(options));
  console.log(`Wrote ${folder}/dnsdist.conf and ${folder}/haproxy.cfg. The two speak TLS to each other, with a
certificate of their own, made once:

  openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 3650 -subj /CN=localhost \\
    -addext subjectAltName=DNS:localhost -keyout ${folder}/between.key -out ${folder}/between.crt
  cat ${folder}/between.crt ${folder}/between.key > ${folder}/between.pem

  haproxy -f ${folder}/haproxy.cfg
  dnsdist --supervised -C ${folder}/dnsdist.conf`);
}

if (import.meta.main) {
  await main(process.argv.slice(2)).catch((error) => {
    console.error(error instanceof Sentence ? error.message : error);
    process.exit(1);
  });
}
