/**
 * A person with an account elsewhere, by keyboard alone, in Chromium: from the sign-up page to panva's
 * oidc-provider and back, out, in again, and its place in the account center.
 */

import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, expect, it } from "vitest";
import { type Edge, startEdge } from "../../scripts/local/edge.ts";
import { type Mailbox, startMailbox } from "../../scripts/local/mailbox.ts";
import { freePort, keepPicture, phone, startBrowser, visit } from "../support/browser.ts";
import { type Elsewhere, elsewhereVariables, startOidcProvider } from "../support/elsewhere.ts";

let folder: string;
let mailbox: Mailbox;
let oidc: Elsewhere;
let edge: Edge;
let browser: Browser;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "latchkey-linked-"));
  mailbox = await startMailbox();
  const port = await freePort();
  oidc = await startOidcProvider(() => [`http://localhost:${port}`]);
  edge = await startEdge({
    data: folder,
    port,
    variables: {
      SMTP_URL: mailbox.smtpUrl,
      MAIL_PAGE: mailbox.pageUrl,
      ...elsewhereVariables(oidc),
    },
  });
  browser = await startBrowser();
});

afterAll(async () => {
  await browser?.close();
  await edge?.close();
  await oidc?.close();
  await mailbox?.close();
  await rm(folder, { recursive: true, force: true });
});

/** Presses Tab until `name` has the focus. */
async function tabTo(page: Page, name: RegExp): Promise<void> {
  for (let step = 0; step < 60; step++) {
    await page.keyboard.press("Tab");
    const focused = await page.evaluate(() => {
      const at = document.activeElement;
      if (at === document.body) return "";
      return `${at?.textContent?.trim() ?? ""} ${at?.getAttribute("name") ?? ""} ${at?.getAttribute("placeholder") ?? ""}`;
    });
    if (name.test(focused)) return;
  }
  throw new Error(`nothing called ${name} at ${page.url()}`);
}

async function press(page: Page, name: RegExp): Promise<void> {
  await tabTo(page, name);
  await page.keyboard.press("Enter");
}

/** Signs in at the provider's development page, and says yes where it asks. */
async function signInThere(page: Page, name: string): Promise<void> {
  await page.waitForURL(`${oidc.url}/**`);
  if ((await page.locator("input[name=login]").count()) > 0) {
    await tabTo(page, /login/i);
    await page.keyboard.type(name);
    await tabTo(page, /password/i);
    await page.keyboard.type("x");
    await page.keyboard.press("Enter");
    await page.waitForSelector("text=/Authorize|Continue/");
  }
  await press(page, /Continue/);
}

it("signs up, out, in, and is found in the account center, by keyboard alone", async () => {
  const { context, page, complaints } = await visit(browser);
  await page.goto(`${edge.origin}/sign-up`);
  await keepPicture(page, "linked-sign-up-desk");
  await press(page, /Continue with The Other House/);
  await signInThere(page, "ada");
  await page.waitForURL("**/sign-up/with/oidc");
  await keepPicture(page, "linked-open");
  expect(await page.inputValue("input[name=address]")).toBe("ada@example.test");
  await press(page, /Open my account/);
  await page.waitForURL("**/devices");

  await page.goto(`${edge.origin}/account/linked`);
  await keepPicture(page, "linked-account");
  expect(await page.textContent("main")).toContain("Name of ada");
  await press(page, /^Unlink/);
  await page.waitForSelector("text=/last way into your account/");

  await page.goto(`${edge.origin}/account/linked`);
  await press(page, /^Sign out/);
  await page.waitForURL(`${edge.origin}/`);
  await page.goto(`${edge.origin}/sign-in?return=%2Faccount%2Flinked`);
  await keepPicture(page, "linked-sign-in");
  await press(page, /Continue with The Other House/);
  // It knows her still, but its token was revoked: it asks for her consent again.
  await signInThere(page, "ada");
  await page.waitForURL("**/account/linked");
  expect(complaints).toEqual([]);
  await context.close();
});

it("works on a phone and without scripts", async () => {
  const { context, page } = await visit(browser, { viewport: phone, javaScriptEnabled: false });
  await page.goto(`${edge.origin}/sign-in`);
  await keepPicture(page, "linked-sign-in-phone");
  await page.click("text=Continue with The Other House");
  await page.waitForURL(`${oidc.url}/**`);
  await page.fill("input[name=login]", "grace");
  await page.fill("input[name=password]", "x");
  await page.click("button[type=submit]");
  await page.click("button[type=submit]");
  await page.waitForURL("**/sign-up/with/oidc");
  await page.click("text=Open my account");
  await page.waitForURL("**/devices");
  await page.goto(`${edge.origin}/account/linked`);
  await keepPicture(page, "linked-account-phone");
  expect(await page.textContent("main")).toContain("Name of grace");
  await context.close();
});
