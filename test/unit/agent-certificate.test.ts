/** The box's side of its certificate: files, renewal, hook, and what it does when the cloud says no. */

import { execFileSync } from "node:child_process";
import { createPrivateKey, generateKeyPairSync, X509Certificate } from "node:crypto";
import { mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { createServer, type Server } from "node:http";
import { request as httpsRequest } from "node:https";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { certify, keepCertified } from "../../agent/certificate.ts";
import { CertificateFiles } from "../../agent/certificate-files.ts";
import type { AgentClock } from "../../agent/clock.ts";
import { readShortcut, Shortcut } from "../../agent/shortcut.ts";
import { verifyAssertion } from "../../protocol/assertion.ts";
import { type CertificateAnswer, certificatePath } from "../../protocol/certificates.ts";
import { limits } from "../../protocol/limits.ts";
import { freePort } from "../contract/runtime.ts";

const DAY = 86_400_000;
const host = "nas.ddns.test";

let folder: string;
let home: string;
let cloud: Server;
let origin: string;
let publicKey: string;
/** What the cloud says next, and then on; a request is certified where it says `ready`. */
let script: Partial<CertificateAnswer>[];
let asked: (string | undefined)[];
let chain: string | null;
/** An order is under way. Before one, and between two, the box asks what there is to order. */
let ordering: boolean;
let lines: string[];
let stop: AbortController;
/** Passes the time that the agent sleeps; aborts where the test says so. */
let slept: number[];
let clock: AgentClock & { time: number };
let onSleep: (ms: number) => void;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "latchkey-box-"));
  home = join(folder, "home");
  await mkdir(home);
  const pair = (await crypto.subtle.generateKey("Ed25519", true, [
    "sign",
    "verify",
  ])) as CryptoKeyPair;
  const { kty, crv, x, d } = await crypto.subtle.exportKey("jwk", pair.privateKey);
  publicKey = x as string;
  await writeFile(join(home, "key.json"), JSON.stringify({ kty, crv, x, d }));
  openssl("req -x509 -newkey rsa:2048 -nodes -keyout ca.key -out ca.pem -days 90 -subj /CN=Test");
  [script, asked, lines, slept, chain, ordering] = [[], [], [], [], null, false];
  cloud = createServer(async (request, response) => {
    let text = "";
    for await (const chunk of request) text += chunk;
    const body = JSON.parse(text);
    expect(request.url).toBe(certificatePath);
    const proof = await verifyAssertion(publicKey, body.client_assertion, origin, clock.now());
    expect(proof?.deviceId).toBe("dev_home_0000000000000000");
    if (body.request !== undefined) ordering = true;
    asked.push(body.request);
    const said = (ordering && script.length > 1 ? script.shift() : script[0]) ?? {};
    if (["ready", "failed"].includes(said.status ?? "")) ordering = false;
    if (body.request !== undefined && said.status === "ready") chain = certified(body.request);
    response.setHeader("content-type", "application/json");
    response.end(JSON.stringify({ ...plain(), certificate: chain, ...said }));
  });
  await new Promise<void>((resolve) => cloud.listen(0, "127.0.0.1", resolve));
  origin = `http://127.0.0.1:${(cloud.address() as AddressInfo).port}`;
  const device = { device_id: "dev_home_0000000000000000", label: "nas", host, link: "" };
  await writeFile(join(home, "device.json"), JSON.stringify({ ...device, cloud: origin }));
  stop = new AbortController();
  onSleep = () => undefined;
  clock = {
    time: Date.now(),
    now: () => clock.time,
    async sleep(ms) {
      slept.push(ms);
      clock.time += ms;
      onSleep(ms);
    },
    every: () => () => undefined,
  };
  return async () => {
    await new Promise((resolve) => cloud.close(resolve));
    await rm(folder, { recursive: true });
  };
});

function openssl(line: string): void {
  execFileSync("openssl", line.split(" "), { cwd: folder, stdio: "pipe" });
}

let serial = 0;
/** What the authority makes of a request. */
function certified(request: string): string {
  const file = join(folder, "csr");
  execFileSync(
    "sh",
    [
      "-c",
      'printf %s "$1" | base64 -d > csr.der',
      "sh",
      Buffer.from(request, "base64url").toString("base64"),
    ],
    { cwd: folder },
  );
  openssl("req -inform DER -in csr.der -out csr");
  expect(file).toBeTruthy();
  openssl(
    `x509 -req -in csr -CA ca.pem -CAkey ca.key -set_serial ${++serial} -days 90 -copy_extensions copy -out cert.pem`,
  );
  return execFileSync("cat", ["cert.pem", "ca.pem"], { cwd: folder }).toString();
}

const plain = () => ({
  names: [host],
  not_after: new Date(clock.now() + 90 * DAY).toISOString(),
  renew_at: new Date(clock.now() + 60 * DAY).toISOString(),
  queue: null,
  problem: null,
  domains: [],
  retry_after: 3,
});

const options = () => ({
  ...{ home, signal: stop.signal, clock },
  log: (line: string) => void lines.push(line),
});
const flags = { wildcard: false, hook: undefined, force: false };
const files = () => new CertificateFiles(home);
const keyOf = async () => await readFile(join(files().live, "key.pem"), "utf8");

describe("`certificate`", () => {
  it("installs a key and its chain, both its owner's alone, and asks no more while they are good", async () => {
    script = [{ status: "waiting", queue: 4 }, { status: "under-way" }, { status: "under-way" }];
    let rounds = 0;
    onSleep = () => {
      if (++rounds === 3) [script, chain] = [[{ status: "ready" }], certified(asked[1] as string)];
    };
    await certify(options(), flags);
    expect(lines).toEqual([
      "The authority takes so many a week; before this one are 4.",
      "The authority looks whether the name is this box's.",
      expect.stringContaining("A new certificate is in"),
    ]);
    expect(asked.map((request) => request !== undefined)).toEqual([
      ...[false, true, false, false, false],
    ]);
    const read = new X509Certificate(await readFile(join(files().live, "fullchain.pem")));
    expect(read.checkPrivateKey(createPrivateKey(await keyOf()))).toBe(true);
    expect(read.subjectAltName).toBe(`DNS:${host}`);
    for (const file of ["key.pem", "fullchain.pem"]) {
      expect((await stat(join(files().live, file))).mode & 0o777).toBe(0o600);
    }
    expect((await stat(files().folder)).mode & 0o777).toBe(0o700);
    await certify(options(), flags);
    expect(lines.at(-1)).toMatch(/is good until \d{4}-/);
  });

  it("goes on with the same key after it was broken off", async () => {
    script = [{ status: "under-way" }];
    onSleep = () => stop.abort();
    await expect(certify(options(), flags)).rejects.toThrow("Stopped before");
    [stop, script] = [new AbortController(), [{ status: "ready" }]];
    await certify(options(), flags);
    const [first, second] = asked.filter((request) => request !== undefined);
    expect(second).toBe(first);
  });

  it("says what the authority said, and comes with another key the next time", async () => {
    script = [{ status: "failed", problem: "caa: somebody else's" }];
    await expect(certify(options(), flags)).rejects.toThrow("caa: somebody else's");
    script = [{ status: "ready" }];
    await certify(options(), flags);
    const [first, second] = asked.filter((request) => request !== undefined);
    expect(second).not.toBe(first);
  });

  it("is for the owner's domains too, as soon as they lead to the box, and without them after", async () => {
    const names = async () =>
      new X509Certificate(await readFile(join(files().live, "fullchain.pem"))).subjectAltName;
    script = [{ status: "ready" }];
    await certify(options(), flags);
    script = [{ status: "ready", domains: ["cloud.example.org"] }];
    await certify(options(), flags);
    expect(await names()).toBe(`DNS:${host}, DNS:cloud.example.org`);
    const before = await keyOf();
    script = [{ status: "ready", domains: [] }];
    await certify(options(), flags);
    expect(await keyOf(), "what is certified already is enough").toBe(before);
    await certify(options(), { ...flags, force: true });
    expect(await names()).toBe(`DNS:${host}`);
  });

  it("is not kept from its own names by a domain that the authority does not certify", async () => {
    const domains = ["cloud.example.org"];
    script = [
      { domains },
      { status: "failed", problem: "caa: not us", domains },
      { status: "ready", domains },
    ];
    await certify(options(), flags);
    const { subjectAltName } = new X509Certificate(
      await readFile(join(files().live, "fullchain.pem")),
    );
    expect(subjectAltName).toBe(`DNS:${host}`);
    expect(lines.join("\n")).toContain("caa: not us It is asked for the box's own names alone.");
    // What is due to the domain alone asks for nothing else.
    const before = asked.length;
    script = [{ domains }, { status: "failed", problem: "caa: not us", domains }];
    await expect(certify(options(), flags)).rejects.toThrow("caa: not us");
    expect(asked.slice(before).filter((request) => request !== undefined)).toHaveLength(1);
  });

  it("does not install what certifies another key", async () => {
    script = [{ status: "ready" }];
    await certify(options(), flags);
    const before = await keyOf();
    const foreign = chain;
    script = [{ status: "under-way", certificate: foreign }, { status: "failed" }];
    await expect(certify(options(), { ...flags, force: true })).rejects.toThrow("did not certify");
    expect(await keyOf()).toBe(before);
  });

  it("waits for no order that was given up", async () => {
    script = [{ status: "ready" }];
    await certify(options(), flags);
    script = [{}, { status: "under-way" }, { status: "ready", certificate: chain }];
    onSleep = () => {
      if (slept.length > 20) stop.abort();
    };
    await expect(certify(options(), { ...flags, force: true })).rejects.toThrow("given up");
  });

  it("runs the hook, keeps it for the next time, and says when it failed", async () => {
    script = [{ status: "ready" }];
    const hook = `cp "$LATCHKEY_CERTIFICATE/key.pem" ${folder}/copied`;
    await certify(options(), { ...flags, hook });
    expect(await readFile(join(folder, "copied"), "utf8")).toBe(await keyOf());
    await certify(options(), { ...flags, force: true });
    expect(await readFile(join(folder, "copied"), "utf8")).toBe(await keyOf());
    const failing = certify(options(), { ...flags, hook: "exit 3", force: true });
    await expect(failing).rejects.toThrow("The hook ended with 3");
    // The certificate and the one before it are kept, and no older one.
    const kept = (await readdir(files().folder, { withFileTypes: true })).filter((one) =>
      one.isDirectory(),
    );
    expect(kept).toHaveLength(2);
  });
});

describe("`run`", () => {
  it("does nothing for a box that asked for no certificate", async () => {
    await keepCertified({ ...options(), onNew: () => undefined });
    expect([asked, slept]).toEqual([[], []]);
  });

  it("renews when the authority says, with a new key, and not before", async () => {
    script = [{ status: "ready" }];
    await certify(options(), flags);
    const first = await keyOf();
    const at = new Date(clock.now() + 30 * DAY).toISOString();
    script = [{ status: "ready", renew_at: at }];
    const renewed: number[] = [];
    const onNew = () => {
      renewed.push(clock.now());
      stop.abort();
    };
    await keepCertified({ ...options(), onNew });
    const late = (renewed[0] as number) - Date.parse(at);
    expect(late).toBeGreaterThanOrEqual(0);
    expect(late).toBeLessThanOrEqual(limits.certificateIdleAskSeconds * 1000);
    expect(await keyOf()).not.toBe(first);
  });

  it("goes on trying when the cloud is away", async () => {
    script = [{ status: "ready" }];
    await certify(options(), flags);
    await writeFile(
      join(home, "device.json"),
      JSON.stringify({ device_id: "dev_home_0000000000000000", host, cloud: "http://127.0.0.1:9" }),
    );
    onSleep = () => void (slept.length === 3 && stop.abort());
    await keepCertified({ ...options(), onNew: () => undefined });
    expect(lines.filter((line) => line.startsWith("The certificate is not renewed"))).toHaveLength(
      3,
    );
  });
});

describe("the shortcut under the box's own name", () => {
  let shortcut: Shortcut | undefined;
  afterEach(() => shortcut?.close());

  /** The serial of the certificate that answers. */
  const shown = (port: number) =>
    new Promise<string>((resolve, reject) => {
      const asking = httpsRequest(
        // A session that goes on shows no certificate.
        { host: "127.0.0.1", port, rejectUnauthorized: false, agent: false },
        (answer) => {
          const { serialNumber } = (
            answer.socket as import("node:tls").TLSSocket
          ).getPeerCertificate();
          answer.resume();
          answer.on("end", () => resolve(serialNumber));
        },
      );
      asking.on("error", reject).end();
    });

  it("answers with the box's certificate, and with the new one once it is renewed", async () => {
    script = [{ status: "ready" }];
    await certify(options(), flags);
    const port = await freePort();
    const cloudAddress = "https://latchkey.example";
    const read = (own: Awaited<ReturnType<CertificateFiles["installed"]>>) =>
      readShortcut({ direct: "5001", herePort: String(port) }, cloudAddress, own);
    const settings = await read(await files().installed());
    if (settings === null) throw new Error("no settings");
    const key = (await crypto.subtle.generateKey("Ed25519", true, [
      "sign",
      "verify",
    ])) as CryptoKeyPair;
    const box = { cloud: cloudAddress, host, privateKey: key.privateKey };
    shortcut = new Shortcut(settings, box, { clock, log: (line) => void lines.push(line) });
    const said: string[] = [];
    await shortcut.follow(true, (text) => void said.push(text));
    expect(JSON.parse(said[0] as string).reach.direct).toEqual({
      scheme: "https",
      probe: port,
      page: 5001,
    });
    const before = await shown(port);
    await certify(options(), { ...flags, force: true });
    const renewed = await files().installed();
    if (renewed !== null) await shortcut.renew(renewed);
    expect(await shown(port)).not.toBe(before);
  });

  it("starts without a certificate, says what is missing, and takes it when it comes", async () => {
    script = [{ status: "ready" }];
    const port = await freePort();
    const flag = { direct: "5001", herePort: String(port) };
    const settings = await readShortcut(
      flag,
      "https://latchkey.example",
      await files().installed(),
    );
    if (settings === null) throw new Error("no settings");
    const { privateKey } = (await crypto.subtle.generateKey("Ed25519", true, [
      "sign",
      "verify",
    ])) as CryptoKeyPair;
    const looks: (() => void)[] = [];
    const every = (_ms: number, work: () => void) => {
      looks.push(work);
      return () => void looks.splice(looks.indexOf(work), 1);
    };
    let told: () => void = () => undefined;
    shortcut = new Shortcut(
      settings,
      { cloud: "https://latchkey.example", host, privateKey },
      {
        clock: { ...clock, now: () => clock.now(), every },
        log: (line) => {
          lines.push(line);
          told();
        },
        installed: () => files().installed(),
      },
    );
    const said: string[] = [];
    await shortcut.follow(true, (text) => void said.push(text));
    expect(lines.filter((line) => line.includes("waits for a certificate"))).toHaveLength(1);
    await expect(shown(port)).rejects.toThrow("ECONNREFUSED");
    looks[0]?.();
    expect([said, looks.length]).toEqual([[], 1]);
    await certify(options(), flags);
    const on = new Promise<void>((resolve) => {
      told = () => lines.includes("The shortcut is on.") && resolve();
    });
    looks[0]?.();
    await on;
    expect(await shown(port)).toMatch(/^[0-9A-F]+$/);
    expect(JSON.parse(said[0] as string).reach.direct).toMatchObject({ probe: port, page: 5001 });
    expect(looks).toHaveLength(1); // for the next one
    await shortcut.follow(false, () => undefined);
    expect(looks).toHaveLength(0);
    await expect(shown(port)).rejects.toThrow("ECONNREFUSED");
  });

  it("waits no longer where it was switched off meanwhile", async () => {
    script = [{ status: "ready" }];
    const port = await freePort();
    const flag = { direct: "5001", herePort: String(port) };
    const settings = await readShortcut(flag, "https://latchkey.example", null);
    if (settings === null) throw new Error("no settings");
    const { privateKey } = (await crypto.subtle.generateKey("Ed25519", true, [
      "sign",
      "verify",
    ])) as CryptoKeyPair;
    const box = { cloud: "https://latchkey.example", host, privateKey };
    shortcut = new Shortcut(settings, box, { clock, log: (line) => void lines.push(line) });
    await shortcut.follow(true, () => undefined);
    await shortcut.follow(false, () => undefined);
    await certify(options(), flags);
    const installed = await files().installed();
    if (installed !== null) await shortcut.renew(installed);
    await expect(shown(port)).rejects.toThrow("ECONNREFUSED");
  });

  it("answers with one that somebody else installed while it ran", async () => {
    script = [{ status: "ready" }];
    await certify(options(), flags);
    const port = await freePort();
    const cloudAddress = "https://latchkey.example";
    const flag = { direct: "5001", herePort: String(port) };
    const settings = await readShortcut(flag, cloudAddress, await files().installed());
    if (settings === null) throw new Error("no settings");
    const { privateKey } = (await crypto.subtle.generateKey("Ed25519", true, [
      "sign",
      "verify",
    ])) as CryptoKeyPair;
    let look: () => void = () => undefined;
    const held = {
      ...clock,
      now: () => clock.now(),
      every: (_ms: number, work: () => void) => {
        look = work;
        return () => undefined;
      },
    };
    let told: () => void = () => undefined;
    const heard = new Promise<void>((resolve) => {
      told = resolve;
    });
    shortcut = new Shortcut(
      settings,
      { cloud: cloudAddress, host, privateKey },
      {
        clock: held,
        log: (line) => void (line.includes("new certificate") && told()),
        installed: () => files().installed(),
      },
    );
    await shortcut.follow(true, () => undefined);
    const before = await shown(port);
    await certify(options(), { ...flags, force: true });
    look();
    await heard;
    expect(await shown(port)).not.toBe(before);
  });

  it("keeps its certificate when the new one is not whole, and says so", async () => {
    script = [{ status: "ready" }];
    await certify(options(), flags);
    const port = await freePort();
    const cloudAddress = "https://latchkey.example";
    const own = await files().installed();
    const flag = { direct: "5001", herePort: String(port) };
    const settings = await readShortcut(flag, cloudAddress, own);
    if (settings === null || own === null) throw new Error("no settings");
    const { privateKey } = (await crypto.subtle.generateKey("Ed25519", true, [
      "sign",
      "verify",
    ])) as CryptoKeyPair;
    const said = Promise.withResolvers<string>();
    const pair = generateKeyPairSync("ec", { namedCurve: "P-256" });
    const other = Buffer.from(pair.privateKey.export({ type: "pkcs8", format: "pem" }));
    shortcut = new Shortcut(
      settings,
      { cloud: cloudAddress, host, privateKey },
      {
        clock,
        log: (line) => void (line.includes("is not whole") && said.resolve(line)),
        installed: async () => ({ cert: Buffer.concat([own.cert, Buffer.from("\n")]), key: other }),
      },
    );
    await shortcut.follow(true, () => undefined);
    const before = await shown(port);
    expect(await said.promise).toContain("keeps its certificate");
    expect(await shown(port)).toBe(before);
  });

  it("is not for a name in the home network that the certificate does not name", async () => {
    script = [{ status: "ready" }];
    await certify(options(), flags);
    const own = await files().installed();
    const flag = (home: string) => readShortcut({ home }, "https://latchkey.example", own);
    await expect(flag("https://nas.example.org:5001")).rejects.toThrow("--cert and --key");
    expect((await flag(`https://${host}:5001`))?.ownTls).toBe(true);
  });
});
