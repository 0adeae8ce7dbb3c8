/**
 * Shares: one file or folder of a device that its owner opens to people, to the contacts or to a link,
 * until a time. The device's object holds them; here is what reaches beyond it.
 */

import { hasReach, insertReach, shortenReach } from "../../db/queries/devices.ts";
import { doorPaths } from "../../durable-objects/device/door.ts";
import { sharePath } from "../../durable-objects/device/paths.ts";
import type { NewShare, ShareDescription } from "../../durable-objects/device/rpc.ts";
import { isId } from "../../protocol/ids.ts";
import { limits } from "../../protocol/limits.ts";
import { note } from "../account/activity.ts";
import { doorOrigin } from "../config.ts";
import type { Ports } from "../ports.ts";
import { Problem } from "../problem.ts";
import type { Client } from "../sign-in/client.ts";
import { ownDevice } from "./devices.ts";

/** What the owner said; `path` as they typed it. */
export type ShareWish = NewShare;

/** `address`: what to send to whom it is for. With a link it holds the secret and is told this once. */
export interface Shared {
  readonly share: ShareDescription;
  readonly address: string;
}

/** What the owner shares of a device, the latest first. @throws Problem `not-found` */
export async function listShares(
  ports: Ports,
  accountId: string,
  deviceId: string,
): Promise<readonly ShareDescription[]> {
  const shares = await (await ownDevice(ports, accountId, deviceId)).shares();
  if (shares === null) throw new Problem("not-found");
  return shares;
}

/**
 * Shares a path of a device's web page.
 * @throws Problem `not-found`, `feature-off`, `too-many`, `path-unclear`, `bad-request` with the field
 */
export async function makeShare(
  ports: Ports,
  accountId: string,
  deviceId: string,
  wish: ShareWish,
  client: Client,
): Promise<Shared> {
  const object = await ownDevice(ports, accountId, deviceId);
  const device = await object.describe();
  if (device === null) throw new Problem("not-found");
  const origin = doorOrigin(ports.config, device.label);
  const share = checked(wish, accountId, origin, ports.clock.now());
  const made = await reaching(ports, deviceId, share, () => object.makeShare(share));
  if (made === null) throw new Problem("not-found");
  if (made.kind === "full") throw new Problem("too-many");
  if (made.kind === "off") throw new Problem("feature-off");
  await note(ports, accountId, "shared", { client, about: device.label });
  return { share: made.share, address: addressOf(origin, made.share, made.secret) };
}

/** Ends a share, and what is on its way by it. @throws Problem `not-found` */
export async function stopShare(
  ports: Ports,
  accountId: string,
  deviceId: string,
  shareId: string,
  client: Client,
): Promise<void> {
  const object = await ownDevice(ports, accountId, deviceId);
  const device = await object.describe();
  const people = await object.stopShare(shareId);
  if (device === null || people === null) throw new Problem("not-found");
  const until = ports.clock.now() + limits.doorSessionMs;
  for (const person of people) {
    const db = ports.regions.db(person);
    if (db !== null) await shortenReach(db, deviceId, person, until);
  }
  await note(ports, accountId, "share-stopped", { client, about: device.label });
}

/** A wish that can be granted, its path as browsers spell it. */
function checked(wish: ShareWish, owner: string, origin: string, now: number): NewShare {
  const path = sharePath(wish.path, origin);
  if (path === null) throw new Problem("path-unclear", "path");
  if (wish.expiresAt <= now || wish.expiresAt > now + limits.shareMs) {
    throw new Problem("share-period", "expires_at");
  }
  const people = [...new Set(wish.people)].filter((person) => person !== owner);
  const forPeople = wish.audience === "people";
  if (!people.every((person) => isId("acc", person))) throw new Problem("id-syntax", "people");
  if (forPeople !== people.length > 0) throw new Problem("bad-request", "people");
  if (people.length > limits.peoplePerDevice) throw new Problem("too-many", "people");
  if (wish.password !== null) {
    const { sharePasswordMinLength: min, sharePasswordMaxLength: max } = limits;
    const { length } = wish.password;
    if (wish.audience !== "link") throw new Problem("bad-request", "password");
    if (length < min || length > max) throw new Problem("share-password", "password");
  }
  if (wish.name.length > limits.shareNameLength) throw new Problem("bad-request", "name");
  return { ...wish, path, people, name: wish.name.trim() };
}

/**
 * Notes in the regions of the people of a share that this device knows them, before it does; takes
 * whoever was erased in between off again.
 */
async function reaching<T>(
  ports: Ports,
  deviceId: string,
  { people, expiresAt }: NewShare,
  make: () => Promise<T>,
): Promise<T> {
  const now = ports.clock.now();
  const until = expiresAt + limits.doorSessionMs;
  const known: string[] = [];
  for (const person of people) {
    const db = ports.regions.db(person);
    if (db === null) continue;
    await insertReach(db, deviceId, person, until);
    if (await hasReach(db, deviceId, person, now)) known.push(person);
  }
  const made = await make();
  for (const person of known) {
    const db = ports.regions.db(person);
    if (db !== null && !(await hasReach(db, deviceId, person, now))) {
      await ports.devices.get(deviceId).forgetPerson(person);
    }
  }
  return made;
}

/** The address of a share: of its link, or of the path for whoever comes as themselves. */
export function addressOf(origin: string, share: ShareDescription, secret: string | null): string {
  if (secret === null) return origin + share.path;
  return `${origin}${doorPaths.share}${secret}${share.hasPassword ? "/locked" : ""}`;
}
