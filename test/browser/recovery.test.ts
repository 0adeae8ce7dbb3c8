/**
 * Ways back in, without a script and with the keyboard alone: a forgotten password, an address added
 * and taken back, a new password.
 */

import type { Page } from "playwright-core";
import { afterAll, beforeAll, expect, it } from "vitest";
import { linkIn } from "../../scripts/local/mailbox.ts";
import { keepPicture, phone, visit } from "../support/browser.ts";
import {
  openAccount,
  password,
  signInBrowser,
  startWorld,
  type TestAccount,
  type World,
} from "../support/console.ts";

const NEXT = "a quite different password";
let world: World;
let owner: TestAccount;
let count = 0;

beforeAll(async () => {
  world = await startWorld();
});
afterAll(() => world.close());

/** A page without scripts, as a stranger or as a new account's owner. */
async function start({ signedIn }: { signedIn: boolean }) {
  owner = await openAccount(world, `ways${count++}@example.org`);
  const visitor = await visit(world.browser, { javaScriptEnabled: false, viewport: phone });
  if (signedIn) await signInBrowser(world, visitor.context, owner);
  return visitor;
}

/** Moves the focus there by Tab alone, and types. */
async function typeInto(page: Page, name: string, text: string): Promise<void> {
  await tabTo(page, `input[name="${name}"]`);
  await page.keyboard.type(text);
}

async function tabTo(page: Page, selector: string): Promise<void> {
  const wanted = page.locator(selector).first();
  for (let presses = 0; presses < 60; presses++) {
    await page.keyboard.press("Tab");
    if (await wanted.evaluate((element) => element === element.ownerDocument.activeElement)) return;
  }
  throw new Error(`the keyboard does not reach ${selector}`);
}

it("a forgotten password is chosen anew with the keyboard alone", async () => {
  const { page, context, complaints } = await start({ signedIn: false });
  await page.goto(`${world.origin}/sign-in`);
  await tabTo(page, 'a[href="/forgot"]');
  await page.keyboard.press("Enter");
  await page.waitForURL("**/forgot");
  await typeInto(page, "address", "no address");
  await page.keyboard.press("Enter");
  await page.locator("#address-error").waitFor();
  expect(await page.locator("#address").inputValue()).toBe("no address");
  await page.locator("#address").fill("");
  await page.keyboard.type(owner.address);
  await page.keyboard.press("Enter");
  await page.waitForURL("**/forgot/sent");
  const link = linkIn(await world.mailbox.next(owner.address));
  await page.goto(link);
  await typeInto(page, "password", "short");
  await page.keyboard.press("Enter");
  await page.locator("#password-error").waitFor();
  await keepPicture(page, "recovery-weak");
  await page.locator("#password").fill(NEXT);
  await page.keyboard.press("Enter");
  await page.waitForURL("**/devices");
  await page.goto(link);
  await page.locator("#password").fill(NEXT);
  await page.keyboard.press("Enter");
  await page.getByRole("heading", { name: "This link opens nothing anymore" }).waitFor();
  await keepPicture(page, "recovery-expired");
  expect(complaints.filter((text) => !text.includes("410") && !text.includes("422"))).toEqual([]);
  await context.close();
});

it("an address is added, made the main one, and taken back by the old one", async () => {
  const { page, context } = await start({ signedIn: true });
  const second = `second-${owner.address}`;
  await page.goto(`${world.origin}/account/addresses`);
  await page.getByRole("link", { name: "Add an address" }).click();
  await typeInto(page, "address", second);
  await page.keyboard.press("Enter");
  await page.waitForURL("**/verify?**");
  const code = /\d{6}/.exec((await world.mailbox.next(second)).text)?.[0] ?? "";
  await typeInto(page, "code", "000000" === code ? "000001" : "000000");
  await page.keyboard.press("Enter");
  await page.locator("#code-error").waitFor();
  await page.locator("#code").fill(code);
  await page.keyboard.press("Enter");
  await page.waitForURL("**?done=added");
  await keepPicture(page, "recovery-addresses");
  expect((await world.mailbox.next(owner.address)).subject).toContain("added");
  await page.getByRole("button", { name: "Send notices here" }).click();
  await page.waitForURL("**?done=primary");
  const undo = linkIn(await world.mailbox.next(owner.address));
  await page.goto(undo);
  await keepPicture(page, "recovery-undo");
  await page.getByRole("button", { name: "Take it back" }).click();
  await page.waitForURL("**/forgot/new?undone**");
  await keepPicture(page, "recovery-undone");
  await page.locator("#password").fill(NEXT);
  await page.keyboard.press("Enter");
  await page.waitForURL("**/devices");
  await page.goto(`${world.origin}/account/addresses`);
  expect(await page.getByText(second).count()).toBe(0);
  await context.close();
});

it("a password is changed, and a wrong old one is said beside its field", async () => {
  const { page, context } = await start({ signedIn: true });
  await page.goto(`${world.origin}/account/password`);
  await typeInto(page, "password", password.slice(0, 5));
  await page.keyboard.press("Enter");
  await page.locator("#password-error").waitFor();
  await page.locator("#password").fill(NEXT);
  await page.keyboard.press("Enter");
  await page.waitForURL("**?done=changed");
  await keepPicture(page, "recovery-password");
  await page.getByRole("button", { name: "Remove the password" }).click();
  await page.getByRole("alert").waitFor();
  await context.close();
});
