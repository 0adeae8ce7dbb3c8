/** The console in a real browser: what people do, with and without script, by keyboard, on a phone. */

import type { Locator, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { linkIn } from "../../scripts/local/mailbox.ts";
import { keepPicture, visit } from "../support/browser.ts";
import {
  call,
  enrollDevice,
  furnish,
  openAccount,
  password,
  runAgent,
  signInBrowser,
  startWorld,
  type TestAccount,
  type World,
} from "../support/console.ts";

let world: World;
let owner: TestAccount;
let deviceId: string;

beforeAll(async () => {
  world = await startWorld();
  ({ owner, deviceId } = await furnish(world));
});

afterAll(() => world.close());

describe("an account", () => {
  it("[ACC-1] opens by keyboard alone, from the front page to the first step", async () => {
    const { page, context } = await visit(world.browser);
    await page.goto(world.origin);
    await tabTo(page, "Open an account");
    await page.keyboard.press("Enter");
    await page.waitForURL("**/sign-up");
    await tabTo(page, "E-mail address or phone number");
    await page.keyboard.type("kim@example.org");
    await page.keyboard.press("Tab");
    await page.keyboard.type(password);
    await page.keyboard.press("Enter");
    await page.waitForURL("**/sign-up/sent");
    await page.goto(linkIn(await world.mailbox.next("kim@example.org")));
    await tabTo(page, "The password you chose");
    await page.keyboard.type(password);
    await tabTo(page, "Open my account");
    await page.keyboard.press("Enter");
    await page.waitForURL("**/devices");
    expect(await page.textContent("main")).toContain("node agent/main.ts enroll --cloud");
    await keepPicture(page, "desk-light-devices-empty");
    await context.close();
  });

  it("is not opened by a mail scanner that follows the link", async () => {
    await call(world, "POST", "/api/sign-up", { address: "scan@example.org", password });
    const link = linkIn(await world.mailbox.next("scan@example.org"));
    for (const method of ["GET", "HEAD", "GET"]) await fetch(link, { method });
    const { page, context } = await visit(world.browser);
    await page.goto(link);
    await page.getByLabel("The password you chose").fill(password);
    await page.getByRole("button", { name: "Open my account" }).click();
    await page.waitForURL("**/devices");
    await page.goto(link);
    await page.getByLabel("The password you chose").fill(password);
    await page.getByRole("button", { name: "Open my account" }).click();
    await page.getByRole("heading", { name: /used or is too old/ }).waitFor();
    await context.close();
  });

  it("keeps what was typed and says what was wrong beside the field and at the top", async () => {
    const { page, context } = await visit(world.browser);
    await page.goto(`${world.origin}/sign-up`);
    await page.getByLabel("E-mail address").fill("new@example.org");
    await page.getByLabel("Password").fill("short");
    await page.getByRole("button", { name: "Send me the message" }).click();
    const summary = page.getByRole("alert");
    await summary.waitFor();
    expect(await summary.evaluate((element) => element === document.activeElement)).toBe(true);
    expect(await page.getByLabel("E-mail address").inputValue()).toBe("new@example.org");
    const field = page.getByLabel("Password");
    expect(await field.getAttribute("aria-invalid")).toBe("true");
    const described = (await field.getAttribute("aria-describedby")) ?? "";
    expect(described).toContain("password-error");
    expect(await page.locator("#password-error").textContent()).toContain("too short");
    expect(await page.title()).toMatch(/^Error/);
    await context.close();
  });

  it("signs in, ends a session and signs out without script", async () => {
    const { page, context } = await visit(world.browser, { javaScriptEnabled: false });
    await page.goto(`${world.origin}/devices/${deviceId}`);
    expect(new URL(page.url()).pathname).toBe("/sign-in");
    await page.getByLabel("E-mail address").fill(owner.address);
    await page.getByLabel("Password").fill("not the password");
    await page.getByRole("button", { name: "Sign in" }).click();
    expect(await page.getByRole("alert").textContent()).toContain("not right");
    expect(await page.getByLabel("E-mail address").inputValue()).toBe(owner.address);
    await page.getByLabel("Password").fill(password);
    await page.getByRole("button", { name: "Sign in" }).click();
    expect(new URL(page.url()).pathname).toBe(`/devices/${deviceId}`);
    await page.goto(`${world.origin}/sessions`);
    const before = await page.getByRole("button", { name: /^End it/ }).count();
    expect(before).toBeGreaterThan(0);
    await page.getByRole("button", { name: /Sign out here/ }).click();
    expect(new URL(page.url()).pathname).toBe("/sign-in");
    await page.goto(`${world.origin}/devices`);
    expect(new URL(page.url()).pathname).toBe("/sign-in");
    await context.close();
  });

  it("returns after sign-in to a path of ours and nowhere else", async () => {
    for (const [target, end] of [
      ["//evil.example/", "/devices"],
      ["/\\evil.example/", "/devices"],
      ["https://evil.example/", "/devices"],
      ["/sessions", "/sessions"],
    ] as const) {
      const { page, context } = await visit(world.browser);
      await page.goto(`${world.origin}/sign-in?return=${encodeURIComponent(target)}`);
      await page.getByLabel("E-mail address").fill(owner.address);
      await page.getByLabel("Password").fill(password);
      await page.getByRole("button", { name: "Sign in" }).click();
      await page.waitForURL(world.origin + end);
      await context.close();
    }
  });

  it("is erased from the console, and everything with it", async () => {
    const leaver = await openAccount(world, "leaver@example.org");
    await enrollDevice(world, leaver, "short-lived");
    const { page, context } = await visit(world.browser);
    await signInBrowser(world, context, leaver);
    await page.goto(`${world.origin}/account/erase`);
    expect(await page.textContent("main")).toContain("short-lived");
    await page.getByLabel("Your password").fill("wrong wrong wrong");
    await page.getByRole("button", { name: "Erase everything" }).click();
    await page.getByRole("alert").waitFor();
    await page.getByLabel("Your password").fill(password);
    await page.getByRole("button", { name: "Erase everything" }).click();
    await page.waitForURL("**/sign-in?erased");
    expect(await page.textContent("main")).toContain("Your account is erased");
    await page.getByLabel("E-mail address").fill(leaver.address);
    await page.getByLabel("Password").fill(password);
    await page.getByRole("button", { name: "Sign in" }).click();
    await page.getByRole("alert").waitFor();
    await context.close();
  });
});

describe("a device", () => {
  it("shows its live state without reloading when the agent comes and goes", async () => {
    const visitor = await visit(world.browser);
    const { page, context } = visitor;
    await signInBrowser(world, context, owner);
    await page.goto(`${world.origin}/devices/${deviceId}`);
    await page.evaluate(() => document.body.setAttribute("data-same-page", ""));
    const light = () => visibleText(page.locator(".light"));
    expect(await light()).toMatch(/Not seen|Not connected/);
    const stop = runAgent(world, "attic", null);
    await page.locator('[data-device][data-live="online"]').waitFor();
    expect(await light()).toMatch(/^Connected, came online/);
    expect(await page.locator('[data-bind="address"]').textContent()).toBe("127.0.0.1");
    await page.locator("[data-announce]", { hasText: "Connected" }).waitFor({ state: "attached" });
    await keepPicture(page, "desk-light-device-online");
    await stop();
    await page.locator('[data-device][data-live="offline"]').waitFor();
    expect(await light()).toMatch(/^Not connected, last seen/);
    expect(await page.locator("body[data-same-page]").count()).toBe(1);
    expect(visitor.complaints).toEqual([]);
    await context.close();
  });

  it("lights up on the list of devices too", async () => {
    const { page, context } = await visit(world.browser);
    await signInBrowser(world, context, owner);
    await page.goto(`${world.origin}/devices`);
    const count = page.locator("[data-online-count]");
    expect(await count.textContent()).toBe("0");
    const stop = runAgent(world, "attic", null);
    await page.locator(`[data-device="${deviceId}"][data-live="online"]`).waitFor();
    expect(await count.textContent()).toBe("1");
    await stop();
    await page.locator(`[data-device="${deviceId}"][data-live="offline"]`).waitFor();
    expect(await count.textContent()).toBe("0");
    await context.close();
  });

  it("says that it was changed elsewhere instead of showing what is no longer true", async () => {
    const id = await enrollDevice(world, owner, "two-places");
    const { page, context } = await visit(world.browser);
    await signInBrowser(world, context, owner);
    await page.goto(`${world.origin}/devices/${id}`);
    await page.locator("[data-announce][data-said]").waitFor({ state: "attached" });
    await call(world, "PUT", `/api/devices/${id}/features/link`, { on: true }, owner);
    await page.getByRole("link", { name: "Show it as it is now" }).click();
    await page.getByRole("link", { name: "Open the door" }).waitFor();
    await context.close();
  });

  it("has a feature switched on and off by keyboard, asking before anything is deleted", async () => {
    const id = await enrollDevice(world, owner, "keys-only");
    const { page, context } = await visit(world.browser);
    await signInBrowser(world, context, owner);
    await page.goto(`${world.origin}/devices/${id}`);
    const name = page.getByRole("switch", { name: "The name" });
    expect(await name.getAttribute("aria-checked")).toBe("false");
    await tabTo(page, "The name");
    await page.keyboard.press("Space");
    await page.waitForURL("**?done=name-on");
    expect(await name.getAttribute("aria-checked")).toBe("true");
    await tabTo(page, "The name");
    await page.keyboard.press("Space");
    await page.waitForURL("**/features/name/off?");
    expect(await page.textContent("main")).toContain("What will be gone");
    await tabTo(page, "Switch off the name");
    await page.keyboard.press("Enter");
    await page.waitForURL("**?done=name-off");
    expect(await name.getAttribute("aria-checked")).toBe("false");
    await context.close();
  });

  it("is added, opened to people and unregistered without script", async () => {
    const { page, context } = await visit(world.browser, { javaScriptEnabled: false });
    await signInBrowser(world, context, owner);
    await page.goto(`${world.origin}/devices/add`);
    await page.getByLabel("Code").fill("BCDF-0000");
    await page.getByRole("button", { name: "Find the device" }).click();
    expect(await page.getByRole("alert").textContent()).toContain("wrong or too old");
    const start = await call(world, "POST", "/api/enrolments", { public_key: "B".repeat(43) });
    await page.getByLabel("Code").fill(String(start.user_code).toLowerCase());
    await page.getByRole("button", { name: "Find the device" }).click();
    await page.getByLabel("Name it").fill("attic");
    await page.getByRole("button", { name: "Add this device" }).click();
    expect(await page.getByRole("alert").textContent()).toContain("taken");
    await page.getByLabel("Name it").fill("no-script");
    await page.getByRole("button", { name: "Add this device" }).click();
    await page.getByRole("heading", { name: "no-script", level: 1 }).waitFor();

    await page.getByLabel("People I list").check();
    await page.getByRole("button", { name: "Save who may come in" }).click();
    await page.getByLabel("Latchkey ID").fill("not an id");
    await page.getByRole("button", { name: "Put on the list" }).click();
    expect(await page.locator("#person-error").textContent()).toContain("not a Latchkey ID");
    await page.getByLabel("Latchkey ID").fill("acc_home_0000000000000000");
    await page.getByRole("button", { name: "Put on the list" }).click();
    expect(await page.textContent(".people")).toContain("acc_home_0000000000000000");
    await page.getByRole("button", { name: /Take off the list/ }).click();
    expect(await page.textContent(".people")).toContain("Nobody yet");

    await page.getByRole("link", { name: "Unregister this device" }).click();
    expect(await page.textContent("main")).toContain("for 180 days");
    await page.getByRole("button", { name: "Unregister no-script" }).click();
    expect(await page.textContent("main")).toContain("Unregistered.");
    expect(await page.getByRole("heading", { name: "no-script" }).count()).toBe(0);
    await context.close();
  });

  it("shows a password of the name once, with a ddclient configuration ready to paste", async () => {
    const id = await enrollDevice(world, owner, "router-name");
    await call(world, "PUT", `/api/devices/${id}/features/name`, { on: true }, owner);
    const { page, context } = await visit(world.browser);
    await signInBrowser(world, context, owner);
    await page.goto(`${world.origin}/devices/${id}`);
    await page.getByRole("link", { name: "Passwords for routers and programs" }).click();
    await page.getByLabel("What is it for?").fill("The router");
    await page.getByLabel("Where it works from").fill("home");
    await page.getByRole("button", { name: "Make the password" }).click();
    expect(await page.textContent("#networks-error")).toContain("such as 2001:db8::/32");
    expect(await page.getByLabel("What is it for?").inputValue()).toBe("The router");
    await page.getByLabel("Where it works from").fill("2001:db8::1/32");
    await page.getByRole("button", { name: "Make the password" }).click();
    const shown = (await page.textContent(".secret")) ?? "";
    const secret = /lk_upd_home_[0-9A-Za-z]{49}/.exec(shown)?.[0];
    expect(shown).toContain(`password='${secret}'`);
    expect(shown).toContain(`router-name.${world.ddnsZone}`);
    await keepPicture(page, "desk-light-device-secret");
    await page.goto(`${world.origin}/devices/${id}/name`);
    expect(await page.content()).not.toContain(secret);
    const row = page.locator(".rows li", { hasText: "The router" });
    expect(await row.textContent()).toContain("2001:db8::/32");
    await row.getByRole("button", { name: "End it" }).click();
    expect(await page.textContent("main")).toContain("Ended.");
    expect(await row.count()).toBe(0);
    await context.close();
  });

  it("is somebody else's: not found, and nothing about it is said", async () => {
    const stranger = await openAccount(world, "stranger@example.org");
    const { page, context } = await visit(world.browser);
    await signInBrowser(world, context, stranger);
    for (const path of ["", "/unregister", "/features/link/off"]) {
      const response = await page.goto(`${world.origin}/devices/${deviceId}${path}`);
      expect(response?.status(), path).toBe(404);
      expect(await page.content()).not.toContain("attic");
    }
    await context.close();
  });
});

describe("the shelf", () => {
  it("[PRI-2] has exactly one control for everything held, and each leads to its page", async () => {
    const { page, context } = await visit(world.browser);
    await signInBrowser(world, context, owner);
    await page.goto(`${world.origin}/account/data`);
    const rows = page.locator(".shelf tbody tr:not(.shelf-group)");
    const held = await call(world, "GET", "/api/account/holdings", undefined, owner);
    expect(await rows.count()).toBe((held.holdings as unknown[]).length);
    const targets = new Set<string>();
    for (const row of await rows.all()) {
      expect(await row.locator("a, button").count()).toBe(1);
      targets.add((await row.locator("a").getAttribute("href")) ?? "");
    }
    expect(targets.size).toBeGreaterThan(3);
    for (const target of targets) {
      const response = await page.goto(world.origin + target);
      expect(response?.status(), target).toBe(200);
      expect(new URL(page.url()).pathname, target).toBe(target.replace(/#.*/, ""));
    }
    await context.close();
  });
});

describe("the command palette", () => {
  it("opens with a slash, finds by words and goes there", async () => {
    const { page, context, complaints } = await visit(world.browser);
    await signInBrowser(world, context, owner);
    await page.goto(`${world.origin}/devices`);
    await page.keyboard.press("/");
    const box = page.getByRole("combobox", { name: "Where to?" });
    await box.waitFor();
    expect(await box.evaluate((element) => element === document.activeElement)).toBe(true);
    await keepPicture(page, "desk-light-palette");
    await page.keyboard.type("open attic");
    await page.keyboard.press("Enter");
    await page.waitForURL(`**/devices/${deviceId}`);
    await page.keyboard.press("Control+k");
    await box.waitFor();
    await page.keyboard.press("Escape");
    await box.waitFor({ state: "detached" });
    expect(complaints).toEqual([]);
    await context.close();
  });
});

/** What a person sees of an element: of the sentences in it, the one that shows. */
async function visibleText(element: Locator): Promise<string> {
  // biome-ignore lint/performance/useDomNodeTextContent: the hidden sentences must not count
  return await element.innerText();
}

const MOST_TABS = 60;

/** Presses Tab until what is called `name` has the focus. */
async function tabTo(page: Page, name: string): Promise<void> {
  for (let presses = 0; presses < MOST_TABS; presses++) {
    await page.keyboard.press("Tab");
    const focused = await page.evaluate(() => {
      const element = document.activeElement;
      const label = element instanceof HTMLInputElement ? element.labels?.[0]?.textContent : null;
      return (element?.getAttribute("aria-label") ?? label ?? element?.textContent ?? "").trim();
    });
    if (focused === name) return;
  }
  throw new Error(`Tab never reached "${name}"`);
}
