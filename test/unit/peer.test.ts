/** Whose address a request counts for: what the operator's policy names, and no header beside it. */

import { describe, expect, it } from "vitest";
import { clientAddress } from "../../durable-objects/peer.ts";
import type { Config } from "../../workers/config.ts";

const FORGED = { "x-forwarded-for": "192.0.2.66", "cf-connecting-ip": "192.0.2.99" };
const address = (
  sourceAddress: Config["sourceAddress"],
  headers: Record<string, string>,
  socket: string | null,
  trustedProxies: readonly string[] = ["10.0.0.1", "2001:db8::9"],
) => clientAddress({ sourceAddress, trustedProxies } as Config, new Headers(headers), socket);

describe("the client's address", () => {
  it("is the edge's word where the edge gives it, and nobody else's", () => {
    expect(address("edge", FORGED, "198.51.100.1")).toBe("192.0.2.99");
    expect(address("edge", { "x-forwarded-for": "192.0.2.66" }, "198.51.100.1")).toBeNull();
  });

  it.each([
    ["198.51.100.1", "198.51.100.1"],
    ["198.51.100.1:4711", "198.51.100.1"],
    ["[2001:db8::1]:4711", "2001:db8::1"],
    ["[2001:db8::1]", "2001:db8::1"],
    ["2001:db8::1", "2001:db8::1"],
    ["::ffff:198.51.100.1", "::ffff:198.51.100.1"],
    [null, null],
  ])("is the socket's own where no proxy stands before it: %s", (socket, expected) => {
    expect(address("socket", FORGED, socket)).toBe(expected);
    // A proxy that nobody trusts is a client like any other.
    expect(address("trusted-proxy", FORGED, socket)).toBe(expected);
  });

  it.each([
    "10.0.0.1",
    "10.0.0.1:4711",
    "::ffff:10.0.0.1",
    "[::ffff:a00:1]:4711",
    "[2001:DB8:0:0::9]:4711",
  ])("is what a trusted proxy added last, however its own is written: %s", (socket) => {
    const seen = (forwarded: string) =>
      address("trusted-proxy", { "x-forwarded-for": forwarded }, socket);
    expect(seen("192.0.2.66")).toBe("192.0.2.66");
    // What stands before it the client wrote itself.
    expect(seen("203.0.113.1, 10.0.0.1, 192.0.2.66")).toBe("192.0.2.66");
  });

  it("is the proxy's own when it says nothing", () => {
    expect(address("trusted-proxy", {}, "10.0.0.1")).toBe("10.0.0.1");
    expect(address("trusted-proxy", { "x-forwarded-for": "192.0.2.66, " }, "10.0.0.1")).toBe(
      "10.0.0.1",
    );
  });

  it("trusts no proxy whose address nobody can read", () => {
    expect(address("trusted-proxy", FORGED, "unknown", ["unknown", ""])).toBe("unknown");
  });
});
