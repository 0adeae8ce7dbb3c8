/** Debian's oidc-agent against a running edge: a command line that signs in by the device grant. */

import { spawn } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { World } from "../contract/suite/world.ts";
import { type Issuer, Run } from "./openid/issuer.ts";
import { latchkey, startProvider } from "./openid/latchkey.ts";

const INSTALL = "oidc-agent is not installed: apt-get install oidc-agent-cli";

describe("oidc-agent 4.2", () => {
  let world: World;
  let issuer: Issuer;
  let run: Run;
  let folder: string;
  /** Its process: it leaves the one that started it. */
  let agent = 0;
  let socket = "";

  beforeAll(async () => {
    world = await startProvider();
    issuer = await latchkey(world);
    run = await Run.of(issuer);
    folder = await mkdtemp(join(tmpdir(), "latchkey-oidc-agent-"));
    const [said] = await start("oidc-agent", ["--json", "--no-autoreauthenticate"]).until(
      /\{[^}]*"dpid"[^}]*\}/,
    );
    const started = JSON.parse(said) as { socket: string; dpid: string };
    socket = started.socket;
    agent = Number(started.dpid);
  });
  afterAll(async () => {
    if (agent > 0) process.kill(agent);
    await rm(folder, { recursive: true, force: true });
    await world?.close();
  });

  /** Starts a program with a home of its own and the agent's socket. */
  function start(command: string, args: readonly string[]) {
    const env = {
      PATH: process.env.PATH,
      HOME: folder,
      TMPDIR: folder,
      OIDC_CONFIG_DIR: folder,
      OIDC_SOCK: socket,
      OIDC_ENCRYPTION_PW: "a password of this test",
    };
    const child = spawn(command, [...args], { env, stdio: ["ignore", "pipe", "pipe"] });
    let said = "";
    const listeners = new Set<() => void>();
    const heard = (data: Buffer) => {
      said += data;
      for (const tell of listeners) tell();
    };
    child.stdout.on("data", heard);
    child.stderr.on("data", heard);
    const ended = new Promise<number | null>((resolve, reject) => {
      child.once("error", () => reject(new Error(INSTALL)));
      child.once("close", resolve);
    });
    const until = (pattern: RegExp) =>
      new Promise<RegExpExecArray>((resolve, reject) => {
        const look = () => {
          const found = pattern.exec(said);
          if (found !== null) resolve(found);
        };
        listeners.add(look);
        look();
        const gone = (code: number | null) => {
          look();
          reject(new Error(`${command} ended with ${code}: ${said}`));
        };
        ended.then(gone, reject);
      });
    return { child, until, ended, said: () => said };
  }

  const token = async (...args: string[]) => {
    const program = start("oidc-token", [...args, "box"]);
    expect([await program.ended, program.said()]).toEqual([0, expect.stringMatching(/^lk_oat_/)]);
    return program.said().trim();
  };

  it("signs in by the device grant, and renews by itself", async () => {
    const { native } = issuer.clients;
    const program = start("oidc-gen", [
      "box",
      `--issuer=${issuer.url}`,
      `--client-id=${native.id}`,
      "--client-secret=",
      "--scope=openid offline_access",
      "--flow=device",
      "--pw-env",
      "--prompt=none",
      "--confirm-default",
      "--no-url-call",
    ]);
    const [userCode] = await program.until(/[A-Z]{4}-[A-Z]{4}/);
    await run.walk(run.metadata.device_authorization_endpoint.replace("/oauth/device", "/device"), {
      userCode,
    });
    expect([await program.ended, program.said()]).toEqual([0, expect.anything()]);

    const first = await token();
    expect((await run.userinfo(first)).status).toBe(200);
    const renewed = await token("--force-new");
    expect(renewed).not.toBe(first);
    expect((await run.userinfo(renewed)).status).toBe(200);
    const again = await token("--force-new");
    expect((await run.userinfo(again)).status).toBe(200);
  });

  it("is out when its owner ends it", async () => {
    const last = await token("--force-new");
    await issuer.fresh();
    expect((await run.userinfo(last)).status).toBe(401);
    const refused = start("oidc-token", ["--force-new", "box"]);
    expect(await refused.ended).not.toBe(0);
  });
});
