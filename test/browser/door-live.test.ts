/**
 * What a page of a device does in a browser, through its door: WebSockets, events, streams, a film; and
 * what a page of somebody else's cannot do there.
 */

import { once } from "node:events";
import { createReadStream } from "node:fs";
import { mkdir, stat } from "node:fs/promises";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";
import type { Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { WebSocketServer } from "ws";
import { run } from "../../agent/run.ts";
import { type OpenSocket, openSocket } from "../../agent/socket.ts";
import { frameType } from "../../protocol/link/frames.ts";
import { visit } from "../support/browser.ts";
import {
  call,
  enrollDevice,
  openAccount,
  signInBrowser,
  startWorld,
  type TestAccount,
  type World,
} from "../support/console.ts";
import { makeFilm } from "../support/film.ts";

/** An object that nobody needs is thrown out after ten seconds (workerd 2026-11). */
const IDLE_MS = 14_000;

let world: World;
let home: Home;
let owner: TestAccount;
/** The identifier of the owner's box. */
let attic: string;
let attacker: TestAccount;
const stops: AbortController[] = [];
const runs: Promise<unknown>[] = [];
/** How many sessions the edge has begun with the box: an object that was thrown out begins another. */
let sessions = 0;

beforeAll(async () => {
  world = await startWorld();
  await mkdir(world.folder("films"), { recursive: true });
  const film = join(world.folder("films"), "film.webm");
  await makeFilm(film);
  home = await Home.start(film);
  owner = await openAccount(world, "owner@example.org");
  attacker = await openAccount(world, "attacker@example.org");
  attic = await openBox("attic", owner, "owner");
  await openBox("lair", attacker, "everyone");
}, 120_000);
afterAll(async () => {
  for (const stop of stops) stop.abort();
  await Promise.all(runs);
  home?.close();
  await world?.close();
});

async function openBox(label: string, account: TestAccount, mode: string): Promise<string> {
  const id = await enrollDevice(world, account, label);
  await call(world, "PUT", `/api/devices/${id}/features/link`, { on: true }, account);
  await call(world, "PUT", `/api/devices/${id}/access`, { mode }, account);
  const open: OpenSocket = (cloud, who, events) =>
    openSocket(cloud, who, {
      ...events,
      onBinary: (data) => {
        if (label === "attic" && new Uint8Array(data)[0] === frameType.hello) sessions++;
        events.onBinary(data);
      },
    });
  const stop = new AbortController();
  stops.push(stop);
  await new Promise<void>((on) => {
    const log = (line: string) => void (line.startsWith("Link is on") && on());
    const origin = `${home.origin}`;
    runs.push(run({ home: world.folder(label), serve: origin, log, signal: stop.signal, open }));
  });
  return id;
}

/** What a page of a test keeps. */
interface Kept {
  readonly kept: WebSocket;
  readonly heard: string[];
}

const door = (label: string) => `http://${label}.${world.linkZone}:${new URL(world.origin).port}`;

/** A browser of the owner, inside at the private door. */
async function inside(): Promise<{ page: Page; close: () => Promise<void> }> {
  const { page, context } = await visit(world.browser);
  await signInBrowser(world, context, owner);
  await page.goto(`${door("attic")}/`);
  await page.getByRole("heading", { name: "The box" }).waitFor();
  return { page, close: () => context.close() };
}

/** The service of both boxes. */
class Home {
  readonly #server: Server;
  readonly #film: string;
  /** `METHOD url origin` of every request and WebSocket that came. */
  readonly came: string[] = [];
  readonly ranges: string[] = [];
  readonly #heard: (() => void)[] = [];

  private constructor(film: string) {
    this.#film = film;
    this.#server = createServer((from, to) => void this.#serve(from, to).catch(() => to.destroy()));
    const sockets = new WebSocketServer({
      server: this.#server,
      handleProtocols: (offered) => (offered.has("second") ? "second" : false),
    });
    sockets.on("connection", (socket, from) => {
      this.#note(from);
      socket.on("message", (data: Buffer, isBinary) => {
        const [, code] = /^close (\d+)$/.exec(String(data)) ?? [];
        if (code !== undefined) socket.close(Number(code), "as you wish");
        else socket.send(data, { binary: isBinary });
      });
    });
  }

  static async start(film: string): Promise<Home> {
    const home = new Home(film);
    home.#server.listen(0, "127.0.0.1");
    await once(home.#server, "listening");
    return home;
  }

  get origin(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  close(): void {
    this.#server.closeAllConnections();
    this.#server.close();
  }

  #note(from: IncomingMessage): void {
    this.came.push(`${from.method} ${from.url} ${from.headers.host?.split(".")[0]}`);
  }

  async #serve(from: IncomingMessage, to: ServerResponse): Promise<void> {
    this.#note(from);
    switch (from.url) {
      case "/":
        to.setHeader("content-type", "text/html");
        return void to.end(
          "<!doctype html><title>Box</title><h1>The box</h1><p id=secret>only mine</p>",
        );
      case "/film.webm":
        return await this.#play(from, to);
      case "/heard":
        this.#heard.shift()?.();
        return void to.end();
      case "/events":
        to.setHeader("content-type", "text/event-stream");
        return await this.#drip(to, (at) => `id: ${at}\ndata: event ${at}\n\n`);
      case "/stream":
        return await this.#drip(to, (at) => `word ${at};`);
      default:
        return void to.end("something");
    }
  }

  /** Says three things, each when the page has heard the one before. */
  async #drip(to: ServerResponse, word: (at: number) => string): Promise<void> {
    for (let at = 0; at < 3; at++) {
      to.write(word(at));
      await new Promise<void>((resolve) => this.#heard.push(resolve));
    }
    to.end();
  }

  async #play(from: IncomingMessage, to: ServerResponse): Promise<void> {
    const { size } = await stat(this.#film);
    const [, first, last] = /^bytes=(\d+)-(\d*)$/.exec(from.headers.range ?? "") ?? [];
    to.setHeader("content-type", "video/webm");
    to.setHeader("accept-ranges", "bytes");
    const start = Number(first ?? 0);
    const end = last === undefined || last === "" ? size - 1 : Number(last);
    if (first !== undefined) {
      this.ranges.push(from.headers.range ?? "");
      to.statusCode = 206;
      to.setHeader("content-range", `bytes ${start}-${end}/${size}`);
    }
    to.setHeader("content-length", end - start + 1);
    await pipeline(createReadStream(this.#film, { start, end }), to);
  }
}

describe("the page of its owner", () => {
  it("shows who is connected and how much passes, as it happens, and never what", async () => {
    const { page, context } = await visit(world.browser);
    await signInBrowser(world, context, owner);
    await page.goto(`${world.origin}/devices/${attic}`);
    const row = page.locator("[data-agent]:visible");
    await expect.poll(() => row.count()).toBe(1);
    const service = row.locator("[data-service-word]:visible");
    await expect.poll(() => service.allTextContents()).toEqual(["its page answers"]);
    expect(await row.textContent()).toMatch(/latchkey-agent\/[\d.]+, .*Connected .* 0 on the way/s);
    const total = page.locator('[data-traffic-total="requests"]');
    const requests = async () => Number(await total.textContent());
    const before = await requests();
    const inner = await inside();
    const asked = await inner.page.evaluate(async () => {
      const reader = ((await fetch("/stream")).body as ReadableStream<Uint8Array>).getReader();
      await reader.read();
      const end = async () => {
        for (let ended = false; !ended; ) {
          await fetch("/heard", { method: "POST" });
          ended = (await reader.read()).done;
        }
      };
      Object.assign(window, { end });
      for (let nth = 0; nth < 5; nth++) await (await fetch(`/holiday-${nth}.jpg`)).text();
      return 6;
    });
    const patient = { timeout: 15_000 };
    await expect.poll(requests, patient).toBeGreaterThanOrEqual(before + asked);
    await expect.poll(() => row.textContent(), patient).toContain("1 on the way");
    const bars = '[data-traffic-bar="out"]';
    const height = () => page.locator(bars).last().getAttribute("height").then(Number);
    expect(await height()).toBeGreaterThan(0);
    expect(await page.content()).not.toMatch(/holiday|\/stream/);
    await inner.page.evaluate(() => (window as unknown as { end: () => Promise<void> }).end());
    await expect.poll(() => row.textContent(), patient).toContain("0 on the way");
    await Promise.all([inner.close(), context.close()]);
  });
});

describe("a page of the device", () => {
  it("has a WebSocket: text, binary, subprotocol, close codes both ways", async () => {
    const { page, close } = await inside();
    const said = await page.evaluate(async () => {
      const open = async () => {
        const socket = new WebSocket(location.origin.replace("http", "ws"), ["first", "second"]);
        socket.binaryType = "arraybuffer";
        await new Promise((resolve) => socket.addEventListener("open", resolve, { once: true }));
        return socket;
      };
      const next = <Name extends "message" | "close">(socket: WebSocket, name: Name) =>
        new Promise<WebSocketEventMap[Name]>((resolve) =>
          socket.addEventListener(name, resolve, { once: true }),
        );
      const one = await open();
      one.send("some wörds");
      const text = (await next(one, "message")).data;
      one.send(new Uint8Array([0, 255, 7]));
      const binary = [...new Uint8Array((await next(one, "message")).data)];
      one.send("close 4321");
      const theirs = await next(one, "close");
      const other = await open();
      const ours = next(other, "close");
      other.close(3210, "enough");
      const end = await ours;
      return {
        ...{ text, binary, protocol: one.protocol },
        theirs: [theirs.code, theirs.reason, theirs.wasClean],
        ours: [end.code, end.reason, end.wasClean],
      };
    });
    expect(said).toEqual({
      ...{ text: "some wörds", binary: [0, 255, 7], protocol: "second" },
      theirs: [4321, "as you wish", true],
      ours: [3210, "enough", true],
    });
    await close();
  });

  it("keeps a WebSocket that says nothing while the device's object is thrown out", async () => {
    const { page, close } = await inside();
    await page.evaluate(async () => {
      const socket = new WebSocket(location.origin.replace("http", "ws"), ["second"]);
      const heard: string[] = [];
      Object.assign(window, { kept: socket, heard });
      socket.onmessage = ({ data }) => void heard.push(data);
      socket.onclose = ({ code }) => void heard.push(`closed ${code}`);
      await new Promise((resolve) => {
        socket.onopen = resolve;
      });
      socket.send("before");
    });
    const heard = () => page.evaluate(() => (window as unknown as Kept).heard);
    await expect.poll(heard).toEqual(["before"]);
    const before = sessions;
    await page.waitForTimeout(IDLE_MS);
    await page.evaluate(() => void (window as unknown as Kept).kept.send("after"));
    await expect.poll(heard, { timeout: 20_000 }).toEqual(["before", "after"]);
    expect(sessions, "the object had forgotten its session").toBe(before + 1);
    await close();
  });

  it("hears events and reads a stream as they are said", async () => {
    const { page, close } = await inside();
    const [events, words] = await page.evaluate(async () => {
      const tell = () => fetch("/heard", { method: "POST" });
      const heard: string[] = [];
      await new Promise<void>((resolve) => {
        const source = new EventSource("/events");
        source.onmessage = async ({ data, lastEventId }) => {
          heard.push(`${lastEventId} ${data}`);
          if (heard.length === 3) source.close();
          await tell();
          if (heard.length === 3) resolve();
        };
      });
      const reader = ((await fetch("/stream")).body as ReadableStream<Uint8Array>).getReader();
      const read: string[] = [];
      for (;;) {
        const { done, value } = await reader.read();
        if (done) return [heard, read];
        read.push(new TextDecoder().decode(value));
        await tell();
      }
    });
    expect(events).toEqual(["0 event 0", "1 event 1", "2 event 2"]);
    expect(words).toEqual(["word 0;", "word 1;", "word 2;"]);
    await close();
  });

  it("plays a film, and seeks in it by Range", async () => {
    const { page, close } = await inside();
    home.ranges.length = 0;
    const times = await page.evaluate(async () => {
      const film = document.createElement("video");
      film.muted = true;
      film.preload = "metadata";
      film.src = "/film.webm";
      document.body.append(film);
      const on = (name: string) =>
        new Promise((resolve, reject) => {
          film.addEventListener(name, resolve, { once: true });
          film.addEventListener("error", () => reject(new Error(film.error?.message)), {
            once: true,
          });
        });
      await on("loadedmetadata");
      const reached: number[] = [];
      for (const second of [100, 20, 60]) {
        const there = on("seeked");
        film.currentTime = second;
        await there;
        reached.push(Math.round(film.currentTime));
      }
      await film.play();
      await on("timeupdate");
      return [...reached, film.videoWidth, film.duration > 119];
    });
    expect(times).toEqual([100, 20, 60, 160, true]);
    expect(home.ranges.length).toBeGreaterThan(2);
    await close();
  });
});

describe("a page of somebody else's, in the browser of whoever is inside", () => {
  /** A page on another device's door is of the same site, to a browser: the nearest that another can be. */
  it("neither reads nor changes what is behind a private door", async () => {
    const { page, close } = await inside();
    await page
      .context()
      .addCookies([
        { name: "__Host-door-seen", value: "yes", url: door("lair").replace("http", "https") },
      ]);
    await page.goto(`${door("lair")}/`);
    await page.getByRole("heading", { name: "The box" }).waitFor();
    home.came.length = 0;
    const got = await page.evaluate(async (target) => {
      const attempt = async (work: () => Promise<unknown>) => {
        try {
          return await work();
        } catch {
          return "refused";
        }
      };
      const credentials = "include" as const;
      const frame = document.createElement("iframe");
      frame.src = `${target}/`;
      const framed = new Promise((resolve) => {
        frame.onload = resolve;
      });
      document.body.append(frame);
      await framed;
      const form = document.createElement("form");
      const sink = document.createElement("iframe");
      sink.name = "sink";
      Object.assign(form, { method: "post", action: `${target}/form`, target: "sink" });
      document.body.append(sink, form);
      const sent = new Promise((resolve) => {
        sink.onload = resolve;
      });
      form.submit();
      await sent;
      const beacon = navigator.sendBeacon(`${target}/beacon`, "x");
      return {
        beacon,
        read: await attempt(async () => await (await fetch(`${target}/`, { credentials })).text()),
        opaque: await attempt(
          async () =>
            await (await fetch(`${target}/opaque`, { credentials, mode: "no-cors" })).text(),
        ),
        posted: await attempt(
          async () =>
            (
              await fetch(`${target}/posted`, {
                credentials,
                mode: "no-cors",
                method: "POST",
                body: "x",
              })
            ).type,
        ),
        framed: await attempt(async () => frame.contentDocument?.body.textContent ?? "nothing"),
        socket: await new Promise((resolve) => {
          const socket = new WebSocket(`${target.replace("http", "ws")}/socket`, ["second"]);
          socket.onopen = () => resolve("open");
          socket.onerror = () => resolve("refused");
        }),
        events: await new Promise((resolve) => {
          const source = new EventSource(`${target}/events`, { withCredentials: true });
          source.onmessage = () => resolve("heard");
          source.onerror = () => resolve("refused");
        }),
      };
    }, door("attic"));
    expect(got).toMatchObject({
      read: "refused",
      opaque: "",
      socket: "refused",
      events: "refused",
    });
    expect(got.framed).toBe("nothing");
    // What may have come to the device are plain GETs, whose answers nobody but its own page reads.
    const changes = home.came.filter((line) => line.endsWith(" attic") && !line.startsWith("GET "));
    expect(changes).toEqual([]);
    expect(home.came.filter((line) => line.includes("/socket"))).toEqual([]);
    await close();
  });
});
