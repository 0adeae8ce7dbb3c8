/** The shortcut's switch, turned again before what it began is done: the last word holds. */

import { connect } from "node:net";
import { beforeEach, describe, expect, it } from "vitest";
import type { AgentClock } from "../../agent/clock.ts";
import { type Settings, Shortcut } from "../../agent/shortcut.ts";
import { freePort } from "../contract/runtime.ts";

let port: number;
let settings: Settings;
let timers: number;
let said: string[];

beforeEach(async () => {
  port = await freePort();
  [timers, said] = [0, []];
  const off = { homeOrigin: null, direct: null, tls: null, ownTls: false, proxied: false };
  settings = { ...off, homePort: 5000, herePort: port };
});

const clock: AgentClock = {
  now: () => Date.now(),
  sleep: async () => undefined,
  every: () => {
    timers++;
    return () => void timers--;
  },
};

async function shortcut(installed = async () => null): Promise<Shortcut> {
  const pair = await crypto.subtle.generateKey("Ed25519", true, ["sign", "verify"]);
  const { privateKey } = pair as CryptoKeyPair;
  const box = { cloud: "http://127.0.0.1:1", host: "nas.ddns.test", privateKey };
  return new Shortcut(settings, box, { clock, log: () => undefined, installed });
}

const send = (text: string) => void said.push(text);

/** Whether something listens at the box's port. */
const isOpen = () =>
  new Promise<boolean>((resolve) => {
    const socket = connect({ port, host: "127.0.0.1" });
    const done = (open: boolean) => {
      socket.destroy();
      resolve(open);
    };
    socket.once("connect", () => done(true)).once("error", () => done(false));
  });

describe("the shortcut's switch", () => {
  it("off, while it begins to listen, leaves nothing on and nothing said", async () => {
    const one = await shortcut();
    await Promise.all([one.follow(true, send), one.follow(false, send)]);
    expect([said, timers, await isOpen()]).toEqual([[], 0, false]);
    await Promise.all([one.follow(true, send), one.follow(false, send), one.follow(true, send)]);
    expect([said.length, timers, await isOpen()]).toEqual([1, 1, true]);
    await one.close();
    expect([timers, await isOpen()]).toEqual([0, false]);
  });

  it("off, while it looks for its certificate, waits for none", async () => {
    settings = { ...settings, ownTls: true };
    const found = Promise.withResolvers<null>();
    const one = await shortcut(() => found.promise);
    const on = one.follow(true, send);
    await one.follow(false, send);
    found.resolve(null);
    await on;
    expect([said, timers, await isOpen()]).toEqual([[], 0, false]);
  });

  it("closed for good while it begins, is closed", async () => {
    const one = await shortcut();
    await Promise.all([one.follow(true, send), one.close()]);
    expect([said, timers, await isOpen()]).toEqual([[], 0, false]);
  });
});
