/** What is Deno's alone: how it starts, refuses to start, survives a kill, and what its folder holds. */

import { mkdirSync, readdirSync, statSync, writeFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from "vitest";
import { hashToken } from "../../protocol/tokens.ts";
import { buildConsole } from "../../scripts/build-console.ts";
import { search } from "../support/canary.ts";
import { DenoServer, deno } from "./deno-process.ts";
import { freePort } from "./runtime.ts";
import { ask } from "./suite/http.ts";
import { household } from "./suite/lasting.ts";
import { newPerson, signInAgain } from "./suite/person.ts";
import { World } from "./suite/world.ts";

/** An edge that is gone after the test, however it ends. */
async function newWorld(): Promise<World> {
  const world = await World.create(deno);
  onTestFinished(() => world.close());
  return world;
}

describe("deno task serve", () => {
  let folder: string;
  beforeAll(async () => {
    await buildConsole();
    folder = await mkdtemp(join(tmpdir(), "latchkey-deno-"));
  });
  afterAll(() => rm(folder, { recursive: true }));

  /** Starts a server that is to give up; what it said, in one text. */
  async function refusal(
    options: readonly string[],
    variables: Readonly<Record<string, string>> = {},
  ): Promise<string> {
    const server = new DenoServer(options, variables);
    expect(await server.ended).toBe(1);
    return server.lines.join("\n");
  }

  it("says what is wrong with an option or a variable", async () => {
    expect(await refusal(["--colour"])).toContain("Unknown option '--colour'");
    expect(await refusal(["--port", "70000"])).toContain("--port must be a number");
    const data = ["--data", join(folder, "none")];
    expect(await refusal(data, { ORIGIN: "nothing" })).toContain("ORIGIN must be a URL");
    expect(await refusal(data, { ORIGIN: "https://latchkey.example" })).toMatch(
      /The variable [A-Z_]+ is missing/,
    );
    expect(readdirSync(folder)).toEqual([]);
  });

  it("says so when the port is taken", async () => {
    const other = createServer();
    const port = await freePort();
    await new Promise<void>((resolve) => other.listen(port, "127.0.0.1", resolve));
    const said = await refusal(["--port", `${port}`, "--data", join(folder, "port")]);
    expect(said).toContain(`Port ${port} is taken.`);
    other.close();
  });

  it("says so when the folder cannot be used, is in use, or holds something else", async () => {
    const file = join(folder, "file");
    writeFileSync(file, "");
    expect(await refusal(["--data", file])).toContain(`The data folder ${file} cannot be used`);

    const broken = join(folder, "broken");
    mkdirSync(broken);
    writeFileSync(join(broken, "directory.db"), "this is not a database".repeat(100));
    expect(await refusal(["--data", broken])).toContain(`The databases in ${broken}`);

    const data = join(folder, "used");
    const first = await deno.start({ data, port: await freePort(), variables: {} });
    expect(await refusal(["--data", data, "--port", `${await freePort()}`])).toContain(
      `Another Latchkey uses the data folder ${data}`,
    );
    await first.stop();
  });

  it("starts again after a kill, with everything it had acknowledged", async () => {
    const world = await newWorld();
    const { person, box, host } = await household(world);
    const tokens = [];
    for (let time = 0; time < 4; time++) tokens.push(await signInAgain(world, person));
    await world.restart("SIGKILL");
    for (const token of tokens) {
      expect((await ask(world, "/api/account", { token })).json.id).toBe(person.accountId);
    }
    expect((await box.ask("")).json).toMatchObject({
      features: { name: true, link: true },
      name: { has_update_secret: true },
    });
    expect(host).toContain(box.label);
  });

  it("makes nothing on disk for a device or a door that does not exist", async () => {
    const world = await newWorld();
    const { token } = await newPerson(world);
    const id = "dev_home_0123456789ABCDEF";
    for (const path of [`/api/devices/${id}`, "/api/devices/..%2F..%2Fescape", "/api/devices/x"]) {
      expect((await ask(world, path, { token })).status).toBe(404);
      expect((await ask(world, path, { token, method: "DELETE" })).status).toBe(404);
    }
    expect((await ask(world, "/", { host: world.doorHost("nobody-home") })).status).toBe(404);
    expect(readdirSync(join(world.data, "devices"))).toEqual(["alarms.db"]);
  });

  it("[RGT-4] an erased account's very identifiers are in no byte of the folder", async () => {
    const world = await newWorld();
    const [leaving, staying] = [await household(world), await household(world)];
    const { person, box } = leaving;
    const markers = {
      account: person.accountId,
      device: box.id,
      session: await hashToken(person.token),
      address: person.address,
      label: box.label,
    };
    const controls = {
      account: staying.person.accountId,
      device: staying.box.id,
      session: await hashToken(staying.person.token),
      label: staying.box.label,
    };
    const before = await search({ folder: world.data, markers, controls });
    expect(new Set(before.map((hit) => hit.marker))).toEqual(
      new Set(["account", "device", "session", "label"]),
    );
    const body = { password: person.password };
    await ask(world, "/api/account", { method: "DELETE", token: person.token, body });
    await world.sweep();
    expect(await search({ folder: world.data, markers, controls })).toEqual([]);
  });

  it("keeps nothing readable by another user of the machine", async () => {
    const world = await newWorld();
    await household(world);
    const readable = filesBelow(world.data).filter(({ mode }) => (mode & 0o077) !== 0);
    expect(readable).toEqual([]);
  });
});

function filesBelow(folder: string): { name: string; mode: number }[] {
  return readdirSync(folder, { recursive: true, encoding: "utf8" }).map((name) => ({
    name,
    mode: statSync(join(folder, name)).mode,
  }));
}
