/** The whole way of a second step in a real browser, by keyboard alone. */

import type { Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { totpCode } from "../../workers/sign-in/totp.ts";
import { keepPicture, phone, visit } from "../support/browser.ts";
import { openAccount, password, startWorld, type World } from "../support/console.ts";

const address = "hedy@example.org";
let world: World;

beforeAll(async () => {
  world = await startWorld();
  await openAccount(world, address);
});
afterAll(() => world.close());

/** Goes to what is named with the Tab key, as somebody without a mouse does. */
async function tabTo(page: Page, name: string): Promise<void> {
  for (let presses = 0; presses < 60; presses++) {
    await page.keyboard.press("Tab");
    const here = await page.evaluate(() => {
      const at = document.activeElement as HTMLInputElement | null;
      return at?.labels?.[0]?.textContent ?? at?.textContent ?? "";
    });
    if (here.trim().startsWith(name)) return;
  }
  throw new Error(`no Tab leads to "${name}" on ${page.url()}`);
}

async function press(page: Page, name: string, key = "Enter"): Promise<void> {
  await tabTo(page, name);
  await page.keyboard.press(key);
}

async function type(page: Page, name: string, text: string): Promise<void> {
  await tabTo(page, name);
  await page.keyboard.type(text);
}

async function firstStep(page: Page): Promise<void> {
  await page.goto(`${world.origin}/sign-in`);
  await type(page, "E-mail", address);
  await type(page, "Password", password);
  await page.keyboard.press("Enter");
}

describe("[ACC-12] a second step", () => {
  it("is switched on, asked for, spared a trusted browser, and asked again, by keyboard", async () => {
    const { page, context } = await visit(world.browser);
    await firstStep(page);
    await page.waitForURL("**/devices");

    await page.goto(`${world.origin}/account/second-step`);
    await keepPicture(page, "second-step-off");
    await press(page, "Set up");
    await page.waitForURL("**/account/second-step/totp");
    await keepPicture(page, "second-step-totp");
    const secret = ((await page.locator(".command code").textContent()) ?? "").replaceAll(" ", "");
    await type(page, "The six digits", "000000");
    await page.keyboard.press("Enter");
    await page.getByText("This code is not right").first().waitFor();
    // The time step after this one at the latest, so that each code that follows is a new one.
    let step = Math.floor(Date.now() / 30_000) - 1;
    const code = () => totpCode(secret, step++ * 30_000);
    await type(page, "The six digits", code());
    await page.keyboard.press("Enter");
    await page.getByRole("heading", { name: "Keep these now" }).waitFor();
    await keepPicture(page, "second-step-codes");
    const codes = ((await page.locator(".command code").textContent()) ?? "").split("\n");
    expect(codes).toHaveLength(10);
    await press(page, "I have them");
    await page.waitForURL("**/account/second-step");
    await keepPicture(page, "second-step-on");

    await press(page, "Sign out");
    await page.waitForURL(`${world.origin}/`);
    await firstStep(page);
    await page.waitForURL("**/sign-in/second-step?**");
    await keepPicture(page, "second-step-asked");
    await type(page, "The code from your app", code());
    await press(page, "Trust this browser", "Space");
    await press(page, "Sign in");
    await page.waitForURL("**/devices");
    const trusted = (await context.cookies()).find(({ name }) => name === "__Host-trust");
    expect(trusted).toMatchObject({ httpOnly: true, secure: true, sameSite: "Strict" });

    await press(page, "Sign out");
    await page.waitForURL(`${world.origin}/`);
    await firstStep(page);
    await page.waitForURL("**/devices");

    await page.goto(`${world.origin}/account/second-step`);
    await keepPicture(page, "second-step-trusted");
    await press(page, "Stop trusting");
    await page.getByText("is asked for the second step again").waitFor();
    await press(page, "Sign out");
    await page.waitForURL(`${world.origin}/`);
    await firstStep(page);
    await page.waitForURL("**/sign-in/second-step?**");
    await press(page, "A recovery code");
    await page.waitForURL("**way=recovery-code**");
    await type(page, "A recovery code", codes[0] ?? "");
    await page.keyboard.press("Enter");
    await page.waitForURL("**/devices");
    await context.close();
  });

  it("is asked for on a phone without scripts", async () => {
    const { page, context } = await visit(world.browser, {
      javaScriptEnabled: false,
      viewport: phone,
      colorScheme: "dark",
    });
    await page.goto(`${world.origin}/sign-in`);
    await page.getByLabel("E-mail").fill(address);
    await page.getByLabel("Password", { exact: true }).fill(password);
    await page.keyboard.press("Enter");
    await page.waitForURL("**/sign-in/second-step?**");
    await page.getByLabel("The code from your app").fill("123");
    await page.keyboard.press("Enter");
    await page.getByText("This code is not right").first().waitFor();
    await keepPicture(page, "second-step-phone-dark");
    await context.close();
  });
});
