/**
 * A headless Chromium for tests: the system's own, quiet, with a fresh profile. It records every
 * request and every word the page's console says, so a test can demand that there was none too many.
 */

import { existsSync } from "node:fs";
import { mkdir } from "node:fs/promises";
import { createServer } from "node:net";
import { join } from "node:path";
import {
  type Browser,
  type BrowserContext,
  type BrowserContextOptions,
  chromium,
  type Page,
} from "playwright-core";

const CANDIDATES = ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"];
const ARTIFACTS = join(import.meta.dirname, "../artifacts");

export const desk = { width: 1280, height: 800 };
export const phone = { width: 390, height: 844 };

/** Starts Chromium; says how to install it when there is none. */
export async function startBrowser(): Promise<Browser> {
  const executablePath = process.env.CHROMIUM ?? CANDIDATES.find((path) => existsSync(path));
  if (executablePath === undefined) {
    throw new Error(
      "No Chromium found. Install it (Debian: apt-get install chromium) or set CHROMIUM.",
    );
  }
  return await chromium.launch({
    executablePath,
    headless: true,
    args: [
      "--no-sandbox",
      "--disable-gpu",
      "--disable-quic",
      "--no-first-run",
      "--disable-background-networking",
      "--disable-component-update",
      "--disable-sync",
    ],
  });
}

export interface Visit {
  readonly context: BrowserContext;
  readonly page: Page;
  /** Every URL asked for, in order. */
  readonly requests: string[];
  /** Errors and policy violations that the browser reported. */
  readonly complaints: string[];
}

/** A fresh visitor with nothing in the browser. */
export async function visit(browser: Browser, options: BrowserContextOptions = {}): Promise<Visit> {
  const context = await browser.newContext({ viewport: desk, ...options });
  const page = await context.newPage();
  const requests: string[] = [];
  const complaints: string[] = [];
  context.on("request", (request) => requests.push(request.url()));
  context.on("weberror", ({ error }) => void complaints.push(String(error())));
  context.on("console", (message) => {
    // A refused form answers with a 4xx page, which Chromium reports as a failed resource.
    const refused = message.text().startsWith("Failed to load resource");
    if (message.type() === "error" && !refused) complaints.push(message.text());
  });
  return { context, page, requests, complaints };
}

/** Keeps a picture of the whole page in test/artifacts (not in git). */
export async function keepPicture(page: Page, name: string): Promise<void> {
  await mkdir(ARTIFACTS, { recursive: true });
  const picture = { path: join(ARTIFACTS, `${name}.png`), fullPage: true };
  await page.screenshot(picture).catch((error: Error) => {
    // On a busy machine Chromium may have no frame to copy: then another is asked for, once.
    if (!error.message.includes("Unable to capture screenshot")) throw error;
    return page.screenshot(picture);
  });
}

/** A free TCP port on loopback. */
export function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.on("error", reject);
    server.listen(0, "127.0.0.1", () => {
      const address = server.address();
      server.close(() => resolve(typeof address === "object" && address ? address.port : 0));
    });
  });
}
