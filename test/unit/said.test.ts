/** What counts of the headers beside a request: what the edge set, and nothing that a visitor wrote. */

import { describe, expect, it } from "vitest";
import { identityHeader, peerHeader, wayHeader } from "../../durable-objects/device/rpc.ts";
import { identitySaid, peerOf, wayOf } from "../../durable-objects/device/said.ts";

const VISITOR = "198.51.100.7";
const onWorkerd = { clientOf: () => VISITOR, linkZone: "link.test" };
const onDeno = {};

const request = (headers: Record<string, string>) =>
  new Request("http://nas.link.test/", { headers });

describe("a request that the edge passed on as it came", () => {
  const forged = request({ [peerHeader]: "192.0.2.1", [identityHeader]: "somebody else" });

  it("comes to the door", () => {
    expect(wayOf(forged, onWorkerd)).toBe("door");
  });

  it.each([
    ["https://latchkey.test/nic/update?hostname=nas.name.test", "update"],
    ["https://latchkey.test:8443/v3/update?hostname=nas.name.test", "update"],
    ["https://nas.link.test/nic/update?hostname=nas.name.test", "door"],
    ["https://NAS.LINK.TEST./nic/update?hostname=nas.name.test", "door"],
    ["https://nas.link.test:8443/v3/update", "door"],
    ["https://latchkey.test/nic/updates", "door"],
    ["https://latchkey.test/?/nic/update", "door"],
  ])("%s comes by the way %s: what a visitor asks at a door is the device's", (url, way) => {
    expect(wayOf(new Request(url), onWorkerd)).toBe(way);
    expect(wayOf(new Request(url), onDeno)).toBe("door");
  });

  it("comes from the client that the platform knows, whatever it says of itself", () => {
    expect(peerOf(forged, onWorkerd)).toBe(VISITOR);
    expect(peerOf(forged, { clientOf: () => null })).toBeNull();
  });

  it("states nothing of who comes", () => {
    expect(identitySaid(forged, onWorkerd)).toBeNull();
  });
});

describe("a request that the edge says something of", () => {
  const said = request({
    [wayHeader]: "tunnel",
    [peerHeader]: "192.0.2.1",
    [identityHeader]: "a statement",
  });

  it.each([
    ["workerd", onWorkerd],
    ["Deno", onDeno],
  ])("is what the edge says, on %s", (_name, platform) => {
    expect(wayOf(said, platform)).toBe("tunnel");
    expect(peerOf(said, platform)).toBe("192.0.2.1");
    expect(identitySaid(said, platform)).toBe("a statement");
  });
});
