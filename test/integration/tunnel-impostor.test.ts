/**
 * A relay that would read along: it answers the TLS handshake itself, with a certificate of its own. The
 * program of the visitor, as a person runs it, must say so, end with its own exit code, and have said
 * nothing of what it was given.
 */

import { spawn } from "node:child_process";
import { generateKeyPairSync } from "node:crypto";
import { once } from "node:events";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createSecureContext, type SecureVersion, TLSSocket } from "node:tls";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { WebSocketServer } from "ws";
import { exitCodes } from "../../agent/failure.ts";
import { type TlsIdentity, tlsIdentity } from "../../agent/tunnel/certificate.ts";
import { PipeDuplex } from "../../agent/tunnel/duplex.ts";
import { keyFingerprint } from "../../protocol/agent.ts";
import { encodeMessage, frameType } from "../../protocol/link/frames.ts";
import { tunnelAlpn, tunnelSubprotocol } from "../../protocol/tunnel.ts";
import { run } from "../clients/program.ts";

const AGENT = join(import.meta.dirname, "../../agent/main.ts");
const SECRET = "what the visitor would say to the box alone";

/** A key of a device, or of somebody else. */
function newIdentity(): { publicKey: string; tls: TlsIdentity } {
  const jwk = generateKeyPairSync("ed25519").privateKey.export({ format: "jwk" });
  return { publicKey: jwk.x ?? "", tls: tlsIdentity(jwk) };
}

/** A cloud that says what it likes of the device, and ends TLS itself. */
class Relay {
  readonly #server: Server;
  /** What it tells of the device's key. */
  told = "";
  /** What it answers with. */
  tls: TlsIdentity;
  maxVersion: SecureVersion = "TLSv1.3";
  alpn = tunnelAlpn("ssh");
  tunnels = 0;
  /** What it could read. */
  read = "";

  constructor(tls: TlsIdentity) {
    this.tls = tls;
    this.#server = createServer((_request, response) => {
      response.setHeader("content-type", "application/json");
      response.end(
        JSON.stringify({
          ...{ device_id: "dev", label: "nas", link: this.origin, public_key: this.told },
          ...{ fingerprint: "", online: true, services: ["ssh"] },
        }),
      );
    });
    const sockets = new WebSocketServer({
      server: this.#server,
      handleProtocols: () => tunnelSubprotocol,
    });
    sockets.on("connection", (socket) => {
      this.tunnels++;
      const duplex = new PipeDuplex();
      duplex.on("error", () => undefined);
      const head = new TextEncoder().encode("0 0");
      socket.send(
        encodeMessage([{ type: frameType.head, end: false, stream: 1, payload: [head] }]),
      );
      duplex.wire.attach((message) => socket.send(message), { received: 0, taken: 0 });
      socket.on("message", (data: Buffer) => void duplex.wire.receive(data));
      socket.on("close", () => duplex.destroy());
      const tls = new TLSSocket(duplex, {
        isServer: true,
        secureContext: createSecureContext({ ...this.tls, maxVersion: this.maxVersion }),
        ALPNProtocols: [this.alpn],
        allowHalfOpen: true,
      } as ConstructorParameters<typeof TLSSocket>[1]);
      tls.on("error", () => undefined);
      tls.on("data", (data) => {
        this.read += data;
      });
      tls.on("end", () => tls.end());
    });
  }

  get origin(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  async open(): Promise<void> {
    this.#server.listen(0, "127.0.0.1");
    await once(this.#server, "listening");
  }

  close(): void {
    this.#server.closeAllConnections();
    this.#server.close();
  }
}

describe("a relay that answers in the box's place", { timeout: 60_000 }, () => {
  const box = newIdentity();
  const impostor = newIdentity();
  let relay: Relay;
  let home: string;

  beforeEach(async () => {
    home = await mkdtemp(join(tmpdir(), "latchkey-impostor-"));
    relay = new Relay(impostor.tls);
    await relay.open();
  });
  afterEach(async () => {
    relay.close();
    await rm(home, { recursive: true });
  });

  /** What a person types. */
  async function latchkey(...words: string[]) {
    const child = spawn(process.execPath, [AGENT, ...words, "--home", home], {
      env: { ...process.env, LATCHKEY_TOKEN: "lk_pat_x", LATCHKEY_CLOUD: relay.origin },
    });
    let [out, said] = ["", ""];
    child.stdout.on("data", (data) => (out += data));
    child.stderr.on("data", (data) => (said += data));
    child.stdin.on("error", () => undefined); // it may be gone before it has read all
    child.stdin.end(SECRET);
    const [code] = await once(child, "close");
    return { code, out, said };
  }
  const tunnel = (...words: string[]) => latchkey("tunnel", "nas", "ssh", "--stdio", ...words);

  it("passes when it holds the key: what is refused below is refused for that alone", async () => {
    [relay.told, relay.tls] = [box.publicKey, box.tls];
    expect((await tunnel()).code).toBe(exitCodes.done);
    expect(relay.read).toBe(SECRET);
  });

  it("is refused with a certificate of its own, at the first meeting and later", async () => {
    relay.told = box.publicKey;
    for (let meeting = 0; meeting < 2; meeting++) {
      const { code, out, said } = await tunnel();
      expect([code, out, relay.read]).toEqual([exitCodes.strangeKey, "", ""]);
      expect(said).toContain("does not hold the key of this device. Nothing was sent.");
    }
    expect(relay.tunnels).toBe(2);
  });

  it.each(["rsa:2048", "ec:P-256"])("is refused with a usual certificate (%s)", async (kind) => {
    relay.told = box.publicKey;
    const [key, cert] = [join(home, "key.pem"), join(home, "cert.pem")];
    const [type = "", option = ""] = kind.split(":");
    const curve = ["-newkey", "ec", "-pkeyopt", `ec_paramgen_curve:${option}`];
    const made = type === "ec" ? curve : ["-newkey", kind];
    const named = ["-nodes", "-subj", "/CN=Latchkey device", "-keyout", key, "-out", cert];
    await run("openssl", ["req", "-x509", ...made, ...named], "apt-get install openssl");
    relay.tls = { key: await readFile(key, "utf8"), cert: await readFile(cert, "utf8") };
    const { code, said } = await tunnel();
    expect([code, relay.read, relay.tunnels]).toEqual([exitCodes.strangeKey, "", 1]);
    expect(said).toContain("does not hold the key");
  });

  it("is refused with an older TLS, or where it leads to another service", async () => {
    [relay.told, relay.tls, relay.maxVersion] = [box.publicKey, box.tls, "TLSv1.2"];
    expect((await tunnel()).code).not.toBe(0);
    [relay.maxVersion, relay.alpn] = ["TLSv1.3", tunnelAlpn("smb")];
    expect((await tunnel()).code).not.toBe(0);
    expect(relay.read).toBe("");
  });

  it("is refused with another key for a box that is known, and the person told what to do", async () => {
    relay.told = box.publicKey;
    await tunnel();
    const met = relay.tunnels;
    relay.told = impostor.publicKey;
    const { code, out, said } = await tunnel();
    expect([code, out, relay.read, relay.tunnels]).toEqual([exitCodes.strangeKey, "", "", met]);
    expect(said).toContain('THE KEY OF "nas" HAS CHANGED');
    expect(said).toContain(await keyFingerprint(box.publicKey));
    expect(said).toContain(await keyFingerprint(impostor.publicKey));
    expect(said).toContain("latchkey status");
    expect(said).toContain("latchkey forget nas");
    expect((await latchkey("forget", "nas")).code).toBe(0);
    expect(await readFile(join(home, "known.json"), "utf8").catch(() => "")).not.toContain(
      box.publicKey,
    );
  });

  it("is refused where the person says which key it is to be", async () => {
    relay.told = impostor.publicKey;
    const { code, said } = await tunnel("--fingerprint", await keyFingerprint(box.publicKey));
    expect([code, relay.tunnels]).toEqual([exitCodes.strangeKey, 0]);
    expect(said).toContain("not the one you gave");
  });
});
