/** The demo NAS signs its visitor in with Latchkey, through its own door: the code a newcomer copies. */

import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it } from "vitest";
import { startNas } from "../../demo/nas.ts";
import { Box } from "../contract/suite/box.ts";
import { newPerson } from "../contract/suite/person.ts";
import { newLabel, World } from "../contract/suite/world.ts";
import { workerd } from "../contract/workerd.ts";
import { startBrowser, visit } from "../support/browser.ts";

it("the demo NAS: sign in with Latchkey at the door, and out", async () => {
  const world = await World.create(workerd);
  const folder = await mkdtemp(join(tmpdir(), "latchkey-nas-"));
  const browser = await startBrowser();
  const person = await newPerson(world);
  const box = await Box.enroll(world, person, newLabel());
  const nas = await startNas({ folder, openid: { issuer: world.origin, client_id: box.id } });
  try {
    await box.switch("link", true);
    await box.ask("/access", "PUT", { mode: "everyone" });
    const { socket } = await box.serve(nas.origin);
    const door = `http://${world.doorHost(box.label)}/`;
    const { page } = await visit(browser);
    await page.goto(door);
    // An open door says first whose it is.
    await page.getByRole("button", { name: `Go on to ${box.label}` }).click();
    await page.getByRole("link", { name: "Sign in with Latchkey" }).click();
    await page.getByLabel("E-mail address").fill(person.address);
    await page.getByLabel("Password", { exact: true }).fill(person.password);
    await page.getByRole("button", { name: "Sign in", exact: true }).click();
    await page.getByRole("heading", { name: `Sign in to ${box.label}?` }).waitFor();
    await page.getByRole("button", { name: "Sign in", exact: true }).click();
    await page.waitForURL(door);
    expect(await page.textContent("body")).toContain(`Signed in as ${person.address}`);
    await page.getByRole("button", { name: "Sign out" }).click();
    await page.getByRole("link", { name: "Sign in with Latchkey" }).waitFor();
    socket.close();
  } finally {
    await browser.close();
    await nas.close();
    await world.close();
    await rm(folder, { recursive: true, force: true });
  }
});
