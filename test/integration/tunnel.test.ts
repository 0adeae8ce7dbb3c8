/**
 * Tunnels on a whole running edge: the real agent, the visitor's real end, TCP services of this test,
 * and a record of everything the relay saw.
 */

import { createHash, randomBytes } from "node:crypto";
import { once } from "node:events";
import type { Duplex } from "node:stream";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { openTunnel } from "../../agent/tunnel/visitor.ts";
import { deno } from "../contract/deno-process.ts";
import { ask } from "../contract/suite/http.ts";
import { newPerson } from "../contract/suite/person.ts";
import { World } from "../contract/suite/world.ts";
import { workerd } from "../contract/workerd.ts";
import { accessToken, TcpService, TunnelBox } from "../support/tunnel.ts";

const MIB = 1 << 20;
const sha256 = (bytes: Buffer) => createHash("sha256").update(bytes).digest("hex");

async function readAll(from: Duplex): Promise<Buffer> {
  const pieces: Buffer[] = [];
  for await (const piece of from) pieces.push(piece as Buffer);
  return Buffer.concat(pieces);
}

/** Resolves with the end, whatever kind of end it is. */
const closing = (tunnel: Duplex) =>
  new Promise<void>((resolve) => {
    tunnel.on("error", () => undefined);
    tunnel.once("close", resolve);
  });

const refusal = (opening: Promise<Duplex>) =>
  opening.then(
    (tunnel) => {
      tunnel.destroy();
      return "opened";
    },
    (error: Error) => error.message,
  );

describe.each([workerd, deno])("a tunnel on $name", (runtime) => {
  let world: World;
  let box: TunnelBox;
  let token: string;
  const services: TcpService[] = [];

  beforeAll(async () => {
    world = await World.create(runtime);
    box = await TunnelBox.make(world);
    ({ token } = await accessToken(world, box.owner));
    // Answers what came, once it has all come: the other direction is still open then.
    const mirror = await TcpService.start(async (socket) => {
      const pieces: Buffer[] = [];
      for await (const piece of socket.iterator({ destroyOnReturn: false })) pieces.push(piece);
      socket.end(Buffer.concat(pieces));
    });
    const chat = await TcpService.start((socket) => {
      socket.write("welcome, stranger at the gate\n");
      socket.pipe(socket);
    });
    const silent = await TcpService.start(() => undefined);
    services.push(mirror, chat, silent);
    const named = { mirror, chat, silent };
    await box.run([
      ...Object.entries(named).map(([name, { address }]) => `${name}=${address}`),
      "closed=127.0.0.1:1",
    ]);
  });

  afterAll(async () => {
    await box?.close();
    for (const service of services) await service.close();
    await world?.close();
  });

  const open = async (service: string, bearer = token) =>
    await openTunnel(await box.target(service, bearer));

  it("carries both directions whole, and each ends by itself", async () => {
    const tunnel = await open("mirror");
    expect(tunnel.getProtocol()).toBe("TLSv1.3");
    const bytes = randomBytes(20 * MIB);
    const closed = once(tunnel, "close");
    tunnel.end(bytes);
    expect(sha256(await readAll(tunnel))).toBe(sha256(bytes));
    await closed;
  });

  it("speaks first where the service does, and says each word as it comes", async () => {
    const tunnel = await open("chat");
    const [welcome] = (await once(tunnel, "data")) as [Buffer];
    expect(welcome.toString()).toContain("welcome");
    tunnel.write("hello");
    expect(String((await once(tunnel, "data"))[0])).toBe("hello");
    tunnel.end();
    await readAll(tunnel);
  });

  it("[CON-8] shows the relay ciphertext alone", async () => {
    box.seen.length = 0;
    const tunnel = await open("chat");
    const secret = "the words that nobody between may read";
    let heard = "";
    tunnel.on("data", (data) => (heard += data));
    tunnel.write(secret);
    while (!heard.includes(secret)) await once(tunnel, "data");
    const closed = once(tunnel, "close");
    tunnel.end();
    await closed;
    const seen = Buffer.concat(box.seen);
    expect(seen.includes("chat")).toBe(true); // the service's name, in OPEN
    expect(seen.includes("welcome, stranger")).toBe(false);
    expect(seen.includes(secret)).toBe(false);
  });

  it("speaks to nobody who does not hold the device's key", async () => {
    const other = Buffer.from(randomBytes(32)).toString("base64url");
    const target = { ...(await box.target("mirror", token)), publicKey: other };
    expect(await refusal(openTunnel(target))).toContain("does not hold the key");
  });

  it("says what is not there", async () => {
    const { link } = await box.target("mirror", token);
    const publicKey = await box.publicKey();
    const knock = (service: string, bearer = token) =>
      refusal(openTunnel({ link, token: bearer, service, publicKey }));
    expect(await knock("nothing")).toContain('no service called "nothing"');
    expect(await knock("closed")).toContain('nothing answers at its service "closed"');
    expect(await knock("web")).toContain("status 400");
    const narrow = await accessToken(world, box.owner, ["devices:write", "devices:read"]);
    expect(await knock("mirror", narrow.token)).toContain("scope devices:connect");
    expect(await knock("mirror", box.owner.token)).toContain("token is not good");
  });

  it("is for its owner: a stranger gets none, and an open door gives none", async () => {
    const stranger = await newPerson(world);
    const foreign = await accessToken(world, stranger);
    await box.change("/access", { mode: "everyone" });
    const { link } = await box.target("mirror", token);
    const publicKey = await box.publicKey();
    const target = { link, token: foreign.token, service: "mirror", publicKey };
    expect(await refusal(openTunnel(target))).toContain("may not open tunnels");
    await expect(box.target("mirror", foreign.token)).rejects.toThrow("no such device");
    await box.change("/access", { mode: "owner" });
  });

  it("[RGT-14] is for who is listed at that service, until they are not", async () => {
    const guest = await newPerson(world);
    const theirs = await accessToken(world, guest);
    const rules = `/api/devices/${box.id}/access/rules`;
    const body = { service: "chat", mode: "listed" };
    const made = await ask(world, rules, { token: box.owner.token, method: "PUT", body });
    const rule = made.json.access.rules.find((one: { service: string }) => one.service === "chat");
    const person = `/access/rules/${rule.id}/people/${guest.accountId}`;
    await expect(open("chat", theirs.token)).rejects.toThrow("no such device");
    await box.change(person, {});
    await expect(open("mirror", theirs.token)).rejects.toThrow("offers no");
    const tunnel = await open("chat", theirs.token);
    const closed = closing(tunnel);
    await box.change(person, {}, "DELETE");
    await closed;
    await expect(open("chat", theirs.token)).rejects.toThrow("no such device");
  });

  it("[RGT-14] ends with the token that opened it", async () => {
    const mine = await accessToken(world, box.owner);
    const [ended, goes] = [await open("chat", mine.token), await open("chat")];
    const closed = closing(ended);
    const path = `/api/tokens/${mine.id}`;
    expect((await ask(world, path, { token: box.owner.token, method: "DELETE" })).status).toBe(204);
    await closed;
    goes.write("still here");
    let heard = "";
    for await (const piece of goes) {
      heard += piece;
      if (heard.includes("still here")) break;
    }
    await expect(open("chat", mine.token)).rejects.toThrow("not good");
  });

  it("[FEA-4] ends with the door", async () => {
    const tunnel = await open("chat");
    const closed = closing(tunnel);
    await box.change("/features/link", { on: false });
    await closed;
    await expect(open("chat")).rejects.toThrow("no such device");
    box.lines.length = 0;
    await box.change("/features/link", { on: true });
    await box.said(/^Link is on/);
  });

  it("waits for a reader that is slow, on either side, with a window of bytes at most", async () => {
    // The service reads nothing: what the visitor can write is bounded by the windows on the way.
    const tunnel = await open("silent");
    tunnel.on("error", () => undefined);
    let accepted = 0;
    const block = randomBytes(MIB);
    for (let round = 0; round < 64; round++) {
      if (!tunnel.write(block)) {
        const drained = once(tunnel, "drain").then(() => true);
        const quiet = new Promise<false>((resolve) => void setTimeout(resolve, 1500, false));
        if (!(await Promise.race([drained, quiet]))) break;
      }
      accepted++;
    }
    // Kernel buffers on loopback take some megabytes; without a bound it would be all 64.
    expect(accepted).toBeLessThan(40);
    tunnel.destroy();
  });

  it("goes on, with every byte, through restarts of the edge", async () => {
    const tunnel = await open("chat");
    let heard = "";
    tunnel.on("data", (data) => (heard += data));
    const bytes = randomBytes(3 * MIB).toString("base64");
    for (const how of ["gently", "SIGKILL"] as const) {
      heard = "";
      tunnel.write(`${bytes}!`);
      while (heard.length < MIB) await once(tunnel, "data");
      await world.restart(how, async () => void tunnel.write("said while nobody carried it."));
      while (!heard.endsWith("carried it.")) await once(tunnel, "data");
      expect(heard.replace(/^welcome.*\n/, "")).toBe(`${bytes}!said while nobody carried it.`);
    }
    const closed = once(tunnel, "close");
    tunnel.end();
    await closed;
  });

  it("lists what the device offers, while it is connected", async () => {
    const path = `/api/tunnels/${box.label}`;
    const answer = await ask(world, path, { token });
    expect(answer.json).toMatchObject({
      device_id: box.id,
      online: true,
      public_key: await box.publicKey(),
      services: ["chat", "closed", "mirror", "silent"],
    });
    await box.stop();
    expect((await ask(world, path, { token })).json).toMatchObject({ online: false, services: [] });
  });
});
