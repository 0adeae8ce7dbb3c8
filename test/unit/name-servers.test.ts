/** What an operator says about name servers, and about the front: taken, or refused with a sentence. */

import { describe, expect, it } from "vitest";
import { readFrontOptions } from "../../front/main.ts";
import { limits } from "../../protocol/limits.ts";
import { readConfig } from "../../workers/config.ts";

const nameServers = (value?: string) =>
  readConfig({
    ORIGIN: "https://latchkey.example",
    LINK_ZONE: "link.example",
    DDNS_ZONE: "ddns.example",
    REGIONS: "home:Home:DB_HOME",
    SOURCE_ADDRESS: "edge",
    MAIL_FROM: "keys@latchkey.example",
    ...(value === undefined ? {} : { NAME_SERVERS: value }),
  }).nameServers;

describe("NAME_SERVERS", () => {
  it("is ns1 of the zone when nobody says otherwise", () => {
    expect(nameServers()).toEqual([{ host: "ns1.ddns.example", ipv4: [], ipv6: [] }]);
  });

  it("takes servers inside the zone with their addresses, and others by name", () => {
    expect(
      nameServers("NS1.ddns.example.=192.0.2.53=2001:DB8::53=192.0.2.54, a.elsewhere.example"),
    ).toEqual([
      { host: "ns1.ddns.example", ipv4: ["192.0.2.53", "192.0.2.54"], ipv6: ["2001:db8::53"] },
      { host: "a.elsewhere.example", ipv4: [], ipv6: [] },
    ]);
  });

  it.each([
    ["a label that a device could take", "nas.ddns.example=192.0.2.53"],
    ["a server deeper in the zone", "a.ns1.ddns.example=192.0.2.53"],
    ["an address of another zone's server", "ns1.elsewhere.example=192.0.2.53"],
    ["what is no address", "ns1.ddns.example=192.0.2.053"],
    ["what is no name", "ns1_=192.0.2.53"],
    ["an empty entry", "ns1.ddns.example,"],
  ])("refuses %s", (_what, value) => {
    expect(() => nameServers(value)).toThrow(/^NAME_SERVERS has a bad (entry|address)/);
  });
});

describe("npm run dns", () => {
  it("asks the local edge by default, and answers by one thread", () => {
    expect(readFrontOptions([])).toEqual({
      edge: "http://localhost:8787",
      host: "127.0.0.1",
      port: 5353,
      threads: 1,
    });
    expect(readFrontOptions(["--threads", "4"])).toMatchObject({ threads: 4 });
    expect(readFrontOptions(["--help"])).toBeNull();
  });

  it.each([
    [["--port", "65536"], "--port takes a number"],
    [["--port", "dns"], "--port takes a number"],
    [["--edge", "localhost:8787"], "--edge takes the edge's address"],
    [["--edge", "nowhere"], "--edge takes the edge's address"],
    [["--zones", "x"], "Usage: npm run dns"],
    [["--zone", "x"], "--zone and --token-file go together"],
    [["--rate", "x"], "--rate takes a number"],
    ...["0", "1.5", "many", `${limits.dnsFrontThreads + 1}`].map((wrong): [string[], string] => [
      ["--threads", wrong],
      `--threads takes a number from 1 to ${limits.dnsFrontThreads}, not "${wrong}".`,
    ]),
  ])("says what is wrong with %j", (args, sentence) => {
    expect(() => readFrontOptions(args)).toThrow(sentence);
  });
});
