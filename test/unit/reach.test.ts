/** What a box may say of its ways, and how it proves that it is the one that answers. */

import { describe, expect, it } from "vitest";
import { limits } from "../../protocol/limits.ts";
import {
  checkSpot,
  directSpot,
  isHomeAddress,
  type Reach,
  readReach,
  type Spot,
  signHere,
  verifyHere,
} from "../../protocol/reach.ts";
import { base64url } from "../../protocol/tokens.ts";

const at = (probe: string, page = probe) => ({ home: [{ probe, page }], direct: null });

describe("what a box says", () => {
  const fine: [string, unknown][] = [
    ["nothing at all", { home: [], direct: null }],
    ["an IPv4 address at home", at("http://192.168.1.20:4780", "http://192.168.1.20")],
    ["an IPv6 address at home", at("http://[fd00::1]:4780")],
    ["a name with a certificate", at("https://nas.example.org:4780", "https://nas.example.org")],
    ["ports under its name", { home: [], direct: { scheme: "https", probe: 4780, page: 443 } }],
  ];
  it.each(fine)("takes %s as it is", (_, value) => {
    expect(readReach(value, false)).toEqual(value);
  });

  const bad: [string, unknown][] = [
    ["no object", "http://192.168.1.20"],
    ["null", null],
    ["a further field", { home: [], direct: null, more: 1 }],
    ["a missing field", { home: [] }],
    [
      "too many spots",
      { home: Array(limits.reachSpots + 1).fill(at("http://10.0.0.1").home[0]), direct: null },
    ],
    ["a public address", at("http://203.0.114.7")],
    ["a public IPv6 address", at("http://[2001:4860::1]")],
    ["loopback", at("http://127.0.0.1:80")],
    ["link-local, where clouds keep their secrets", at("http://169.254.169.254")],
    ["carrier-grade NAT", at("http://100.64.0.1")],
    ["a name over plain http", at("http://nas.example.org")],
    ["an address over https", at("https://192.168.1.20")],
    ["a bare word", at("https://nas")],
    ["another spelling of an address", at("http://0xC0A80114")],
    ["a path", at("http://192.168.1.20/admin")],
    ["a user name", at("http://me@192.168.1.20")],
    ["a default port spelled out", at("http://192.168.1.20:80")],
    ["another scheme", at("ws://192.168.1.20")],
    ["a page on another host", at("http://192.168.1.20:4780", "http://192.168.1.1")],
    ["a scheme that is none", { home: [], direct: { scheme: "javascript", probe: 1, page: 1 } }],
    ["plain http under its name", { home: [], direct: { scheme: "http", probe: 1, page: 1 } }],
    ["a port that is none", { home: [], direct: { scheme: "https", probe: 0, page: 65536 } }],
    ["a port as text", { home: [], direct: { scheme: "https", probe: "443", page: 443 } }],
  ];
  it.each(bad)("refuses %s", (_, value) => {
    expect(readReach(value, false)).toBeNull();
  });

  it("lets loopback in where Latchkey is tried out, and there alone", () => {
    const trial: unknown = {
      home: [{ probe: "http://127.0.0.1:4780", page: "http://127.0.0.1:8080" }],
      direct: { scheme: "http", probe: 1, page: 2 },
    };
    expect(readReach(trial, true)).toEqual(trial);
    expect(readReach(trial, false)).toBeNull();
  });

  it("lets no octet in that is outside RFC 1918 and RFC 4193", () => {
    const private4 = (a: number, b: number) =>
      a === 10 || (a === 172 && b >= 16 && b <= 31) || (a === 192 && b === 168);
    for (let a = 0; a < 256; a++) {
      for (let b = 0; b < 256; b++) {
        expect(isHomeAddress(`${a}.${b}.0.1`), `${a}.${b}`).toBe(private4(a, b));
      }
    }
    for (let first = 0; first < 256; first++) {
      const text = `${first.toString(16)}00::1`;
      expect(isHomeAddress(text), text).toBe(first === 0xfc || first === 0xfd);
    }
    expect(isHomeAddress("nas.local")).toBe(false);
  });
});

describe("who is here", async () => {
  const spot: Spot = { probe: "http://192.168.1.20:4780", page: "http://192.168.1.20:8080" };
  const newKey = async () => {
    const pair = (await crypto.subtle.generateKey("Ed25519", true, ["sign", "verify"])) as {
      privateKey: CryptoKey;
      publicKey: CryptoKey;
    };
    const raw = (await crypto.subtle.exportKey("raw", pair.publicKey)) as ArrayBuffer;
    return { key: pair.privateKey, publicKey: base64url(new Uint8Array(raw)) };
  };
  const box = await newKey();
  const liar = await newKey();
  const nonce = base64url(crypto.getRandomValues(new Uint8Array(32)));
  const signature = await signHere(box.key, nonce, spot);

  it("is believed with the device's key, for this nonce at this place", async () => {
    expect(await verifyHere(box.publicKey, nonce, spot, signature)).toBe(true);
  });

  const others: [string, () => Promise<boolean>][] = [
    [
      "another key",
      async () => verifyHere(box.publicKey, nonce, spot, await signHere(liar.key, nonce, spot)),
    ],
    [
      "another nonce",
      () => {
        const other = nonce.replace(/^./, (first) => (first === "_" ? "-" : "_"));
        return verifyHere(box.publicKey, other, spot, signature);
      },
    ],
    [
      "another place that was asked",
      () =>
        verifyHere(box.publicKey, nonce, { ...spot, probe: "http://192.168.1.66:4780" }, signature),
    ],
    [
      "another page",
      () => verifyHere(box.publicKey, nonce, { ...spot, page: "http://192.168.1.20:1" }, signature),
    ],
    [
      "the answer to the edge",
      async () => verifyHere(box.publicKey, nonce, spot, await signHere(box.key, nonce, checkSpot)),
    ],
    ["no signature", () => verifyHere(box.publicKey, nonce, spot, "")],
    ["what is no base64url", () => verifyHere(box.publicKey, nonce, spot, "!")],
    ["no key", () => verifyHere("", nonce, spot, signature)],
  ];
  it.each(others)("is not believed with %s", async (_, verify) => {
    expect(await verify()).toBe(false);
  });
});

it("says where the box's own name leads, in canonical form", () => {
  const direct: Reach["direct"] = { scheme: "https", probe: 4780, page: 443 };
  expect(directSpot("attic.ddns.example", direct)).toEqual({
    probe: "https://attic.ddns.example:4780",
    page: "https://attic.ddns.example",
  });
});
