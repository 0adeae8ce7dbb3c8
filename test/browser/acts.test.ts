/**
 * The pages that no address opens: what a form answers, the second step of a sign-in, what is shown
 * once. Each is held to what `pages.test.ts` demands of the others; each form is sent by keyboard.
 */

import type { Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { totpCode } from "../../workers/sign-in/totp.ts";
import { axe } from "../support/axe.ts";
import { desk, keepPicture, phone, visit } from "../support/browser.ts";
import {
  call,
  openAccount,
  password,
  signInBrowser,
  startWorld,
  type TestAccount,
  type World,
} from "../support/console.ts";

let world: World;

beforeAll(async () => {
  world = await startWorld();
});
afterAll(() => world.close());

/** Types into the field that has this name, and sends its form with Enter. */
async function send(page: Page, fields: Readonly<Record<string, string>>): Promise<void> {
  let last = page.locator("main form").first();
  for (const [name, text] of Object.entries(fields)) {
    last = page.locator(`main input[name="${name}"]`).first();
    await last.focus();
    await page.keyboard.press("ControlOrMeta+a");
    await page.keyboard.press("Delete");
    await page.keyboard.type(text);
  }
  const gone = page.waitForEvent("framenavigated");
  await last.press("Enter");
  await gone;
  await page.waitForLoadState();
}

async function switchOn(account: TestAccount): Promise<void> {
  const path = "/api/account/second-steps/totp";
  const { secret } = await call(world, "POST", `${path}/set-up`, undefined, account);
  const code = totpCode(String(secret), Date.now());
  await call(world, "POST", path, { code }, account);
}

function authorize(): string {
  const query = new URLSearchParams({
    ...{ client_id: "photos", redirect_uri: `${world.origin}/`, response_type: "code" },
    ...{ scope: "openid profile email phone offline_access", prompt: "consent" },
    ...{ code_challenge: "A".repeat(43), code_challenge_method: "S256" },
  });
  return `/oauth/authorize?${query}`;
}

describe("what forms answer", () => {
  it.each([
    ["desk", "light", desk],
    ["phone", "dark", phone],
  ] as const)("is held to the same on a %s in %s", async (size, colorScheme, viewport) => {
    const owner = await openAccount(world, `acts-${size}@example.org`);
    const visitor = await visit(world.browser, { colorScheme, viewport, bypassCSP: true });
    const { page, context } = visitor;
    const open = (path: string) => page.goto(world.origin + path);
    const look = async (name: string, heading?: string) => {
      if (heading !== undefined) {
        expect(await page.locator("h1").textContent(), name).toBe(heading);
      }
      expect(await page.locator("h1").count(), name).toBe(1);
      expect(await axe(page), name).toEqual([]);
      const wide = await page.evaluate(() => {
        const { scrollWidth, clientWidth } = document.documentElement;
        return scrollWidth - clientWidth;
      });
      expect(wide, name).toBeLessThanOrEqual(0);
      await keepPicture(page, `act-${size}-${name}`);
    };
    const refused = async (name: string) => {
      const notice = page.getByRole("alert");
      await notice.waitFor();
      expect(await notice.evaluate((it) => it === document.activeElement), name).toBe(true);
      await look(name);
    };

    await open("/sign-up");
    await send(page, { password: "short", address: "no address" });
    await refused("sign-up-refused");
    await send(page, { password, address: size === "desk" ? "+41791110001" : "+41791110002" });
    await look("sign-up-code", "Look at your phone");
    await page.getByRole("link", { name: "Show the messages" }).waitFor();
    await send(page, { code: "000000" });
    await refused("sign-up-code-refused");
    await open("/sign-in");
    await send(page, { address: owner.address, password: "not the password" });
    await refused("sign-in-refused");
    await open("/forgot");
    await send(page, { address: size === "desk" ? "+41791110003" : "+41791110004" });
    await look("forgot-phone", "Choose a new password");

    await signInBrowser(world, context, owner);
    await open("/account/passkeys");
    await look("passkeys-none", "Passkeys");
    await open("/account/tokens");
    await send(page, { name: "" });
    await refused("token-refused");
    await page.locator('main input[type="checkbox"]').first().check();
    await send(page, { name: "Backup at night" });
    await page.getByText("Copy the token now.").waitFor();
    await look("token-made");
    await open("/people");
    await look("people-none", "People");
    await send(page, { account: "nobody" });
    await refused("people-refused");
    await open("/account/addresses/add");
    await send(page, { address: "nothing" });
    await refused("address-refused");
    await send(page, { address: `more-${owner.address}` });
    await look("address-code", "Is it yours?");
    await send(page, { code: "000000" });
    await refused("address-code-refused");
    await open("/account/password");
    await send(page, { password: "short" });
    await refused("password-refused");
    await open("/device");
    await send(page, { user_code: "nothing" });
    await refused("device-refused");
    await open("/account/apps");
    await look("apps-none");
    await open(authorize());
    await page.getByRole("button", { name: "Sign in", exact: true }).press("Enter");
    await page.waitForURL((url) => !url.pathname.startsWith("/oauth/"));
    await open("/account/apps");
    await page.getByText("Photo Shelf", { exact: true }).waitFor();
    await look("apps");

    await open("/account/second-step/totp");
    await send(page, { code: "000000" });
    await refused("code-app-refused");
    await switchOn(owner);
    await open("/account/second-step");
    await look("second-step-on", "Second step");
    await open("/account/second-step/off?kind=totp");
    await look("second-step-off");
    await open("/account/second-step/codes");
    await page.getByRole("button", { name: "Make ten new codes" }).press("Enter");
    await page.getByText("Keep these now").waitFor();
    await look("recovery-codes");

    await context.clearCookies();
    await open("/sign-in");
    await send(page, { address: owner.address, password });
    await look("second-step", "One more step");
    await send(page, { code: "000000" });
    await refused("second-step-refused");
    await page.getByRole("link", { name: "A recovery code" }).press("Enter");
    await page.waitForURL("**way=recovery-code**");
    await look("second-step-recovery-code", "One more step");
    await page.getByRole("link", { name: "I cannot take this step" }).press("Enter");
    await page.waitForURL("**/sign-in/lost");
    await look("lost");
    await page.getByRole("button", { name: "Begin to wait" }).press("Enter");
    await page.getByText("The wait has begun").waitFor();
    await look("lost-waiting");
    await signInBrowser(world, context, owner);
    await open("/account/password");
    await look("password-while-waiting");
    expect(visitor.complaints).toEqual([]);
    await context.close();
  });
});
