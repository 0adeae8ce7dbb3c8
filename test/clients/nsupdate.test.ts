/** Debian's nsupdate through a front that holds the zone: DNS updates (RFC 2136) signed with TSIG (RFC 8945). */

import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { createSocket } from "node:dgram";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { type Front, startFront } from "../../front/front.ts";
import { World } from "../contract/suite/world.ts";
import { workerd } from "../contract/workerd.ts";
import { exchange, look } from "../support/dns.ts";
import { type Scenario, withDevice } from "../support/scenario.ts";

const TOKEN = "t".repeat(40);
const PATIENCE = { timeout: 30_000, interval: 50 };
const NOTAUTH = 9;

describe("nsupdate 9.18", () => {
  let world: World;
  let front: Front;
  let nas: Scenario;
  let secret: string;

  beforeAll(async () => {
    const FRONT_TOKEN_HASHES = createHash("sha256").update(TOKEN).digest("hex");
    world = await World.create(workerd, { FRONT_TOKEN_HASHES });
    nas = await withDevice(world);
    const made = await nas.box.ask("/signing-key", "POST");
    expect(made).toMatchObject({ status: 201, json: { name: nas.host, algorithm: "hmac-sha256" } });
    secret = made.json.secret;
    const held = { zone: world.ddnsZone, token: TOKEN };
    front = await startFront({ edge: world.origin, host: "127.0.0.1", port: 0, held });
    await front.ready;
  });
  afterAll(async () => {
    await front.close();
    await world.close();
  });

  interface How {
    readonly key?: string | null;
    readonly port?: number;
    readonly tcp?: boolean;
  }

  /** What nsupdate says, and how it ends. */
  function nsupdate(lines: string[], how: How = {}): Promise<{ code: number; said: string }> {
    const key = how.key === undefined ? `hmac-sha256:${nas.host}:${secret}` : how.key;
    const args = [...(key === null ? [] : ["-y", key]), ...(how.tcp ? ["-v"] : [])];
    const zone = [`zone ${world.ddnsZone}`];
    const words = [`server 127.0.0.1 ${how.port ?? front.port}`, ...zone, ...lines, "send", ""];
    return new Promise((resolve, reject) => {
      const child = spawn("nsupdate", [...args, "-t", "20"], { stdio: "pipe" });
      let said = "";
      for (const stream of [child.stdout, child.stderr]) {
        stream.on("data", (chunk) => {
          said += chunk;
        });
      }
      child.once("error", () => reject(new Error("apt-get install bind9-dnsutils")));
      child.once("exit", (code) => resolve({ code: code ?? -1, said }));
      child.stdin.end(words.join("\n"));
    });
  }
  const set = (address: string, type = "A") => [
    `update delete ${nas.host} ${type}`,
    `update add ${nas.host} 60 ${type} ${address}`,
  ];
  const resolves = (answers: string[], type: "A" | "AAAA" = "A") =>
    vi.waitFor(
      async () => expect((await look(front.port, nas.host, type)).answers).toEqual(answers),
      PATIENCE,
    );
  const fine = { code: 0, said: "" };

  it("changes A and AAAA, each without touching the other, over UDP and TCP", async () => {
    expect(await nsupdate(set("203.0.113.4"))).toEqual(fine);
    await resolves([`${nas.host} A 203.0.113.4`]);
    expect(await nsupdate(set("2001:db8::4", "AAAA"), { tcp: true })).toEqual(fine);
    await resolves([`${nas.host} AAAA 2001:db8::4`], "AAAA");
    await resolves([`${nas.host} A 203.0.113.4`]);
    expect(await nsupdate([`update delete ${nas.host} AAAA`])).toEqual(fine);
    await resolves([], "AAAA");
    expect((await nas.box.ask("")).json.name).toMatchObject({ ipv4: "203.0.113.4", ipv6: null });
  });

  it("is told when what it takes for granted is not so", async () => {
    const absent = await nsupdate([`prereq nxrrset ${nas.host} A`, ...set("203.0.113.6")]);
    expect(absent.said).toContain("YXRRSET");
    const other = await nsupdate([
      `prereq yxrrset ${nas.host} A 203.0.113.99`,
      ...set("203.0.113.6"),
    ]);
    expect(other.said).toContain("NXRRSET");
    await resolves([`${nas.host} A 203.0.113.4`]);
    const right = await nsupdate([
      `prereq yxrrset ${nas.host} A 203.0.113.4`,
      ...set("203.0.113.6"),
    ]);
    expect(right).toEqual(fine);
    await resolves([`${nas.host} A 203.0.113.6`]);
  });

  it.each([
    ["another name", () => [`update add other.${world.ddnsZone} 60 A 203.0.113.7`], "REFUSED"],
    ["a name below it", () => [`update add x.${nas.host} 60 A 203.0.113.7`], "REFUSED"],
    ["another type", () => [`update add ${nas.host} 60 MX 10 mail.example.`], "REFUSED"],
    ["the apex", () => [`update add ${world.ddnsZone} 60 A 203.0.113.7`], "REFUSED"],
    [
      "two addresses",
      () => [...set("203.0.113.7"), `update add ${nas.host} 60 A 203.0.113.8`],
      "REFUSED",
    ],
    ["an address of no one", () => set("10.0.0.1"), "REFUSED"],
  ])("may not change %s", async (_what, lines, verdict) => {
    expect((await nsupdate(lines())).said).toContain(verdict);
    await resolves([`${nas.host} A 203.0.113.6`]);
  });

  it("is refused without a key, with a wrong one, and for a name that has none", async () => {
    const wrong = Buffer.alloc(32, 7).toString("base64");
    expect((await nsupdate(set("203.0.113.7"), { key: null })).said).toContain("REFUSED");
    const forged = await nsupdate(set("203.0.113.7"), { key: `hmac-sha256:${nas.host}:${wrong}` });
    expect(forged.said).toMatch(/BADSIG|tsig verify failure|NOTAUTH/);
    const nobody = `hmac-sha256:nobody.${world.ddnsZone}:${secret}`;
    expect((await nsupdate(set("203.0.113.7"), { key: nobody })).said).toMatch(/BADKEY|NOTAUTH/);
    await resolves([`${nas.host} A 203.0.113.6`]);
  });

  it("cannot be said again by whoever listened", async () => {
    const heard: Buffer[] = [];
    const between = createSocket("udp4");
    between.on("message", (message, client) => {
      heard.push(message);
      void exchange(front.port, message).then((answer) =>
        between.send(answer, client.port, client.address),
      );
    });
    await new Promise<void>((bound) => between.bind(0, "127.0.0.1", bound));
    const { port } = between.address();
    const old = await nsupdate(set("203.0.113.10"), { port });
    expect(old).toEqual(fine);
    // TSIG counts in seconds: the next one is signed in a later one.
    await vi.waitFor(async () => {
      expect(await nsupdate(set("203.0.113.11"), { port })).toEqual(fine);
      const [first, last] = [heard[0] as Buffer, heard.at(-1) as Buffer];
      expect(signedAt(last)).toBeGreaterThan(signedAt(first));
    }, PATIENCE);
    between.close();
    const again = await exchange(front.port, heard[0] as Buffer);
    expect((again[3] as number) & 0x0f).toBe(NOTAUTH);
    await resolves([`${nas.host} A 203.0.113.11`]);
  });

  it("[FEA-4] is over when the key is ended, and when the name is off", async () => {
    const today = new Date().toISOString().slice(0, "2026-01-01".length);
    expect((await nas.box.ask("/signing-key")).json).toEqual({ used_day: today });
    expect((await nas.box.ask("/signing-key", "DELETE")).status).toBe(204);
    expect((await nsupdate(set("203.0.113.12"))).said).toMatch(/BADKEY|NOTAUTH/);
    secret = (await nas.box.ask("/signing-key", "POST")).json.secret;
    expect(await nsupdate(set("203.0.113.12"))).toEqual(fine);
    await nas.box.switch("name", false);
    expect((await nsupdate(set("203.0.113.13"))).said).toMatch(/BADKEY|NOTAUTH/);
    await nas.box.switch("name", true);
    expect((await nsupdate(set("203.0.113.13"))).said).toMatch(/BADKEY|NOTAUTH/);
  });
});

/** When the TSIG record at the end of a message was made, in seconds: before fudge, MAC, and the rest. */
function signedAt(message: Buffer): number {
  const macBytes = 32;
  const rest = 2 + 2 + macBytes + 2 + 2 + 2;
  return message.readUIntBE(message.length - rest - 6, 6);
}
