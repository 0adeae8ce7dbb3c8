/** A box whose system tells no program of its interfaces: it offers less, and goes on. */

import { expect, it, vi } from "vitest";
import { interfaceAddresses } from "../../agent/addresses.ts";
import { Shortcut } from "../../agent/shortcut.ts";
import { freePort } from "../contract/runtime.ts";

vi.mock("node:os", async (original) => ({
  ...(await original<typeof import("node:os")>()),
  networkInterfaces: () => {
    throw new Error("uv_interface_addresses returned Unknown system error 13");
  },
}));

it("says where it is as far as it knows", async () => {
  expect(interfaceAddresses()).toEqual([]);
  const pair = await crypto.subtle.generateKey("Ed25519", true, ["sign", "verify"]);
  const { privateKey } = pair as CryptoKeyPair;
  const off = { homeOrigin: null, tls: null, ownTls: false, proxied: false };
  const herePort = await freePort();
  const settings = { ...off, homePort: 5000, herePort, direct: null };
  const clock = { now: () => 0, sleep: async () => undefined, every: () => () => undefined };
  const box = { cloud: "http://127.0.0.1:1", host: "nas.ddns.test", privateKey };
  const shortcut = new Shortcut(settings, box, { clock, log: () => undefined });
  const said: string[] = [];
  await shortcut.follow(true, (text) => void said.push(text));
  expect(said.map((text) => JSON.parse(text).reach.home)).toEqual([
    [{ probe: `http://127.0.0.1:${herePort}`, page: "http://127.0.0.1:5000" }],
  ]);
  await shortcut.close();
});
