/**
 * The smart link in Chromium. Two local origins stand for the home network and the relay: the page of
 * the box on this machine, and the same page through its door.
 */

import type { Page } from "playwright-core";
import { afterAll, beforeAll, expect, it } from "vitest";
import { type Here, listenHere } from "../../agent/here.ts";
import { storageMap } from "../../db/data-map/outside.ts";
import { type Nas, startNas } from "../../demo/nas.ts";
import type { Spot } from "../../protocol/reach.ts";
import { axe } from "../support/axe.ts";
import { freePort, keepPicture, phone, visit } from "../support/browser.ts";
import {
  call,
  enrollDevice,
  openAccount,
  runAgent,
  signInBrowser,
  startWorld,
  type TestAccount,
  type World,
} from "../support/console.ts";

const LABEL = "attic";
let world: World;
let nas: Nas;
let owner: TestAccount;
let herePort: number;
let stopAgent: () => Promise<void> = async () => {};

beforeAll(async () => {
  world = await startWorld();
  nas = await startNas({ folder: world.folder("files") });
  owner = await openAccount(world, "owner@example.org");
  const id = await enrollDevice(world, owner, LABEL);
  for (const feature of ["link", "lan"]) {
    await call(world, "PUT", `/api/devices/${id}/features/${feature}`, { on: true }, owner);
  }
  herePort = await freePort();
  deviceId = id;
});
afterAll(async () => {
  await stopAgent();
  await nas.close();
  await world.close();
});
let deviceId: string;

const flags = () => ({ home: new URL(nas.origin).port, herePort: String(herePort) });
const spot = (): Spot => ({ probe: `http://127.0.0.1:${herePort}`, page: nas.origin });

/** Runs the agent, with its shortcut or without, until the console shows that it is there. */
async function withAgent(shortcut: boolean): Promise<void> {
  await stopAgent();
  stopAgent = runAgent(world, LABEL, nas.origin, shortcut ? flags() : {});
  const { page, context } = await visit(world.browser);
  await signInBrowser(world, context, owner);
  await page.goto(`${world.origin}/devices/${deviceId}`);
  await page.locator('[data-device][data-live="online"]').waitFor();
  if (shortcut) {
    await expect
      .poll(async () => {
        await page.reload();
        return await page.getByText(`${nas.origin}`).count();
      })
      .toBeGreaterThan(0);
    await keepPicture(page, "smart-device");
  }
  await context.close();
}

async function ownersPage(options: Parameters<typeof visit>[1] = {}) {
  const visitor = await visit(world.browser, options);
  await signInBrowser(world, visitor.context, owner);
  return visitor;
}
const hostAt = async (page: Page) => {
  await page.getByRole("heading", { name: "The box at home" }).waitFor();
  return new URL(page.url()).host;
};
const relayHost = () => `${LABEL}.${world.linkZone}:${new URL(world.origin).port}`;
const stored = (page: Page) => page.evaluate(() => ({ ...localStorage }) as Record<string, string>);

it("takes the nearer way, says how fast it was, and remembers it in this browser until told to forget", async () => {
  await withAgent(true);
  const { page, context, complaints } = await ownersPage();
  await page.goto(`${world.origin}/${LABEL}`);
  expect(await hostAt(page)).toBe(new URL(nas.origin).host);

  await page.goto(`${world.origin}/${LABEL}?stay`);
  await page.getByText(`${LABEL} is in your network.`).waitFor();
  const home = page.locator('li[data-way="home"]');
  expect(await home.getByText("answered, and proved to be the box").isVisible()).toBe(true);
  expect(await home.locator("[data-ms]").textContent()).toMatch(/^\d+ ms$/);
  expect(await home.getByText("the way you get").isVisible()).toBe(true);
  const open = page.getByRole("link", { name: `Open ${LABEL}` });
  expect(await open.getAttribute("href")).toBe(`${nas.origin}/`);

  const kept = await stored(page);
  expect(Object.keys(kept)).toEqual(Object.keys(storageMap));
  expect(JSON.parse(kept["latchkey-ways"] ?? "")).toEqual({
    [LABEL]: { way: "home", at: expect.any(Number) },
  });
  await page.getByRole("button", { name: "Forget it" }).click();
  await page.getByText("This browser remembers nothing of it.").waitFor();
  expect(await stored(page)).toEqual({});
  expect(complaints).toEqual([]);
  await context.close();
});

it.each([
  ["light", "desk"],
  ["dark", "desk"],
  ["light", "phone"],
  ["dark", "phone"],
] as const)("is fit to be seen in %s on a %s", async (colorScheme, on) => {
  const viewport = on === "phone" ? { viewport: phone } : {};
  const { page, context } = await ownersPage({ colorScheme, ...viewport, bypassCSP: true });
  await page.goto(`${world.origin}/${LABEL}?stay`);
  await page.getByText(`${LABEL} is in your network.`).waitFor();
  expect(await axe(page)).toEqual([]);
  const overflow = () =>
    document.documentElement.scrollWidth - document.documentElement.clientWidth;
  expect(await page.evaluate(overflow)).toBe(0);
  await keepPicture(page, `smart-${colorScheme}-${on}`);
  await context.close();
});

it("falls back to the relay when the box has left, also where the browser remembers it near", async () => {
  const { page, context, complaints } = await ownersPage();
  await page.goto(`${world.origin}/${LABEL}?stay`);
  await page.getByText(`${LABEL} is in your network.`).waitFor();
  await withAgent(false);
  await page.goto(`${world.origin}/${LABEL}`);
  expect(await hostAt(page)).toBe(relayHost());
  await page.goto(`${world.origin}/${LABEL}?stay`);
  await page.getByText(`From here, the way to ${LABEL} is our relay.`).waitFor();
  const memory = JSON.parse((await stored(page))["latchkey-ways"] ?? "{}");
  expect(memory[LABEL].way).toBe("relay");
  expect(complaints.filter((text) => !/ERR_CONNECTION_REFUSED/.test(text))).toEqual([]);
  await context.close();
});

it("goes to no machine that answers with another key, however near", async () => {
  await withAgent(false);
  const pair = await crypto.subtle.generateKey("Ed25519", true, ["sign", "verify"]);
  if (!("privateKey" in pair)) throw new Error("Ed25519 makes pairs");
  let asked = 0;
  const liar: Here = await listenHere({
    ...{ port: herePort, host: "127.0.0.1", tls: null },
    ...{ cloud: world.origin, privateKey: pair.privateKey },
    spots: () => {
      asked++;
      return [spot()];
    },
  });
  try {
    const { page, context } = await ownersPage();
    await page.goto(`${world.origin}/${LABEL}`);
    expect(await hostAt(page)).toBe(relayHost());
    expect(asked).toBe(1);
    await page.goto(`${world.origin}/${LABEL}?stay`);
    await page.getByText(`From here, the way to ${LABEL} is our relay.`).waitFor();
    const home = page.locator('li[data-way="home"]');
    await home.getByText("something answered, but it is not the box").waitFor();
    await keepPicture(page, "smart-liar");
    await context.close();
  } finally {
    await liar.close();
  }
});

it("leads to the relay without JavaScript, by a link", async () => {
  const { page, context } = await ownersPage({ javaScriptEnabled: false });
  await page.goto(`${world.origin}/${LABEL}?to=/%3Fa=1`);
  await page.getByText("Finding a nearer way takes JavaScript.").waitFor();
  await keepPicture(page, "smart-no-js");
  await page.getByRole("link", { name: `Open ${LABEL}` }).click();
  expect(await hostAt(page)).toBe(relayHost());
  await context.close();
});

it("leads strangers to the door's own answer, and tells them of no other place", async () => {
  const { page, context, requests } = await visit(world.browser);
  await page.goto(`${world.origin}/${LABEL}`);
  await page.getByText(`The door of ${LABEL}`).waitFor();
  await page.goto(`${world.origin}/nobodys-box`);
  await page.getByRole("heading", { name: "There is no door here" }).waitFor();
  expect(requests.filter((url) => url.includes("127.0.0.1"))).toEqual([]);
  await context.close();
});
