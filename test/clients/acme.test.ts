/**
 * Certificates from Debian's Pebble, which asks our own DNS front: our agent through the order service, and
 * lego, certbot and dehydrated with accounts and keys of their own.
 */

import { type ChildProcess, spawn } from "node:child_process";
import {
  createHash,
  createPrivateKey,
  createPublicKey,
  randomBytes,
  X509Certificate,
} from "node:crypto";
import { chmod, mkdtemp, readFile, rm, stat, writeFile } from "node:fs/promises";
import { createServer, request } from "node:https";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { run as runAgent } from "../../agent/run.ts";
import { type Front, startFront } from "../../front/front.ts";
import { freePort } from "../contract/runtime.ts";
import { newLabel, World } from "../contract/suite/world.ts";
import { homeOf } from "../support/agent-home.ts";
import { type Pebble, pebbleFolder, startPebble } from "../support/pebble.ts";
import type { Scenario } from "../support/scenario.ts";
import { run } from "./program.ts";

const ROOT = join(import.meta.dirname, "../..");

let world: World;
let front: Front;
let pebble: Pebble;
/** One that refuses no nonce, for clients that know no second try (RFC 8555 §6.5), or one only. */
let patient: Pebble;
let withDevice: (world: World) => Promise<Scenario>;
let nas: Scenario;
let folder: string;

beforeAll(async () => {
  const place = await pebbleFolder();
  const port = await freePort();
  // Read when Miniflare is loaded, which hands it to workerd.
  process.env.NODE_EXTRA_CA_CERTS = join(place, "ca.pem");
  const { workerd } = await import("../contract/workerd.ts");
  ({ withDevice } = await import("../support/scenario.ts"));
  const token = randomBytes(32).toString("hex");
  world = await World.create(workerd, {
    ACME: `https://localhost:${port}/dir caa=pebble.example`,
    FRONT_TOKEN_HASHES: createHash("sha256").update(token).digest("hex"),
  });
  // It holds the zone: what authorities see came over the feed.
  const held = { zone: world.ddnsZone, token };
  front = await startFront({ edge: world.origin, host: "127.0.0.1", port: 0, held });
  pebble = await startPebble(place, port, front.port, 20);
  patient = await startPebble(await pebbleFolder(), await freePort(), front.port);
});
afterAll(async () => {
  await pebble?.close();
  await patient?.close();
  await front?.close();
  await world?.close();
});
beforeEach(async () => {
  nas = await withDevice(world);
  folder = await mkdtemp(join(tmpdir(), "latchkey-acme-"));
  return () => rm(folder, { recursive: true });
});

interface Ended {
  readonly code: number | null;
  readonly output: string;
}

/** Runs a program with an environment of its own. */
async function program(
  file: string,
  args: readonly string[],
  environment: Readonly<Record<string, string>> = {},
): Promise<Ended> {
  const { PATH = "" } = process.env;
  const child: ChildProcess = spawn(file, [...args], {
    timeout: 90_000,
    ...{ cwd: folder, env: { PATH, HOME: folder, ...environment } },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let output = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream?.on("data", (chunk) => (output += String(chunk)));
  }
  const code = await new Promise<number | null>((resolve, reject) => {
    child.once("error", reject);
    child.once("close", resolve);
  });
  return { code, output };
}

/** A token that may answer for certificates, and nothing else. */
async function acmeToken(): Promise<string> {
  const body = { name: "ACME", scopes: ["acme"] };
  const answer = await nas.box.ask("/name/tokens", "POST", body);
  expect(answer.status, answer.text).toBe(201);
  return answer.json.token;
}

const both = () => [nas.host, `*.${nas.host}`];
const namesIn = (pem: string) =>
  (new X509Certificate(pem).subjectAltName ?? "")
    .split(", ")
    .map((name) => name.slice(4))
    .sort();

describe("`latchkey certificate`", () => {
  const enrolled = () => homeOf(nas, world, folder);
  const agent = (home: string, ...args: string[]) =>
    program(process.execPath, [join(ROOT, "agent/main.ts"), ...args, "--home", home]);

  it("installs key and chain for the name and all below it, and runs the hook", async () => {
    const home = await enrolled();
    const hook = `cp "$LATCHKEY_CERTIFICATE/fullchain.pem" ${folder}/hooked.pem`;
    const { code, output } = await agent(home, "certificate", "--wildcard", "--hook", hook);
    expect([code, output]).toEqual([0, expect.stringContaining("A new certificate is in")]);
    const live = join(home, "certificate/live");
    const chain = await readFile(join(live, "fullchain.pem"), "utf8");
    const key = createPrivateKey(await readFile(join(live, "key.pem")));
    expect(namesIn(chain)).toEqual(both().sort());
    expect(new X509Certificate(chain).checkPrivateKey(key)).toBe(true);
    expect(await readFile(join(folder, "hooked.pem"), "utf8")).toBe(chain);
    for (const file of ["key.pem", "fullchain.pem"]) {
      expect((await stat(join(live, file))).mode & 0o777).toBe(0o600);
    }
    // The cloud never saw the key, and says how it stands.
    const view = (await nas.box.ask("/certificate")).json;
    expect(view).toMatchObject({ status: "ready", names: both(), problem: null });
    expect(view.caa).toContain("pebble.example; accounturi=https://localhost:");

    // It is good: nothing is ordered anew.
    const again = await agent(home, "certificate", "--wildcard");
    expect([again.code, again.output]).toEqual([0, expect.stringContaining("is good until")]);

    // A new one has a new key, and the same hook runs.
    const forced = await agent(home, "certificate", "--wildcard", "--force");
    expect([forced.code, forced.output]).toEqual([0, expect.stringContaining("The hook ran.")]);
    const newKey = createPrivateKey(await readFile(join(live, "key.pem")));
    const pem = (of: typeof key) => createPublicKey(of).export({ type: "spki", format: "pem" });
    expect(pem(newKey)).not.toBe(pem(key));
  });

  it("is what a TLS server shows to a browser that trusts the authority", async () => {
    const home = await enrolled();
    expect((await agent(home, "certificate")).code).toBe(0);
    const live = join(home, "certificate/live");
    const [key, cert] = [
      await readFile(join(live, "key.pem")),
      await readFile(join(live, "fullchain.pem")),
    ];
    const server = createServer({ key, cert }, (_, response) => response.end("hello"));
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const { port } = server.address() as AddressInfo;
    const chain = cert.toString().split(/(?<=-----END CERTIFICATE-----\n)/);
    const ca = chain.slice(1).join("");
    const asked = (name: string) =>
      new Promise<string>((resolve, reject) => {
        const options = { host: "127.0.0.1", port, servername: name, ca, headers: { host: name } };
        request({ ...options, allowPartialTrustChain: true } as object, (response) => {
          response.on("data", (chunk) => resolve(String(chunk)));
        })
          .on("error", reject)
          .end();
      });
    expect(await asked(nas.host)).toBe("hello");
    await expect(asked(`other.${world.ddnsZone}`)).rejects.toThrow(/altnames/);
    server.close();
  });

  it("comes by itself for the new name when the owner renames the box", async () => {
    const home = await enrolled();
    const hook = `cp "$LATCHKEY_CERTIFICATE/fullchain.pem" ${folder}/hooked.pem`;
    expect((await agent(home, "certificate", "--wildcard", "--hook", hook)).code).toBe(0);
    const old = await readFile(join(folder, "hooked.pem"), "utf8");
    const stop = new AbortController();
    const lines: string[] = [];
    let told: () => void = () => undefined;
    const log = (line: string) => {
      lines.push(line);
      told();
    };
    const said = async (words: string) => {
      while (!lines.some((line) => line.includes(words))) {
        await new Promise<void>((resolve) => (told = resolve));
      }
    };
    const running = runAgent({ home, serve: null, log, signal: stop.signal });
    await said("onnected");
    const label = newLabel();
    const renamed = await nas.box.ask(`/names/${nas.box.label}`, "PATCH", { label });
    expect(renamed.status, renamed.text).toBe(200);
    await said("The hook ran.");
    const host = `${label}.${world.ddnsZone}`;
    const chain = await readFile(join(home, "certificate/live/fullchain.pem"), "utf8");
    expect(namesIn(chain)).toEqual([`*.${host}`, host].sort());
    expect(await readFile(join(folder, "hooked.pem"), "utf8")).toBe(chain);
    expect(chain).not.toBe(old);
    stop.abort();
    expect(await running).toBe("stopped");
    // Nothing is ordered anew by the next start: that is what it wants.
    const again = await agent(home, "certificate", "--wildcard");
    expect([again.code, again.output]).toEqual([0, expect.stringContaining("is good until")]);
  });

  it("says why it gets none", async () => {
    const home = await enrolled();
    await nas.box.switch("name", false);
    const { code, output } = await agent(home, "certificate");
    expect([code, output]).toEqual([1, expect.stringContaining("This feature is off")]);
  });
});

describe("lego 4", () => {
  const lego = async (environment: Record<string, string>, ...args: string[]) =>
    await program(
      "lego",
      [
        ...["--server", pebble.directory, "--accept-tos", "--email", "a@b.example"],
        ...["--path", folder, "--dns", "httpreq", "--dns.disable-cp"],
        ...["--dns.resolvers", `127.0.0.1:${front.port}`],
        ...both().flatMap((name) => ["--domains", name]),
        ...args,
      ],
      {
        LEGO_CA_CERTIFICATES: pebble.trust,
        HTTPREQ_ENDPOINT: `${world.origin}/acme`,
        HTTPREQ_USERNAME: nas.host,
        HTTPREQ_PASSWORD: await acmeToken(),
        ...environment,
      },
    );

  it.each([
    ["httpreq", {}],
    ["httpreq in RAW mode", { HTTPREQ_MODE: "RAW" }],
  ])("gets a certificate with %s, and renews it", async (_, environment) => {
    const { code, output } = await lego(environment, "run");
    expect([code, output]).toEqual([
      0,
      expect.stringContaining("Server responded with a certificate"),
    ]);
    const chain = await readFile(join(folder, "certificates", `${nas.host}.crt`), "utf8");
    expect(namesIn(chain)).toEqual(both().sort());
    const renewed = await lego(environment, "renew", "--days", "100", "--no-random-sleep");
    expect([renewed.code, renewed.output]).toEqual([
      0,
      expect.stringContaining("responded with a certificate"),
    ]);
    // Nothing of it is left in DNS.
    const look = ["@127.0.0.1", "-p", String(front.port), `_acme-challenge.${nas.host}`, "TXT"];
    const { stdout } = await run("dig", look, "apt-get install bind9-dnsutils");
    expect(stdout).toContain("ANSWER: 0");
  });

  it("gets none with a token that may only say addresses", async () => {
    const { code, output } = await lego({ HTTPREQ_PASSWORD: nas.updateSecret }, "run");
    expect([code, output]).toEqual([1, expect.stringContaining("401")]);
  });
});

it("certbot 2 with hooks gets a certificate for the name and all below it", async () => {
  const call = (path: string) =>
    `#!/bin/sh
curl -sSf -u "${nas.host}:$LATCHKEY_TOKEN" -H 'content-type: application/json' \\
  -d '{"fqdn":"_acme-challenge.'"$CERTBOT_DOMAIN"'.","value":"'"$CERTBOT_VALIDATION"'"}' \\
  ${world.origin}/acme/${path}
`;
  for (const path of ["present", "cleanup"]) {
    await writeFile(join(folder, path), call(path));
    await chmod(join(folder, path), 0o755);
  }
  const args = ["certonly", "--manual", "--preferred-challenges", "dns", "--non-interactive"];
  const { code, output } = await program(
    "certbot",
    [
      ...[...args, "--agree-tos", "--register-unsafely-without-email"],
      ...["--server", patient.directory, "--manual-auth-hook", join(folder, "present")],
      ...["--manual-cleanup-hook", join(folder, "cleanup"), "--cert-name", "nas"],
      ...["config", "work", "logs"].flatMap((name) => [`--${name}-dir`, join(folder, name)]),
      ...both().flatMap((name) => ["-d", name]),
    ],
    { REQUESTS_CA_BUNDLE: patient.trust, LATCHKEY_TOKEN: await acmeToken() },
  );
  expect([code, output]).toEqual([0, expect.stringContaining("Successfully received certificate")]);
  const chain = await readFile(join(folder, "config/live/nas/fullchain.pem"), "utf8");
  expect(namesIn(chain)).toEqual(both().sort());
});

it("dehydrated by way of acme-dns's API gets a certificate for the name and all below it", async () => {
  const hook = `#!/bin/bash
[ "$1" = deploy_challenge ] || exit 0
shift
while [ $# -ge 3 ]; do
  curl -sSf -H "x-api-user: ${nas.host}" -H "x-api-key: $LATCHKEY_TOKEN" \\
    -d '{"subdomain":"${nas.box.label}","txt":"'"$3"'"}' ${world.origin}/acme/update >&2
  shift 3
done
`;
  await writeFile(join(folder, "hook"), hook);
  await chmod(join(folder, "hook"), 0o755);
  await writeFile(join(folder, "domains.txt"), `${both().join(" ")} > nas\n`);
  const configuration = [
    `CA=${patient.directory}`,
    "CHALLENGETYPE=dns-01",
    "HOOK_CHAIN=yes",
    `HOOK=${join(folder, "hook")}`,
    `BASEDIR=${folder}`,
    `CURL_OPTS="--cacert ${patient.trust}"`,
    "KEY_ALGO=prime256v1",
  ];
  await writeFile(join(folder, "config"), `${configuration.join("\n")}\n`);
  const environment = { LATCHKEY_TOKEN: await acmeToken() };
  const dehydrated = (...args: string[]) =>
    program("dehydrated", ["-f", join(folder, "config"), ...args], environment);
  const registered = await dehydrated("--register", "--accept-terms");
  expect([registered.code, registered.output]).toEqual([0, expect.anything()]);
  const done = await dehydrated("-c");
  expect([done.code, done.output]).toEqual([0, expect.stringContaining("Done!")]);
  const chain = await readFile(join(folder, "certs/nas/fullchain.pem"), "utf8");
  expect(namesIn(chain)).toEqual(both().sort());
});
