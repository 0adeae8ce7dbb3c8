/** The page of a device's door, in a real browser without scripts: a rule, a share, its link, its end. */

import { afterAll, beforeAll, expect, it } from "vitest";
import { axe } from "../support/axe.ts";
import { keepPicture, phone, visit } from "../support/browser.ts";
import {
  furnish,
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

it.each(["light", "dark"] as const)(
  "[FEA-6] [CON-12] makes a rule and a share, says who may pass it on, and stops it: %s, on a phone, without scripts",
  { timeout: 240_000 },
  async (colorScheme) => {
    const options = { colorScheme, viewport: phone, javaScriptEnabled: false };
    const { page, context } = await visit(world.browser, options);
    await signInBrowser(world, context, owner);
    await page.goto(`${world.origin}/devices/${deviceId}/door?path=/photos/a.jpg`);
    await page.getByText("Others may pass on, copy or keep what you share").waitFor();
    await keepPicture(page, `phone-${colorScheme}-device-door`);

    await page.getByLabel("Path", { exact: true }).fill("/a;b");
    await page.getByRole("button", { name: "Save the rule" }).click();
    await page.locator("#rule-error").waitFor();
    expect(await page.getByLabel("Path", { exact: true }).inputValue()).toBe("/a;b");
    await page.getByLabel("Path", { exact: true }).fill(`/photos-${colorScheme}`);
    await page.getByLabel("Who may come in there").selectOption("contacts");
    await page.getByRole("button", { name: "Save the rule" }).click();
    await page.getByText("Saved. It holds from now on.").waitFor();

    await page.getByLabel("File or folder").fill("/photos/a.jpg");
    await page.getByLabel("What you call it").fill(`A photo, ${colorScheme}`);
    await page.getByLabel("Password of the link").fill("open sesame");
    await page.getByRole("button", { name: "Share it" }).click();
    const link = /http\S+\/share\/lk_shr_\w+\/locked/.exec(await page.content())?.[0] ?? "";
    expect(link).not.toBe("");
    await keepPicture(page, `phone-${colorScheme}-device-door-shared`);

    const guest = await visit(world.browser, { colorScheme, viewport: phone });
    await guest.page.goto(link);
    await guest.page.getByRole("heading", { name: "Somebody shares something with you" }).waitFor();
    await keepPicture(guest.page, `phone-${colorScheme}-door-share`);
    await guest.page.getByLabel("Password of this link").fill("close sesame");
    await guest.page.getByRole("button", { name: "Open it" }).click();
    await guest.page.getByRole("alert").waitFor();
    await guest.page.getByLabel("Password of this link").fill("open sesame");
    await guest.page.getByRole("button", { name: "Open it" }).click();
    await guest.page.waitForURL("**/photos/a.jpg");
    await guest.context.close();

    await page.getByRole("button", { name: `Stop sharing A photo, ${colorScheme}` }).click();
    await page.getByText("Stopped. Whoever had it is out.").waitFor();
    await context.close();

    for (const viewport of [phone, { width: 1280, height: 800 }]) {
      const looked = await visit(world.browser, { colorScheme, viewport, bypassCSP: true });
      await signInBrowser(world, looked.context, owner);
      for (const url of [`${world.origin}/devices/${deviceId}/door`, link]) {
        await looked.page.goto(url);
        expect(await axe(looked.page), url).toEqual([]);
        const overflow = await looked.page.evaluate(
          () => document.documentElement.scrollWidth - document.documentElement.clientWidth,
        );
        expect([url, overflow]).toEqual([url, 0]);
      }
      await looked.context.close();
    }
  },
);
