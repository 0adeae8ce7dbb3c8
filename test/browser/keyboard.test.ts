/**
 * The account center, people and privacy by keyboard alone: what each page is for is done with Tab,
 * Enter, Space and arrows; after each form the focus is on what came of it.
 */

import type { BrowserContext, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { totpCode } from "../../workers/sign-in/totp.ts";
import { desk, phone, visit } from "../support/browser.ts";
import {
  call,
  enrollDevice,
  furnish,
  liveIn,
  openAccount,
  operator,
  password,
  signInBrowser,
  startWorld,
  type TestAccount,
  type World,
} from "../support/console.ts";
import { Keyboard } from "../support/keyboard.ts";
import { plain } from "../support/pictures.ts";

let world: World;
let owner: TestAccount;
let pages: string[];

beforeAll(async () => {
  world = await startWorld();
  const furniture = await furnish(world);
  owner = furniture.owner;
  const { passkeyId, contactId, addressId } = await liveIn(world, owner);
  pages = [
    "/account",
    "/account/profile",
    "/account/addresses",
    "/account/addresses/add",
    "/account/addresses/verify?token=x",
    `/account/addresses/remove?id=${addressId}`,
    "/account/password",
    "/account/passkeys",
    `/account/passkeys/${passkeyId}`,
    "/account/second-step",
    "/account/second-step/totp",
    "/account/second-step/sms",
    "/account/linked",
    "/sessions",
    "/account/apps",
    "/account/tokens",
    "/account/activity",
    "/account/data",
    "/account/erase",
    "/confirm?return=/account",
    "/people",
    `/people/${contactId}`,
    "/privacy",
    "/report?door=attic",
    "/devices",
    "/devices/add",
    `/devices/${furniture.deviceId}`,
    "/device",
    "/oauth/logout",
  ];
});
afterAll(() => world.close());

interface Visitor {
  readonly page: Page;
  readonly context: BrowserContext;
  readonly keys: Keyboard;
  open(path: string): Promise<void>;
  /** What the form did or was refused for has the focus, and says so. */
  told(text: string | RegExp): Promise<void>;
}

async function enter(account: TestAccount | null, viewport = desk): Promise<Visitor> {
  const { page, context } = await visit(world.browser, { viewport });
  if (account !== null) await signInBrowser(world, context, account);
  const keys = new Keyboard(page);
  return {
    ...{ page, context, keys },
    open: async (path) => void (await page.goto(world.origin + path)),
    async told(text) {
      await page.locator(":focus[data-focus]").waitFor();
      expect(await keys.focused()).toMatch(text);
    },
  };
}

describe("every page", () => {
  it.each([
    ["desk", desk],
    ["phone", phone],
  ])("can be walked through on a %s: all of it, in order, the focus in sight", async (_, size) => {
    const { keys, open, context } = await enter(owner, size);
    for (const path of pages) {
      await open(path);
      const { stops, missed } = await keys.walk();
      expect(missed, path).toEqual([]);
      expect(stops.length, path).toBeGreaterThan(5);
      expect(stops[0]?.name, path).toBe("Skip to the content");
      const faults = stops.flatMap(({ name, faults }) => faults.map((one) => `${name}: ${one}`));
      expect(faults, path).toEqual([]);
    }
    await context.close();
  });
});

describe("by keyboard alone", () => {
  it("a stranger reports a page, its owner objects to what came of it", async () => {
    const me = await openAccount(world, "keys-report@example.org");
    const label = "reported";
    const id = await enrollDevice(world, me, label);
    await call(world, "PUT", `/api/devices/${id}/features/link`, { on: true }, me);
    const stranger = await enter(null);
    await stranger.open("/report?door=reporte");
    await stranger.keys.use("Send the report");
    await stranger.told("This did not work yet");
    await stranger.keys.type("In your words", "It copies the page of a bank.");
    await stranger.keys.use("Send the report");
    await stranger.told("There is no open door of this name");
    await stranger.keys.to("The device’s name");
    await stranger.page.keyboard.press("End");
    await stranger.page.keyboard.type("d");
    await stranger.keys.to(/^A trap/);
    await stranger.page.keyboard.press("ArrowDown");
    await stranger.keys.use("Send the report");
    await stranger.page.getByRole("heading", { name: "Your report is here" }).waitFor();
    await stranger.context.close();

    const door = `/api/operator/doors/${label}`;
    const [report] = (await call(world, "GET", door, undefined, operator)).reports as object[];
    expect(report).toMatchObject({ about: "malware", words: "It copies the page of a bank." });
    const closure = { reason: "malware", extent: "open", words: "See report." };
    await call(world, "PUT", `${door}/closure`, closure, operator);
    const { context, keys, open, told } = await enter(me);
    await open(`/devices/${id}`);
    await keys.use("The reasons, and how to object");
    await keys.use("Send the objection");
    await told("This did not work yet");
    await keys.type("If that is wrong, say why", "It is my own bank.");
    await keys.use("Send the objection");
    await told("Sent.");
    expect(await call(world, "GET", door, undefined, operator)).toMatchObject({
      objection: { words: "It is my own bank." },
    });
    await context.close();
  });

  it("a person says who they are, shows a photo, and takes both back", async () => {
    const me = await openAccount(world, "keys-profile@example.org");
    const { page, context, keys, open, told } = await enter(me);
    // From the start: a chooser that opens before somebody listens is closed by the browser.
    const asked = page.waitForEvent("filechooser", { timeout: 0 });
    await open("/account");
    await keys.use(/^Profile/);
    await keys.type("Name", "Ada of the Keys");
    await keys.to(/^Who may see it \(Name\)/);
    await page.keyboard.press("End");
    await keys.use("Save Name");
    await told("Saved.");
    expect(await page.inputValue("#name-visibility")).toBe("everyone");

    await keys.use("Save Photo");
    await told("This did not work yet");
    await keys.to("Picture");
    await page.keyboard.press("Enter");
    const photo = { name: "me.png", mimeType: "image/png", buffer: Buffer.from(plain("png")) };
    await (await asked).setFiles(photo);
    await keys.use("Save Photo");
    await told("Saved.");
    expect(await page.locator(".photo-row img").count()).toBe(1);
    await keys.use("Clear Photo");
    await told("Cleared.");
    expect(await page.locator(".photo-row img").count()).toBe(0);
    await keys.use("Clear the whole profile");
    await told("Cleared.");
    expect(await page.inputValue("#name")).toBe("");
    await context.close();
  });

  it("two people become contacts, and one blocks the other", async () => {
    const [me, other] = [
      await openAccount(world, "keys-asks@example.org"),
      await openAccount(world, "keys-asked@example.org"),
    ];
    const mine = await enter(me);
    await mine.open("/people");
    await mine.keys.type(/^Ask somebody/, "nobody");
    await mine.keys.enter();
    await mine.told("This did not work yet");
    await mine.keys.type(/^Ask somebody/, other.accountId);
    await mine.keys.enter();
    await mine.told("Asked.");
    const theirs = await enter(other);
    await theirs.open("/people");
    await theirs.keys.use(`Accept ${me.accountId}`);
    await theirs.told("You are contacts.");
    await theirs.keys.use(`Remove ${me.accountId}`);
    await theirs.told("Removed, on both sides.");
    await theirs.keys.type(/^Ask somebody/, me.accountId);
    await theirs.keys.enter();
    await theirs.told("Asked.");
    await mine.open("/people");
    await mine.keys.use(`Block ${other.accountId}`);
    await mine.told("Blocked.");
    await mine.keys.use(`Unblock ${other.accountId}`);
    await mine.told("Unblocked.");
    await mine.context.close();
    await theirs.context.close();
  });

  it("an address is added, becomes the one for notices, and another goes", async () => {
    const me = await openAccount(world, "keys-address@example.org");
    const { page, context, keys, open, told } = await enter(me);
    const second = "keys-second@example.org";
    await open("/account/addresses");
    await keys.use("Add an address");
    await keys.type(/^E-mail address/, "nothing");
    await keys.enter();
    await told("This did not work yet");
    await keys.type(/^E-mail address/, second);
    await keys.enter();
    const code = /\d{6}/.exec((await world.mailbox.next(second)).text)?.[0] ?? "";
    await keys.type(/^The code/, code);
    await keys.enter();
    await told(/./);
    await keys.use(`Send notices here (${second})`);
    await told(/./);
    await keys.use(`Remove ${me.address}`);
    await keys.use(/^Remove/);
    await told(/./);
    expect(await page.locator("main").textContent()).not.toContain(me.address);
    await context.close();
  });

  it("a token is made and ended, sessions are ended, an app is let in and out", async () => {
    const me = await openAccount(world, "keys-tokens@example.org");
    const { page, context, keys, open, told } = await enter(me);
    await open("/account/tokens");
    await keys.type(/^What is it for/, "Backup");
    await keys.enter();
    await told("This did not work yet");
    await keys.to(/^See your devices/);
    await page.keyboard.press("Space");
    await keys.to(/days$/);
    await page.keyboard.press("ArrowUp");
    await keys.use("Make the token");
    await told("Copy the token now.");
    await keys.to(/^Copy/);
    await keys.use("End it (Backup)");
    await told(/./);

    await call(world, "POST", "/api/sessions", { address: me.address, password });
    await open("/sessions");
    await keys.use("End the other session");
    await told("All other sessions are over.");

    const query = new URLSearchParams({
      ...{ client_id: "photos", redirect_uri: `${world.origin}/`, response_type: "code" },
      ...{ scope: "openid", prompt: "consent" },
      ...{ code_challenge: "A".repeat(43), code_challenge_method: "S256" },
    });
    await open(`/oauth/authorize?${query}`);
    await keys.use("Sign in");
    await open("/account/apps");
    await keys.use(/Photo Shelf/);
    await told(/./);
    await open("/account/activity");
    await keys.use("End the sessions you do not know");
    await keys.use(/^Sign out here/);
    await page.waitForURL("**/sign-in");
    await context.close();
  });

  it("a trusted browser is listed, and is trusted no more", async () => {
    const me = await openAccount(world, "keys-trust@example.org");
    const steps = "/api/account/second-steps/totp";
    const { secret } = await call(world, "POST", `${steps}/set-up`, undefined, me);
    await call(world, "POST", steps, { code: totpCode(String(secret), Date.now()) }, me);
    const { page, context, keys, open, told } = await enter(null);
    await open("/sign-in");
    await keys.type(/^E-mail address/, me.address);
    await keys.type("Password", password);
    await keys.enter();
    await page.locator("[name=code]:focus").waitFor(); // where a person goes on, when the page is drawn
    // The code that switched the step on is used up: the next one is good already.
    await page.keyboard.type(totpCode(String(secret), Date.now() + 30_000));
    await keys.to(/^Trust this browser/);
    await page.keyboard.press("Space");
    await keys.enter();
    await page.waitForURL("**/devices");
    await open("/account");
    await keys.use(/^Second step/);
    await keys.use(/^Stop trusting/);
    await told("That browser is asked for the second step again.");
    await context.close();
  });

  it("everything held is taken along, and the account is erased, the password asked", async () => {
    const me = await openAccount(world, "keys-erase@example.org");
    const { page, context, keys, open, told } = await enter(me);
    await open("/devices");
    await keys.use("Privacy");
    await keys.to("Download everything");
    const download = page.waitForEvent("download");
    await page.keyboard.press("Enter");
    expect((await download).suggestedFilename()).toMatch(/\.zip$/);
    await keys.use("Erase this account");
    await keys.type("Your password", "not the password");
    await keys.enter();
    await told("This did not work yet");
    await keys.type("Your password", password);
    await keys.use("Erase everything");
    await page.waitForURL("**/sign-in?erased");
    await context.close();
  });

  it("who it is, is shown again", async () => {
    const me = await openAccount(world, "keys-confirm@example.org");
    const { page, context, keys, open, told } = await enter(me);
    await open("/confirm?return=/account/tokens");
    // Asked for one thing alone, it has the focus already.
    await page.keyboard.type("not the password");
    await keys.enter();
    await told("This did not work yet");
    await keys.type(/assword$/, password);
    await keys.enter();
    await page.waitForURL("**/account/tokens");
    await context.close();
  });
});
