/** A box whose certificate is renewed while something changes: its name, or the files in use. */

import { execFileSync } from "node:child_process";
import { cp, mkdtemp, open, readFile, rename, rm, symlink, writeFile } from "node:fs/promises";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { beforeEach, describe, expect, it } from "vitest";
import { CertificateFiles } from "../../agent/certificate-files.ts";
import type { AgentClock } from "../../agent/clock.ts";
import { Home } from "../../agent/home.ts";
import { run } from "../../agent/run.ts";
import type { OpenSocket, SocketEvents } from "../../agent/socket.ts";
import type { CertificateAnswer } from "../../protocol/certificates.ts";

let folder: string;
let home: string;
let files: CertificateFiles;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "latchkey-renewal-"));
  home = join(folder, "home");
  files = new CertificateFiles(home);
  await new Home(home).identityOrNew();
  openssl("req -x509 -newkey rsa:2048 -nodes -keyout ca.key -out ca.pem -days 90 -subj /CN=Test");
  return () => rm(folder, { recursive: true });
});

function openssl(line: string): void {
  execFileSync("openssl", line.split(" "), { cwd: folder, stdio: "pipe" });
}

/** What the authority makes of a request. */
async function certified(request: string): Promise<string> {
  await writeFile(join(folder, "csr.der"), Buffer.from(request, "base64url"));
  openssl("req -inform DER -in csr.der -out csr");
  openssl(
    "x509 -req -in csr -CA ca.pem -CAkey ca.key -set_serial 7 -days 90 -copy_extensions copy -out cert.pem",
  );
  return await readFile(join(folder, "cert.pem"), "utf8");
}

/** Puts a certificate for `host` in use. */
async function install(host: string): Promise<void> {
  const pending = await files.pendingFor([host]);
  await files.install(pending, await certified(pending.request));
}

describe("the certificate in use", () => {
  it("is read with its own key, though another takes its place in the middle", async () => {
    await install("nas.ddns.test");
    const [chain, key] = await Promise.all(
      ["fullchain.pem", "key.pem"].map((name) => readFile(join(files.live, name))),
    );
    await cp(join(files.folder, "07"), join(files.folder, "08"), { recursive: true });
    await writeFile(join(files.folder, "08/key.pem"), "another");
    // The chain comes by a pipe, so that the test says when it is read.
    await rm(join(files.folder, "07/fullchain.pem"));
    execFileSync("mkfifo", [join(files.folder, "07/fullchain.pem")]);
    const reading = files.installed();
    const pipe = await open(join(files.folder, "07/fullchain.pem"), "w"); // the reader is there
    await symlink("08", join(files.folder, "live.new"));
    await rename(join(files.folder, "live.new"), files.live);
    await pipe.writeFile(chain as Buffer);
    await pipe.close();
    expect((await reading)?.key).toEqual(key);
  });
});

describe("a box that gets another name", () => {
  /** What the cloud says of a certificate, and what it was asked. */
  class Cloud {
    status: CertificateAnswer["status"] = "under-way";
    /** The answer to the first request waits for this. */
    hold: Promise<void> | null = null;
    readonly asked = Promise.withResolvers<void>();
    /** Requests that are being answered, at most so many at a time. */
    most = 0;
    #now = 0;
    #chain: string | null = null;
    readonly server: Server = createServer(async (request, response) => {
      this.most = Math.max(this.most, ++this.#now);
      let text = "";
      for await (const chunk of request) text += chunk;
      const body = JSON.parse(text) as { request?: string };
      const { status } = this;
      if (body.request !== undefined && status === "ready") {
        this.#chain = await certified(body.request);
      }
      if (body.request !== undefined) {
        const { hold } = this;
        this.hold = null;
        this.asked.resolve();
        await hold;
      }
      const answer: CertificateAnswer = {
        ...{ status, names: [], domains: [], queue: null, problem: null, retry_after: 3 },
        ...{ certificate: this.#chain, renew_at: null },
        not_after: this.#chain === null ? null : new Date(Date.now() + 9e9).toISOString(),
      };
      this.#now--;
      response.setHeader("content-type", "application/json");
      response.end(JSON.stringify(answer));
    });
  }

  /** Sleeps until it is told to stop. */
  const clock: AgentClock = {
    now: () => Date.now(),
    sleep: (_ms, signal) =>
      new Promise((resolve) => {
        if (signal?.aborted) resolve();
        signal?.addEventListener("abort", () => resolve());
      }),
    every: () => () => undefined,
  };

  it("gives up the order for the old one, and begins that for the new one when it is over", async () => {
    const cloud = new Cloud();
    await new Promise<void>((resolve) => cloud.server.listen(0, "127.0.0.1", resolve));
    const origin = `http://127.0.0.1:${(cloud.server.address() as AddressInfo).port}`;
    const ids = { device_id: "dev_home_0000000000000000", label: "nas" };
    const places = { link: "https://nas.l.test", host: "nas.ddns.test", cloud: origin };
    await new Home(home).saveDevice({ ...ids, ...places });
    await files.saveSettings({ wildcard: false, hook: null });
    const lines: string[] = [];
    const waiting = new Map<string, () => void>();
    const log = (line: string) => {
      lines.push(line);
      for (const [start, told] of waiting) if (line.startsWith(start)) told();
    };
    const said = (start: string) =>
      new Promise<void>((resolve) => void waiting.set(start, resolve));
    const opened = Promise.withResolvers<SocketEvents>();
    const openSocket: OpenSocket = (_cloud, _who, events) => {
      opened.resolve(events);
      return {
        send: () => undefined,
        close: (code) => events.onEnd({ kind: "closed", code }),
        terminate: () => events.onEnd({ kind: "closed", code: 1006 }),
        bufferedAmount: () => 0,
      };
    };
    const held = Promise.withResolvers<void>();
    cloud.hold = held.promise;
    const stop = new AbortController();
    const end = run({ home, serve: null, log, signal: stop.signal, clock, open: openSocket });
    await cloud.asked.promise;
    const events = await opened.promise;
    events.onOpen();
    const renamed = said("This box is now");
    events.onText('{"type":"label","label":"attic"}');
    await renamed;
    // Time enough for another order to ask, if one was begun.
    for (let turn = 0; turn < 50; turn++) await files.settings();
    cloud.status = "ready";
    const installed = said("A new certificate");
    held.resolve();
    await installed;
    expect(cloud.most, "one order after the other").toBe(1);
    expect(lines.filter((line) => line.startsWith("The certificate is not renewed"))).toEqual([
      "The certificate is not renewed: Stopped before the certificate was there.",
    ]);
    const now = await files.installed();
    expect([now?.fits("attic.ddns.test"), now?.fits("nas.ddns.test")]).toEqual([true, false]);
    stop.abort();
    events.onEnd({ kind: "closed", code: 1000 });
    expect(await end).toBe("stopped");
    await new Promise((resolve) => cloud.server.close(resolve));
  });
});
