/**
 * A camera's film (RTSP, RFC 2326, its RTP in the same connection) through a tunnel: one ffmpeg at home
 * that takes it, another elsewhere that sends it.
 */

import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import type { AddressInfo, Server } from "node:net";
import { afterAll, beforeAll, expect, it } from "vitest";
import { listen } from "../../agent/tunnel/command.ts";
import { freePort } from "../contract/runtime.ts";
import { World } from "../contract/suite/world.ts";
import { workerd } from "../contract/workerd.ts";
import { accessToken, TunnelBox } from "../support/tunnel.ts";

const FRAMES = 75;
let world: World;
let box: TunnelBox;
let local: Server;

beforeAll(async () => {
  world = await World.create(workerd);
  box = await TunnelBox.make(world);
});
afterAll(async () => {
  local?.close();
  await box?.close();
  await world?.close();
});

function ffmpeg(...args: string[]): ChildProcess {
  const child = spawn("ffmpeg", ["-hide_banner", "-nostdin", ...args], {
    stdio: ["ignore", "pipe", "pipe"],
  });
  child.on("error", () => {
    throw new Error("ffmpeg is not installed: apt-get install ffmpeg");
  });
  return child;
}

async function textOf(stream: ChildProcess["stdout"]): Promise<string> {
  let text = "";
  for await (const piece of stream ?? []) text += piece;
  return text;
}

it("carries a film by RTSP, every frame of it", { timeout: 120_000 }, async () => {
  const port = await freePort();
  await box.run([`camera=127.0.0.1:${port}`]);
  const { token } = await accessToken(world, box.owner);
  local = await listen(await box.target("camera", token), 0, () => undefined);
  const through = (local.address() as AddressInfo).port;

  // Takes a film that is announced to it, and says a checksum of each frame.
  const taking = ["-rtsp_flags", "listen", "-i", `rtsp://127.0.0.1:${port}/live`];
  const taker = ffmpeg(...taking, "-frames:v", String(FRAMES), "-f", "framemd5", "-");
  const taken = textOf(taker.stdout);
  const complaints = textOf(taker.stderr);
  const ended = once(taker, "close");

  const picture = ["-re", "-f", "lavfi", "-i", "testsrc2=size=320x180:rate=25"];
  const coded = ["-t", "6", "-c:v", "mpeg4", "-bf", "0", "-g", "5", "-b:v", "2M"];
  const sent = ["-f", "rtsp", "-rtsp_transport", "tcp", `rtsp://127.0.0.1:${through}/live`];
  let over = false;
  void ended.then(() => {
    over = true;
  });
  // The one at home may need a moment before it listens.
  for (let tries = 0; tries < 50 && !over; tries++) {
    const sender = ffmpeg("-loglevel", "error", ...picture, ...coded, ...sent);
    sender.stderr?.resume();
    await Promise.race([once(sender, "close"), ended]);
    sender.kill("SIGKILL");
  }
  await ended;
  const frames = (await taken).split("\n").filter((line) => /^0,/.test(line));
  expect(frames.length, await complaints).toBe(FRAMES);
});
