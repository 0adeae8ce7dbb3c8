/** Since when each name is a device's, as the fronts are told: so they know who came to a name last. */

import { beforeEach, expect, it } from "vitest";
import type { Publication } from "../../durable-objects/zone/rpc.ts";
import { type HeldDevice, heldDevice } from "../support/device.ts";

let told: Publication[];
let held: HeldDevice;

beforeEach(async () => {
  told = [];
  held = await heldDevice({ zone: { publish: async (said) => void told.push(said) } });
  await held.device.setFeature("name", true);
});

async function since(): Promise<Record<string, number | undefined>> {
  // Whatever changes what is published has all of it told.
  await held.device.certifying.prove({ put: `${told.length}` });
  await held.settled();
  return Object.fromEntries(
    (told.at(-1)?.name?.names ?? []).map((name) => [name.label, name.since]),
  );
}
const own = (...labels: string[]) =>
  held.device.labeling.settleLabels(
    labels.map((label) => ({ label, isOwn: true, wasHere: true })),
    true,
  );

it("stays what it was, whatever the device is called by and whoever it is offered to", async () => {
  const start = held.clock.now();
  const first = (await held.device.describe())?.label ?? "";
  expect(Object.keys(await since())).toEqual([first]);
  const at = (await since())[first] ?? 0;
  expect(at).toBeLessThanOrEqual(start);
  held.clock.advance(5000);
  expect(await held.device.labeling.expectLabel("photos", null)).toBe("expected");
  held.clock.advance(5000);
  await own(first, "photos");
  const both = { [first]: at, photos: start + 5000 };
  expect(await since()).toEqual(both);
  await held.device.labeling.setPrimaryLabel("photos");
  expect(await since()).toEqual(both);
  held.clock.advance(5000);
  expect(await held.device.labeling.leaveLabel(first)).toBe("left");
  expect(await since()).toEqual(both);
  expect(await held.wake().labeling.setPrimaryLabel(first)).not.toBeNull();
  expect(await since()).toEqual(both);
  // One in place of another is there since it was announced.
  await held.device.labeling.expectLabel("pictures", first);
  await held.device.labeling.settleLabels(
    [
      { label: first, isOwn: false, wasHere: true },
      { label: "pictures", isOwn: true, wasHere: false },
    ],
    true,
  );
  expect(await since()).toEqual({ pictures: start + 15_000, photos: start + 5000 });
});

it("is anew for a name that comes back to be what the device is called by", async () => {
  const first = (await held.device.describe())?.label ?? "";
  const isOwn = (is: boolean) => ({ label: first, isOwn: is, wasHere: true });
  held.clock.advance(5000);
  await held.device.labeling.settleLabels([isOwn(false)], true);
  expect(await since()).toEqual({});
  // Another device may have had it by now, and lets it go.
  held.clock.advance(5000);
  const back = held.clock.now();
  expect(await held.device.labeling.expectLabel(first, null)).toBe("expected");
  held.clock.advance(5000);
  await own(first);
  expect(await since()).toEqual({ [first]: back });
  expect((await held.wake().describe())?.label).toBe(first);
  expect(await since()).toEqual({ [first]: back });
});
