/** The viewer in a real browser: every kind of document, seen through the door of a real device. */

import { afterAll, beforeAll, expect, it } from "vitest";
import { keepPicture } from "../support/browser.ts";
import { opened, startViewerWorld, type ViewerWorld } from "../support/viewer.ts";

let world: ViewerWorld;

beforeAll(async () => {
  world = await startViewerWorld();
});
afterAll(() => world.close());

it.each([
  ["welcome.txt", "Welcome to the box at home."],
  ["garden.md", "The garden"],
  ["insurance.pdf", "Household insurance"],
  ["house-rules.docx", "The key hangs behind the door."],
  ["heating.xlsx", "December"],
  ["summer.pptx", "The hut above the lake"],
])("shows %s", async (name, text) => {
  const { page, context, complaints } = await world.visitor();
  page.on("console", (m) => console.log(m.type(), m.text()));
  const frame = await opened(world, page, name);
  await frame.getByText(text).first().waitFor();
  await keepPicture(page, `viewer-${name}`);
  expect(complaints).toEqual([]);
  await context.close();
});
