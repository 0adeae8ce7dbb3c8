/** Trying a port, on real sockets of this machine: IPv4 and IPv6, open, closed, silent, and who answers. */

import { createServer, type Server } from "node:net";
import { afterEach, expect, it } from "vitest";
import { listenHere } from "../../agent/here.ts";
import { checkSpot, verifyHere } from "../../protocol/reach.ts";
import { base64url } from "../../protocol/tokens.ts";
import { portTransport } from "../../workers/egress/port.ts";

const nonce = base64url(crypto.getRandomValues(new Uint8Array(32)));
const port = 8443;
const open: { close(): unknown }[] = [];
afterEach(async () => {
  for (const server of open.splice(0)) await server.close();
});

function listen(host: string, work: Parameters<typeof createServer>[1]): Promise<Server> {
  return new Promise((resolve, reject) => {
    const server = createServer(work as never).once("error", reject);
    server.listen(port, host, () => resolve(server));
  });
}
const ask = (address: string, more: Record<string, string> = {}) =>
  portTransport(true)({ address, port: String(port), nonce, ...more });

it.each(["127.0.0.1", "::1"])(
  "finds %s closed, then open, and hears who is there",
  async (host) => {
    expect(await ask(host)).toEqual({ outcome: "closed", text: "" });
    const pair = await crypto.subtle.generateKey("Ed25519", true, ["sign", "verify"]);
    if (!("privateKey" in pair)) throw new Error("Ed25519 makes pairs");
    const { privateKey, publicKey } = pair;
    const cloud = "http://localhost:8787";
    open.push(await listenHere({ port, host, tls: null, cloud, privateKey, spots: () => [] }));
    const { outcome, text } = await ask(host);
    expect(outcome).toBe("open");
    const signature = /"signature":"([\w-]{86})"/.exec(text)?.[1] ?? "";
    const raw = base64url(new Uint8Array(await crypto.subtle.exportKey("raw", publicKey)));
    expect(await verifyHere(raw, nonce, checkSpot, signature)).toBe(true);
  },
);

it("takes no more than a few kilobytes from who never stops, and waits for nobody who is silent", async () => {
  const server = await listen("127.0.0.1", (socket) => {
    socket.on("error", () => {});
    socket.write("x".repeat(1_000_000));
  });
  const { outcome, text } = await ask("127.0.0.1");
  expect([outcome, text.length]).toEqual(["open", 4096]);
  await new Promise((done) => server.close(done));
  const mute = await listen("127.0.0.1", (socket) => void socket.on("error", () => {}));
  expect(await ask("127.0.0.1")).toEqual({ outcome: "open", text: "" });
  mute.close();
});

it.each([
  [{ address: "localhost" }],
  [{ address: "latchkey.example" }],
  [{ address: "127.1" }],
  [{ address: "192.168.1.1" }],
  [{ address: "169.254.169.254" }],
  [{ address: "" }],
  [{ port: "25" }],
  [{ port: "0443" }],
  [{ port: "443 " }],
  [{ nonce: "x\r\nHost: evil" }],
])("tries nothing with %j", async (more) => {
  await expect(ask("127.0.0.1", more)).rejects.toThrow("not a port to try");
});

it("tries no loopback where it is not a trial", async () => {
  const fields = { address: "127.0.0.1", port: String(port), nonce };
  await expect(portTransport(false)(fields)).rejects.toThrow("not a port to try");
});
