/**
 * Documents that want out, in a real browser: none runs, none reaches the device's origin, its cookies
 * or the network. And the frame itself, taken as lost: whoever ran code in it would get no further.
 */

import { createSocket, type Socket } from "node:dgram";
import { once } from "node:events";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import type { Frame, Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { type Hostile, hostileDocuments } from "../support/hostile-documents.ts";
import { startViewerWorld, type ViewerWorld, viewOf } from "../support/viewer.ts";

let world: ViewerWorld;
/** Somewhere else on the network, over TCP and UDP: nothing may ever arrive there. */
let sink: { origin: string; server: Server; udp: Socket };
/** What the device was asked. */
const asked: string[] = [];
const arrived: string[] = [];
let home: Server;
let documents: ReadonlyMap<string, Hostile>;

beforeAll(async () => {
  const server = createServer((request, response) => {
    arrived.push(request.url ?? "");
    response.setHeader("access-control-allow-origin", "*").end();
  });
  server.on("connection", () => arrived.push("a connection"));
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  const udp = createSocket("udp4", () => arrived.push("a packet"));
  udp.bind(port, "127.0.0.1");
  sink = { origin: `http://127.0.0.1:${port}`, server, udp };
  documents = new Map(hostileDocuments(sink.origin).map((one) => [`/files/${one.name}`, one]));
  home = createServer((request, response) => {
    asked.push(request.url ?? "");
    const found = documents.get(request.url ?? "");
    if (request.url === "/elsewhere.txt") {
      response.writeHead(302, { location: `${sink.origin}/redirected` }).end();
    } else if (request.url === "/login.pdf") {
      response.setHeader("content-type", "text/html").end("<p>Sign in first");
    } else if (request.url === "/script.js") {
      response.setHeader("content-type", "text/javascript").end("window.pwned = 1");
    } else if (found === undefined) response.writeHead(404).end();
    else response.setHeader("set-cookie", "own=secret; Path=/").end(found.content);
  });
  home.listen(0, "127.0.0.1");
  await once(home, "listening");
  world = await startViewerWorld(`http://127.0.0.1:${(home.address() as AddressInfo).port}`);
});

afterAll(async () => {
  await world.close();
  home.close();
  sink.server.close();
  sink.udp.close();
});
afterEach(() => {
  arrived.length = 0;
  asked.length = 0;
});

/** The frame of the document, or null where the page says a word instead. */
async function settled(page: Page): Promise<Frame | null> {
  await page.locator("[data-stage][data-shown], .view-word").first().waitFor();
  return page.frames().find((one) => one !== page.mainFrame()) ?? null;
}

const names = hostileDocuments("").map(({ name }) => name);

describe("a document", () => {
  it.each(names)("%s neither runs nor loads nor reaches anything", async (name) => {
    const document = documents.get(`/files/${name}`) as Hostile;
    const { page, context, requests } = await world.visitor();
    const dialogs: string[] = [];
    page.on("dialog", (dialog) => {
      dialogs.push(dialog.message());
      void dialog.dismiss();
    });
    await page.goto(viewOf(world, `/files/${name}`));
    const frame = await settled(page);
    if (document.seen === null) {
      expect(frame).toBe(null);
      const word = await page.locator(".view-word h2").textContent();
      if (document.refused !== undefined) expect(word).toBe(document.refused);
      expect([
        "This file cannot be read",
        "There is more in this file than the viewer opens",
        "This file is locked with a password",
      ]).toContain(word);
    } else {
      if (frame === null) throw new Error("not shown");
      expect(await page.locator("iframe").getAttribute("sandbox")).toBe("allow-scripts");
      if (document.seen !== "") await frame.getByText(document.seen).first().waitFor();
      // Whatever it put there has had its turn.
      await frame.evaluate(() => new Promise((done) => requestAnimationFrame(() => done(null))));
      expect(await frame.evaluate(() => Reflect.get(window, "pwned"))).toBeUndefined();
      expect(await frame.locator("script, iframe, object, embed, form, link, base").count()).toBe(
        1,
      );
      expect(
        await frame.locator("[onload], [onerror], [onfocus], [onclick], [ontoggle]").count(),
      ).toBe(0);
      expect(await frame.locator('a[href^="javascript:" i], a[href^="data:" i]').count()).toBe(0);
      expect(page.frames()).toHaveLength(2);
    }
    expect(await page.evaluate(() => Reflect.get(window, "pwned"))).toBeUndefined();
    expect(dialogs).toEqual([]);
    expect(arrived).toEqual([]);
    expect(asked).toEqual([`/files/${name}`]);
    const hosts = new Set(
      requests.filter((url) => !/^(?:blob|data):/.test(url)).map((url) => new URL(url).host),
    );
    hosts.delete(new URL(world.origin).host);
    expect([...hosts]).toEqual([new URL(world.door).host]);
    await context.close();
  });

  it("elsewhere is not followed, and a page in its place is not shown", async () => {
    const { page, context } = await world.visitor();
    await page.goto(viewOf(world, "/elsewhere.txt"));
    await page.getByRole("heading", { name: "The file did not come" }).waitFor();
    await page.goto(viewOf(world, "/login.pdf"));
    await page.getByRole("heading", { name: "The device answered with a page" }).waitFor();
    expect(arrived).toEqual([]);
    await context.close();
  });
});

describe("a frame that is lost", () => {
  const reach: Readonly<Record<string, string | ((sink: string, door: string) => unknown)>> = {
    "fetches from elsewhere": (sink) => fetch(`${sink}/fetch`),
    "fetches from the device": (_, door) => fetch(`${door}/files/evil.md`),
    "fetches with cookies": (_, door) =>
      fetch(`${door}/files/evil.md`, { credentials: "include", mode: "no-cors" }),
    "sends a beacon": (sink) => {
      if (!navigator.sendBeacon(`${sink}/beacon`, "x")) throw new Error("refused");
      throw new Error("taken, and dropped by the policy");
    },
    "opens a socket": (sink) =>
      new Promise((done, fail) => {
        const socket = new WebSocket(sink.replace("http", "ws"));
        socket.onopen = done;
        socket.onerror = () => fail(new Error("refused"));
      }),
    "listens to events": (sink) =>
      new Promise((done, fail) => {
        const source = new EventSource(`${sink}/events`);
        source.onopen = done;
        source.onerror = () => fail(new Error("refused"));
      }),
    "loads a picture": (sink) =>
      new Promise((done, fail) => {
        const image = new Image();
        image.onload = done;
        image.onerror = () => fail(new Error("refused"));
        image.src = `${sink}/picture`;
      }),
    "loads a script of the device": (_, door) =>
      new Promise((done, fail) => {
        const script = document.createElement("script");
        script.onload = done;
        script.onerror = () => fail(new Error("refused"));
        script.src = `${door}/script.js`;
        document.head.append(script);
      }),
    "imports a module": "(_, door) => import(door + '/script.js')",
    "starts a worker from elsewhere": (sink) => new Worker(`${sink}/worker.js`),
    "writes a script": () => {
      const script = document.createElement("script");
      script.textContent = "window.written = 1";
      document.head.append(script);
      if (Reflect.get(window, "written") === undefined) throw new Error("refused");
    },
    "reads the page": () => parent.document.title,
    "reads the page's cookies": () => document.cookie,
    "uses the device's storage": () => localStorage.length,
    "uses a database": () =>
      new Promise((done, fail) => {
        const request = indexedDB.open("x");
        request.onsuccess = done;
        request.onerror = fail;
      }),
    "uses a cache": () => caches.open("x"),
    "registers a service worker": (_, door) =>
      navigator.serviceWorker.register(`${door}/script.js`),
    "opens a window": (sink) => {
      if (window.open(`${sink}/window`) === null) throw new Error("refused");
    },
    "moves the page": (sink) => {
      (top as Window).location.href = `${sink}/top`;
    },
    "connects to a peer": () => new RTCPeerConnection(),
    "connects to a peer from a frame of its own": () => {
      const inner = document.createElement("iframe");
      document.body.append(inner);
      const { RTCPeerConnection: Inner } = inner.contentWindow as unknown as typeof globalThis;
      return new Inner();
    },
  };

  it("is not reached by the visitor's browser through any way out", async () => {
    const { page, context } = await world.visitor();
    await page.goto(viewOf(world, "/files/evil.md"));
    const frame = (await settled(page)) as Frame;
    asked.length = 0;
    for (const [way, attempt] of Object.entries(reach)) {
      const call = `(${attempt})(${JSON.stringify(sink.origin)}, ${JSON.stringify(world.door)})`;
      const result = await frame.evaluate(
        `(async () => { try { return { done: String(await ${call}) } } catch (error) { return { refused: String(error) } } })()`,
      );
      expect([way, result]).toEqual([way, { refused: expect.any(String) }]);
    }
    expect(arrived).toEqual([]);
    expect(asked).toEqual([]);
    await context.close();
  });

  it.each(["elsewhere", "the device", "the viewer of another document"])(
    "goes nowhere by itself: %s",
    async (where) => {
      const { page, context } = await world.visitor();
      await page.goto(viewOf(world, "/files/evil.md"));
      const frame = (await settled(page)) as Frame;
      asked.length = 0;
      const target =
        where === "elsewhere"
          ? `${sink.origin}/away`
          : where === "the device"
            ? `${world.door}/files/evil.html`
            : viewOf(world, "/files/evil.html");
      await Promise.all([
        page.waitForEvent("framenavigated"),
        frame.evaluate((to) => {
          location.href = to;
        }, target),
      ]);
      expect(frame.url()).toBe("chrome-error://chromewebdata/");
      // Chromium connects ahead of what it is going to refuse, and then says nothing there.
      expect(arrived.filter((what) => what !== "a connection")).toEqual([]);
      expect(asked).toEqual([]);
      await context.close();
    },
  );
});
