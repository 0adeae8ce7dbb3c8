/**
 * The names of a device: one more, another in place of one, one given up. A name that was given up answers
 * nothing any more and is held for whoever gave it up: nobody else gets it for `limits.heldLabelMs` (CON-6).
 *
 * Whose a name is says the directory, in one statement; the device's object holds the words. A change is
 * noted before the first step and may break off anywhere: `settle` makes of it what the directory says.
 */

import {
  endNaming,
  markNaming,
  namingDevices,
  namingSince,
} from "../../db/queries/device-names.ts";
import type {
  DeviceDescription,
  DeviceLabels,
  DeviceStub,
  JudgedLabel,
} from "../../durable-objects/device/rpc.ts";
import { limits } from "../../protocol/limits.ts";
import { type ActivityEvent, note } from "../account/activity.ts";
import { hasLost, revokeLost } from "../certificates/revocation.ts";
import { ownDevice } from "../devices/devices.ts";
import { forgetErased, regionDb } from "../devices/ending.ts";
import type { Db, Ports } from "../ports.ts";
import { Problem } from "../problem.ts";
import type { Client } from "../sign-in/client.ts";
import { Noted } from "./noting.ts";
import { wantedLabel } from "./wanted.ts";

/** One name of a device. */
export interface NameOf {
  readonly label: string;
  /** What the device is called by. */
  readonly isPrimary: boolean;
}

/** The device's names, the primary first. @throws Problem `not-found` */
export async function namesOf(
  ports: Ports,
  accountId: string,
  deviceId: string,
): Promise<readonly NameOf[]> {
  const { primary, others } = await labelsHere(ports, accountId, deviceId);
  return [primary, ...others].map((label) => ({ label, isPrimary: label === primary }));
}

/**
 * Gives a device one name more.
 * @throws Problem `label-syntax`, `label-reserved`, `label-taken`, `too-many`, `names-held`, `not-found`
 */
export async function addName(
  ports: Ports,
  accountId: string,
  deviceId: string,
  typed: string,
  client: Client,
): Promise<DeviceDescription> {
  const { primary, others } = await labelsHere(ports, accountId, deviceId);
  const label = await wantedLabel(ports, accountId, typed, [primary, ...others]);
  const told = { client, event: "name-added", about: label } as const;
  return await change(ports, { accountId, deviceId, ...told, label }, async (object, noted) => {
    await announce(object, noted, label, null);
    return await ports.directory.claimLabel(label, deviceId, accountId);
  });
}

/**
 * Calls a device `typed` where it was called `from`: the old name answers nothing any more.
 * @throws Problem as `addName`, and `not-found` for a name that is none of the device's
 */
export async function renameName(
  ports: Ports,
  accountId: string,
  deviceId: string,
  names: { readonly from: string; readonly to: string },
  client: Client,
): Promise<DeviceDescription> {
  const { from, to: typed } = names;
  const { primary, others } = await labelsHere(ports, accountId, deviceId);
  if (![primary, ...others].includes(from)) throw new Problem("not-found");
  const to = await wantedLabel(ports, accountId, typed, [primary, ...others]);
  const told = { client, event: "name-changed", about: `${from} → ${to}` } as const;
  return await change(ports, { accountId, deviceId, ...told, label: to }, async (object, noted) => {
    await announce(object, noted, to, from);
    return await ports.directory.renameLabel(from, to, deviceId, accountId);
  });
}

/**
 * Gives a name up. @throws Problem `not-found`, `name-last` for the only one; `name-primary` for the one
 * that the device is called by
 */
export async function releaseName(
  ports: Ports,
  accountId: string,
  deviceId: string,
  label: string,
  client: Client,
): Promise<DeviceDescription> {
  await furtherName(ports, accountId, deviceId, label);
  const told = { client, event: "name-released", about: label } as const;
  return await change(ports, { accountId, deviceId, ...told, label: null }, async () => {
    await ports.directory.releaseLabel(label, deviceId, accountId);
    return true;
  });
}

/** Calls the device by another of its names. @throws Problem `not-found` */
export async function makePrimary(
  ports: Ports,
  accountId: string,
  deviceId: string,
  label: string,
  client: Client,
): Promise<DeviceDescription> {
  const object = await ownDevice(ports, accountId, deviceId);
  const device = await object.setPrimaryLabel(label);
  if (device === null) throw new Problem("not-found");
  await note(ports, accountId, "name-changed", { client, about: label });
  return device;
}

/** A name that the device can do without. @throws Problem as `releaseName` */
export async function furtherName(
  ports: Ports,
  accountId: string,
  deviceId: string,
  label: string,
): Promise<void> {
  const { primary, others } = await labelsHere(ports, accountId, deviceId);
  if (label === primary) throw new Problem(others.length === 0 ? "name-last" : "name-primary");
  if (!others.includes(label)) throw new Problem("not-found");
}

/** Ends the changes of a region's names that broke off; one that fails again holds up no other. */
export async function finishNaming(
  ports: Ports,
  db: Db,
): Promise<{ readonly deleted: number; readonly more: boolean }> {
  let failure: unknown = null;
  const due = ports.clock.now() - limits.labelSettleMs;
  for (const { id, since } of await namingDevices(db, due, limits.erasureObjectsPerRun)) {
    try {
      const { device, isOver } = await settle(ports, id, since);
      const object = ports.devices.get(id);
      const isRevoked = device === null || (await revokeLost(ports, object, device.labels));
      if (isOver && isRevoked) await endNaming(db, id, since);
      // While the authority is away, it is others' turn first.
      else if (!isRevoked) await markNaming(db, id, ports.clock.now(), since);
    } catch (error) {
      failure = error;
    }
  }
  if (failure !== null) throw failure;
  return { deleted: 0, more: false };
}

/** A change of a device's names, and what its owner reads of it. */
interface Change {
  readonly accountId: string;
  readonly deviceId: string;
  /** The name that comes; null: none does. */
  readonly label: string | null;
  readonly client: Client;
  readonly event: ActivityEvent;
  readonly about: string;
}

/**
 * Changes names of a device: `work` announces the one that comes to its object and tells the directory.
 * @param work false: it came to nothing
 * @throws Problem `label-taken` where it did, `not-found` for a device that is gone
 */
async function change(
  ports: Ports,
  { accountId, deviceId, label, client, event, about }: Change,
  work: (object: DeviceStub, noted: Noted) => Promise<boolean>,
): Promise<DeviceDescription> {
  const noted = new Noted(ports, deviceId);
  await noted.mark();
  const object = ports.devices.get(deviceId);
  const isDone = await work(object, noted);
  await forgetErased(ports, accountId);
  if (!isDone && label !== null) await object.settleLabels([failed(label)], true);
  const { device, isOver } = await settle(ports, deviceId);
  if (device === null) throw new Problem("not-found");
  // What was certified for a name that went, the sweep has revoked.
  if (isOver && !(await hasLost(ports, object, device.labels))) await noted.end();
  if (label !== null && !device.labels.includes(label)) throw new Problem("label-taken", "label");
  await note(ports, accountId, event, { client, about });
  return device;
}

/** Tells a device's object of a name before the directory gives it. @throws Problem `too-many`, `not-found` */
async function announce(
  object: DeviceStub,
  noted: Noted,
  label: string,
  instead: string | null,
): Promise<void> {
  const expected = await object.expectLabel(label, instead);
  if (expected === "full") throw new Problem("too-many", "label");
  if (expected === null) throw new Problem("not-found");
  await noted.mark();
}

/**
 * Makes of a device's names what the directory says.
 * @param since the note that the sweep acts on: where there is no newer one, no change is under way, what
 *   was announced does not come any more, and what the directory has and the device never heard of is held
 * @returns `isOver`: nothing is announced any more that did not come
 */
export async function settle(
  ports: Ports,
  deviceId: string,
  since: number | null = null,
): Promise<{ readonly device: DeviceDescription | null; readonly isOver: boolean }> {
  const object = ports.devices.get(deviceId);
  const labels = await object.labels();
  if (labels === null) return { device: null, isOver: true };
  const all = [labels.primary, ...labels.others, ...labels.coming];
  const own = await ports.directory.ownLabels(all, deviceId);
  const judged = all.map((label) => ({
    ...{ label, isOwn: own.includes(label), wasHere: !labels.coming.includes(label) },
  }));
  // Whoever announced one of these noted that before.
  const isSweep =
    since !== null && (await namingSince(regionDb(ports, deviceId), deviceId)) === since;
  const device = await object.settleLabels(judged, isSweep);
  if (!isSweep) {
    const isLeaving = labels.leaving.some((label) => own.includes(label));
    return { device, isOver: !isLeaving && labels.coming.every((label) => own.includes(label)) };
  }
  return { device, isOver: await holdUnheard(ports, deviceId) };
}

/** A change may be under way beside the sweep: what the directory has by then was announced before. */
async function holdUnheard(ports: Ports, deviceId: string): Promise<boolean> {
  let isOver = true;
  await ports.directory.holdOtherLabels(deviceId, async () => {
    const labels = await ports.devices.get(deviceId).labels();
    if (labels === null) return null;
    const { primary, others, coming, leaving } = labels;
    isOver = coming.length === 0 && leaving.length === 0;
    return [primary, ...others, ...coming];
  });
  return isOver;
}

/** What was announced and did not come. */
export const failed = (label: string): JudgedLabel => ({ label, isOwn: false, wasHere: false });

async function labelsHere(
  ports: Ports,
  accountId: string,
  deviceId: string,
): Promise<DeviceLabels> {
  const object = await ownDevice(ports, accountId, deviceId);
  const labels = await object.labels();
  if (labels === null) throw new Problem("not-found");
  return labels;
}
