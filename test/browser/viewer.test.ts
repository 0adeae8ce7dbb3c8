/** The viewer in a real browser: every kind of document, seen through the door of a real device. */

import type { Frame, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { docx, pptx, xlsx } from "../../demo/samples/office.ts";
import { pdf } from "../../demo/samples/plain.ts";
import { limits } from "../../protocol/limits.ts";
import { axe } from "../support/axe.ts";
import { keepPicture, phone } from "../support/browser.ts";
import { newMarker, search } from "../support/canary.ts";
import { opened, startViewerWorld, type ViewerWorld, viewOf } from "../support/viewer.ts";

let world: ViewerWorld;

beforeAll(async () => {
  world = await startViewerWorld();
});
afterAll(() => world.close());

/** What is seen of each sample. */
const samples: readonly [name: string, text: string][] = [
  ["welcome.txt", "Welcome to the box at home."],
  ["garden.md", "The garden"],
  ["insurance.pdf", "Household insurance"],
  ["house-rules.docx", "The key hangs behind the door."],
  ["heating.xlsx", "December"],
  ["summer.pptx", "The hut above the lake"],
];

describe("a document that is text", () => {
  it.each(samples)("%s is seen, on a desk and a phone, by day and night", async (name, text) => {
    for (const [place, options] of [
      ["desk-light", {}],
      ["desk-dark", { colorScheme: "dark" }],
      ["phone-light", { viewport: phone }],
      ["phone-dark", { viewport: phone, colorScheme: "dark" }],
    ] as const) {
      // For axe, which is not ours; the frame keeps having no origin.
      const { page, context } = await world.visitor({ ...options, bypassCSP: true });
      const frame = await opened(world, page, name);
      await frame.getByText(text).first().waitFor();
      await keepPicture(page, `viewer-${name}-${place}`);
      expect(await axe(page), `${name} ${place}`).toEqual([]);
      expect(await axe(frame), `${name} ${place}, inside`).toEqual([]);
      const wide = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
      expect(wide, `${name} ${place}`).toBeLessThanOrEqual(0);
      await context.close();
    }
  });

  it("is shown without a complaint of the browser, and without asking anybody else", async () => {
    const { page, context, complaints, requests } = await world.visitor();
    for (const [name, text] of samples) {
      const frame = await opened(world, page, name);
      await frame.getByText(text).first().waitFor();
    }
    expect(complaints).toEqual([]);
    const hosts = requests
      .filter((url) => !/^(?:blob|data):/.test(url))
      .map((url) => new URL(url).host);
    expect([...new Set(hosts)].sort()).toEqual(
      [new URL(world.door).host, new URL(world.origin).host].sort(),
    );
    await context.close();
  });
});

describe("a picture", () => {
  it.each([
    ["dusk.png", 640, 400],
    ["door.svg", 480, 320],
  ])("%s is drawn", async (name, width, height) => {
    const { page, context, complaints } = await world.visitor();
    const frame = await opened(world, page, name);
    const image = frame.getByRole("img", { name });
    await image.waitFor();
    const drawn = await image.evaluate((one: HTMLImageElement) => ({
      size: [one.naturalWidth, one.naturalHeight],
      shown: one.getBoundingClientRect().width > 100,
    }));
    expect(drawn.shown).toBe(true);
    // An SVG without a size has whatever size the browser gives it.
    if (name.endsWith(".png")) expect(drawn.size).toEqual([width, height]);
    await keepPicture(page, `viewer-${name}`);
    expect(complaints).toEqual([]);
    await context.close();
  });
});

describe("sound and film", () => {
  it("plays a sound, and asks for the piece that is sought", async () => {
    const { page, context } = await world.visitor();
    const ranges: string[] = [];
    page.on("request", (request) => {
      const { range } = request.headers();
      if (range !== undefined) ranges.push(range);
    });
    await page.goto(viewOf(world, "/files/bell.wav"));
    const player = page.locator("audio.view-player");
    await player.waitFor();
    await expect
      .poll(() => player.evaluate((one: HTMLAudioElement) => one.duration), { timeout: 30_000 })
      .toBeCloseTo(3, 1);
    await player.evaluate(
      (one: HTMLAudioElement) =>
        new Promise((done) => {
          one.addEventListener("seeked", () => done(null), { once: true });
          one.currentTime = 2.5;
        }),
    );
    expect(await player.evaluate((one: HTMLAudioElement) => one.currentTime)).toBeCloseTo(2.5, 1);
    expect(ranges.length).toBeGreaterThan(0);
    await keepPicture(page, "viewer-bell.wav");
    await context.close();
  });

  it("plays a film that the browser itself has recorded", async () => {
    const { page, context } = await world.visitor();
    await page.goto("about:blank");
    const film = await page.evaluate(async () => {
      const canvas = document.createElement("canvas");
      const drawing = canvas.getContext("2d") as CanvasRenderingContext2D;
      const recorder = new MediaRecorder(canvas.captureStream(30), { mimeType: "video/webm" });
      const pieces: Blob[] = [];
      recorder.ondataavailable = ({ data }) => pieces.push(data);
      const stopped = new Promise((done) => {
        recorder.onstop = done;
      });
      recorder.start();
      for (let frame = 0; frame < 20; frame++) {
        drawing.fillStyle = `hsl(${frame * 18} 60% 40%)`;
        drawing.fillRect(0, 0, 300, 150);
        await new Promise((next) => requestAnimationFrame(next));
      }
      recorder.stop();
      await stopped;
      return [...new Uint8Array(await new Blob(pieces).arrayBuffer())];
    });
    expect(film.length).toBeGreaterThan(100);
    await world.put("film.webm", Uint8Array.from(film));
    await page.goto(viewOf(world, "/files/film.webm"));
    const player = page.locator("video.view-player");
    await expect
      .poll(() => player.evaluate((one: HTMLVideoElement) => one.videoWidth), { timeout: 30_000 })
      .toBe(300);
    await context.close();
  });

  it("says so when it cannot be played, or is not there", async () => {
    await world.put("noise.mp3", "not a sound");
    const { page, context } = await world.visitor();
    await page.goto(viewOf(world, "/files/noise.mp3"));
    await page.getByRole("heading", { name: "This browser cannot play it" }).waitFor();
    await page.goto(viewOf(world, "/files/gone.mp4"));
    await page.getByRole("heading", { name: "There is no such file" }).waitFor();
    await context.close();
  });
});

describe("what a visitor does", () => {
  it("turns pages and changes the size by keys, where the document has the focus", async () => {
    const { page, context } = await world.visitor();
    const frame = await opened(world, page, "insurance.pdf");
    const field = page.getByLabel("Page");
    expect(await field.inputValue()).toBe("1");
    await frame.locator("body").click();
    await page.keyboard.press("ArrowRight");
    await expect.poll(() => field.inputValue()).toBe("2");
    await frame.getByText("What is not insured").waitFor();
    await page.keyboard.press("ArrowLeft");
    await expect.poll(() => field.inputValue()).toBe("1");
    const width = () =>
      frame
        .locator("section")
        .first()
        .evaluate((one) => one.clientWidth);
    const before = await width();
    await page.keyboard.press("+");
    await page.getByText("125%").waitFor();
    expect(await width()).toBeGreaterThan(before);
    await page.keyboard.press("-");
    await page.keyboard.press("-");
    await page.getByText("80%").waitFor();
    await page.keyboard.press("0");
    await page.getByText("100%").waitFor();
    expect(await width()).toBe(before);
    await field.fill("2");
    await field.press("Enter");
    await frame.getByText("What is not insured").waitFor();
    await context.close();
  });

  it("goes from sheet to sheet", async () => {
    const { page, context } = await world.visitor();
    const frame = await opened(world, page, "heating.xlsx");
    await frame.getByRole("cell", { name: "2025-12-31" }).waitFor();
    await frame.getByRole("cell", { name: "24.27%" }).waitFor();
    await page.getByRole("button", { name: "Next" }).click();
    await frame.getByRole("heading", { name: "Prices" }).waitFor();
    await frame.getByRole("cell", { name: "0.27" }).waitFor();
    await context.close();
  });

  it("downloads the document", async () => {
    const { page, context } = await world.visitor({ acceptDownloads: true });
    await opened(world, page, "garden.md");
    const [file] = await Promise.all([
      page.waitForEvent("download"),
      page.getByRole("link", { name: "Download" }).click(),
    ]);
    expect(file.suggestedFilename()).toBe("garden.md");
    await context.close();
  });

  it("sees where a link leads before it is followed", async () => {
    const { page, context, requests } = await world.visitor();
    const frame = await opened(world, page, "garden.md");
    await frame.getByRole("link", { name: "the almanac" }).click();
    const ask = page.getByRole("alertdialog", { name: "A link in this document" });
    await ask.getByText("https://example.org/almanac").waitFor();
    await keepPicture(page, "viewer-link");
    const go = ask.getByRole("link", { name: "Open in a new tab" });
    expect(await go.getAttribute("href")).toBe("https://example.org/almanac");
    expect(await go.getAttribute("rel")).toBe("noopener noreferrer");
    await ask.getByRole("button", { name: "Stay here" }).click();
    await ask.waitFor({ state: "detached" });
    expect(requests.filter((url) => url.includes("example.org"))).toEqual([]);
    await context.close();
  });

  it("finds the way to the document without JavaScript", async () => {
    const { page, context } = await world.visitor({ javaScriptEnabled: false });
    await page.goto(viewOf(world, "/files/house-rules.docx"));
    await page.getByRole("heading", { name: "Showing it here needs JavaScript" }).waitFor();
    const link = page.getByRole("link", { name: "Download house-rules.docx" });
    expect(await link.getAttribute("href")).toBe("/files/house-rules.docx");
    await keepPicture(page, "viewer-no-script");
    await context.close();
  });

  it("comes from the list of files, and goes back there", async () => {
    const { page, context } = await world.visitor();
    await page.goto(world.door);
    await page.getByRole("link", { name: "Open summer.pptx" }).click();
    await page.locator("[data-stage][data-shown]").waitFor();
    await page.getByRole("link", { name: "attic" }).click();
    await page.getByRole("heading", { name: "The box at home" }).waitFor();
    await context.close();
  });
});

describe("what is not shown", () => {
  it.each([
    ["/files/nothing.pdf", "There is no such file"],
    ["/files/archive.rar", "The viewer does not know this kind of file"],
    ["/files/long.md", "This file is too large to show here"],
  ])("%s: %s", async (path, title) => {
    await world.put("archive.rar", "Rar!");
    await world.put("long.md", "x".repeat(limits.viewMarkdownBytes + 1));
    const { page, context } = await world.visitor({ bypassCSP: true });
    await page.goto(viewOf(world, path));
    await page.getByRole("heading", { name: title }).waitFor();
    expect(await axe(page)).toEqual([]);
    await keepPicture(page, `viewer-word-${title.slice(0, 20)}`);
    await context.close();
  });

  it("says that a visit has ended while the page was open", async () => {
    const { page, context } = await world.visitor();
    await page.route("**/files/garden.md", async (route) => {
      await context.clearCookies();
      await route.continue({ headers: { ...route.request().headers(), cookie: "" } });
    });
    await page.goto(viewOf(world, "/files/garden.md"));
    await page.getByRole("heading", { name: "Your visit at this door has ended" }).waitFor();
    await context.close();
  });
});

describe("what stays", () => {
  it("[CON-13] [CON-14] of documents that were viewed is nothing, neither content nor name", async () => {
    const inside = newMarker();
    const names: Record<string, string> = {};
    const { page, context } = await world.visitor();
    const made: Readonly<Record<string, string | Uint8Array>> = {
      txt: inside,
      md: `# ${inside}`,
      pdf: pdf([{ title: inside, lines: [] }]),
      docx: docx([inside]),
      xlsx: xlsx({ Sheet: [[inside]] }),
      pptx: pptx([{ title: inside, lines: [] }]),
    };
    for (const [ending, content] of Object.entries(made)) {
      const name = `${newMarker()}.${ending}`;
      names[ending] = name.slice(0, 22);
      await world.put(name, content);
      const frame: Frame = await opened(world, page, name);
      await frame.getByText(inside).first().waitFor();
    }
    await nothingLeft(page);
    const controls = { "the device": world.deviceId };
    const markers = { inside, ...names };
    expect(await search({ folder: world.folder("edge"), markers, controls })).toEqual([]);
    await context.close();
  });

  it("says so when the device has gone", async () => {
    await world.unplug();
    const { page, context } = await world.visitor();
    await page.goto(viewOf(world, "/files/garden.md"));
    await page.getByRole("heading", { name: "The device is not connected right now" }).waitFor();
    await page.getByRole("link", { name: "Try again" }).waitFor();
    await context.close();
  });
});

/** The browser keeps nothing for the device's origin that we put there. */
async function nothingLeft(page: Page): Promise<void> {
  const kept = await page.evaluate(async () => ({
    storage: localStorage.length + sessionStorage.length,
    databases: (await indexedDB.databases()).length,
    caches: (await caches.keys()).length,
    workers: (await navigator.serviceWorker.getRegistrations()).length,
    cookies: document.cookie,
  }));
  expect(kept).toEqual({ storage: 0, databases: 0, caches: 0, workers: 0, cookies: "" });
}
