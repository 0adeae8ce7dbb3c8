/**
 * The whole story in one browser: a stranger opens an account, adds the box at home, switches its
 * door and its name on, uses it from outside, and leaves without a trace of the box.
 */

import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Page } from "playwright-core";
import { afterAll, beforeAll, expect, it } from "vitest";
import { enroll } from "../../agent/enroll.ts";
import { type Nas, startNas } from "../../demo/nas.ts";
import { linkIn } from "../../scripts/local/mailbox.ts";
import { keepPicture, visit } from "../support/browser.ts";
import {
  openAccount,
  password,
  runAgent,
  signInBrowser,
  startWorld,
  type World,
} from "../support/console.ts";

let world: World;
let nas: Nas;

beforeAll(async () => {
  world = await startWorld();
  nas = await startNas({ folder: world.folder("files") });
});
afterAll(async () => {
  await nas.close();
  await world.close();
});

it("signs up, adds a box, opens its door, downloads, uploads, unregisters", async () => {
  const { page, context, complaints } = await visit(world.browser, { acceptDownloads: true });
  await signUp(page, "mara@example.org");

  const box = await enroll({
    cloud: world.origin,
    home: world.folder("attic"),
    onCode: async ({ verification_uri_complete, fingerprint }) => {
      await page.goto(verification_uri_complete);
      await page.getByText(fingerprint).waitFor();
      await page.getByLabel("Name it").fill("attic");
      await page.getByText("Your device will be attic.").waitFor();
      await keepPicture(page, "story-1-approve");
      await page.getByRole("button", { name: "Add this device" }).click();
      await page.waitForURL("**?done=added");
    },
  });
  expect(box.label).toBe("attic");
  const stop = runAgent(world, "attic", nas.origin);
  await page.getByRole("switch", { name: "The door" }).click();
  await page.waitForURL("**?done=link-on");
  await page.getByRole("switch", { name: "The name" }).click();
  await page.waitForURL("**?done=name-on");
  await page.locator('[data-device][data-live="online"]').waitFor();
  await keepPicture(page, "story-2-online");
  expect(await resolve(`attic.${world.ddnsZone}`)).toEqual(["127.0.0.1"]);

  await page.getByRole("link", { name: "Open the door" }).click();
  await page.getByRole("heading", { name: "The box at home" }).waitFor();
  expect(new URL(page.url()).hostname).toBe(`attic.${world.linkZone}`);
  await keepPicture(page, "story-3-through-the-door");
  await download(page);
  await upload(page);

  await page.goto(`${world.origin}/devices/${box.device_id}`);
  await page.getByRole("link", { name: "Unregister this device" }).click();
  await keepPicture(page, "story-4-unregister");
  await page.getByRole("button", { name: "Unregister attic" }).click();
  await page.getByText("Unregistered.").waitFor();
  await page.goto(box.link);
  await page.getByRole("heading", { name: "There is no door here" }).waitFor();
  await keepPicture(page, "story-5-no-door");
  expect(await resolve(`attic.${world.ddnsZone}`)).toEqual([]);
  await stop();
  expect(complaints).toEqual([]);
  await context.close();
});

it("sends a visitor to sign in and back, lets in whom the owner listed, and says so to others", async () => {
  const owner = await openAccount(world, "owner@example.org");
  const { page, context, complaints } = await visit(world.browser);
  await signInBrowser(world, context, owner);
  const box = await enroll({
    cloud: world.origin,
    home: world.folder("cellar"),
    onCode: async ({ verification_uri_complete }) => {
      await page.goto(verification_uri_complete);
      await page.getByLabel("Name it").fill("cellar");
      await page.getByRole("button", { name: "Add this device" }).click();
      await page.waitForURL("**?done=added");
    },
  });
  await page.getByRole("switch", { name: "The door" }).click();
  await page.waitForURL("**?done=link-on");

  const guest = await openAccount(world, "guest@example.org");
  const visitor = await visit(world.browser);
  await visitor.page.goto(box.link);
  await visitor.page.getByText("The door of cellar").waitFor();
  await visitor.page.getByLabel("E-mail address").fill(guest.address);
  await visitor.page.getByLabel("Password").fill(password);
  await visitor.page.getByRole("button", { name: "Sign in" }).click();
  await visitor.page.getByRole("heading", { name: "This door is not open to you" }).waitFor();

  await page.getByLabel("People I list").check();
  await page.getByRole("button", { name: "Save who may come in" }).click();
  await page.getByLabel("Latchkey ID").fill(guest.accountId);
  await page.getByRole("button", { name: "Put on the list" }).click();
  await page.waitForURL("**?done=listed");
  await visitor.page.goto(box.link);
  await visitor.page.getByRole("heading", { name: "cellar is not connected right now" }).waitFor();
  await keepPicture(visitor.page, "story-6-offline");
  const stop = runAgent(world, "cellar", nas.origin);
  await page.locator('[data-device][data-live="online"]').waitFor();
  await visitor.page.getByRole("link", { name: "Try again" }).click();
  await visitor.page.getByRole("heading", { name: "The box at home" }).waitFor();

  await page.getByRole("button", { name: /Take off the list/ }).click();
  await page.waitForURL("**?done=unlisted");
  await visitor.page.reload();
  await visitor.page.getByRole("heading", { name: "This door is not open to you" }).waitFor();
  await keepPicture(visitor.page, "story-7-forbidden");
  await stop();
  expect([...complaints, ...visitor.complaints]).toEqual([]);
  await visitor.context.close();
  await context.close();
});

async function signUp(page: Page, address: string): Promise<void> {
  await page.goto(world.origin);
  await page.getByRole("link", { name: "Open an account" }).click();
  await page.getByLabel("E-mail address").fill(address);
  await page.getByLabel("Password").fill(password);
  await page.getByRole("button", { name: "Send me the message" }).click();
  await page.waitForURL("**/sign-up/sent");
  await page.goto(linkIn(await world.mailbox.next(address)));
  await page.getByLabel("The password you chose").fill(password);
  await page.getByRole("button", { name: "Open my account" }).click();
  await page.waitForURL("**/devices");
}

async function download(page: Page): Promise<void> {
  const [file] = await Promise.all([
    page.waitForEvent("download"),
    page.getByRole("link", { name: "Download" }).first().click(),
  ]);
  const original = await readFile(join(world.folder("files"), file.suggestedFilename()));
  expect(await readFile(await file.path())).toEqual(original);
}

async function upload(page: Page): Promise<void> {
  const content = Buffer.from(Array.from({ length: 100_000 }, (_, at) => at % 251));
  const source = world.folder("from-outside.bin");
  await writeFile(source, content);
  await page.getByLabel("File to upload").setInputFiles(source);
  await page.getByRole("button", { name: "Upload", exact: true }).click();
  await page.getByRole("link", { name: "from-outside.bin", exact: true }).waitFor();
  expect(await readFile(join(world.folder("files"), "from-outside.bin"))).toEqual(content);
}

/** The A records of a name over DNS (RFC 8484, GET). */
async function resolve(name: string): Promise<string[]> {
  const labels = name.split(".").flatMap((label) => [label.length, ...Buffer.from(label)]);
  const query = Buffer.from([0, 0, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, ...labels, 0, 0, 1, 0, 1]);
  const response = await fetch(`${world.origin}/dns-query?dns=${query.toString("base64url")}`);
  const answer = Buffer.from(await response.arrayBuffer());
  const count = answer.readUInt16BE(6);
  const addresses: string[] = [];
  // Each answer is a pointer to the name, type, class, TTL, length and four bytes (RFC 1035 §4.1.3).
  for (let index = 0, at = query.length; index < count; index++, at += 16) {
    addresses.push([...answer.subarray(at + 12, at + 16)].join("."));
  }
  return addresses;
}
