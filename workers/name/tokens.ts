/**
 * Tokens of a device's name, as its owner makes and ends them. A token is shown once; what it may do
 * is decided in the device's object (durable-objects/device/name-tokens.ts).
 */

import { dueLooks, noteLook, scheduleTokens } from "../../db/queries/device-names.ts";
import { ownerOf } from "../../db/queries/devices.ts";
import {
  type NameEvent,
  type NameScope,
  type NameTokenDescription,
  nameScopes,
} from "../../durable-objects/device/rpc.ts";
import { networkText, parseNetwork } from "../../protocol/addresses.ts";
import { isId } from "../../protocol/ids.ts";
import { limits } from "../../protocol/limits.ts";
import { note } from "../account/activity.ts";
import { notice } from "../account/notices.ts";
import { getDevice, ownDevice } from "../devices/devices.ts";
import { regionDb } from "../devices/ending.ts";
import type { Db, Ports } from "../ports.ts";
import { Problem } from "../problem.ts";
import type { Client } from "../sign-in/client.ts";

export interface AskedNameToken {
  /** The router or program that it goes to; may be empty. */
  readonly name: string;
  readonly scopes: readonly NameScope[];
  /** Addresses and networks such as `2001:db8::/32`; none: it works from everywhere. */
  readonly networks: readonly string[];
  /** Milliseconds since the epoch; null: while the name is on. */
  readonly endsAt: number | null;
  /** Names of the device that it speaks for; none: all of them. */
  readonly labels: readonly string[];
  /** Whether it says addresses for all devices of the account. */
  readonly allDevices: boolean;
}

/**
 * Makes a token.
 * @returns it, which is shown once, and what is kept of it
 * @throws Problem `bad-request` on the field that is wrong; `not-found`, `feature-off`, `too-many`
 */
export async function makeNameToken(
  ports: Ports,
  accountId: string,
  deviceId: string,
  asked: AskedNameToken,
  client: Client,
): Promise<NameTokenDescription & { readonly secret: string }> {
  const device = await getDevice(ports, accountId, deviceId);
  // Noted first: nobody would tell of one that is not looked for.
  const { nameTokenIdleMs, nameTokenIdleToldMs } = limits;
  const lookAt = ports.clock.now() + nameTokenIdleMs - nameTokenIdleToldMs;
  await scheduleTokens(regionDb(ports, deviceId), deviceId, lookAt);
  const made = await ports.devices.get(deviceId).makeNameToken({
    name: nameFrom(asked.name),
    scopes: scopesFrom(asked.scopes),
    networks: networksFrom(asked.networks),
    endsAt: endFrom(asked.endsAt, ports.clock.now()),
    ...reachFrom(asked, device.labels),
  });
  if (made.kind === "off") throw new Problem("feature-off");
  if (made.kind === "full") throw new Problem("too-many");
  // A look that began before it was made saw nothing of it.
  await scheduleTokens(regionDb(ports, deviceId), deviceId, lookAt);
  await note(ports, accountId, "name-token-made", { client, about: device.label });
  return { ...made.token, secret: made.secret };
}

/** The tokens that work now, the oldest first. @throws Problem `not-found`, `feature-off` */
export async function listNameTokens(
  ports: Ports,
  accountId: string,
  deviceId: string,
): Promise<readonly NameTokenDescription[]> {
  const object = await ownDevice(ports, accountId, deviceId);
  const tokens = await object.nameTokens();
  if (tokens === null) throw new Problem("feature-off");
  return tokens;
}

type Asked = readonly [
  ports: Ports,
  accountId: string,
  deviceId: string,
  id: string,
  client: Client,
];

/** Ends a token at once. @throws Problem `not-found` */
export function endNameToken(...asked: Asked): Promise<void> {
  return change(asked, "endNameToken", "name-token-ended");
}

/** Forgets that a token's client asked too often: the owner has looked. @throws Problem `not-found` */
export function excuseNameToken(...asked: Asked): Promise<void> {
  return change(asked, "excuseNameToken", "name-token-excused");
}

/** Does one thing to a token of an account's own device, and notes it. */
async function change(
  [ports, accountId, deviceId, id, client]: Asked,
  word: "endNameToken" | "excuseNameToken",
  event: "name-token-ended" | "name-token-excused",
): Promise<void> {
  const device = await getDevice(ports, accountId, deviceId);
  const changed = isId("ntk", id) ? await ports.devices.get(deviceId)[word](id) : null;
  if (changed === null) throw new Problem("not-found");
  await note(ports, accountId, event, { client, about: device.label });
}

/** What happened to the name, the latest first; no address. @throws Problem `not-found`, `feature-off` */
export async function nameHistory(
  ports: Ports,
  accountId: string,
  deviceId: string,
): Promise<readonly NameEvent[]> {
  const object = await ownDevice(ports, accountId, deviceId);
  const events = await object.nameHistory();
  if (events === null) throw new Problem("feature-off");
  return events;
}

/**
 * Tells owners of tokens of a region that end soon because nobody uses them: each once, until it is used
 * again. A device that fails holds up no other.
 */
export async function tellIdleTokens(ports: Ports, db: Db): Promise<void> {
  let failure: unknown = null;
  const now = ports.clock.now();
  for (const { id, at } of await dueLooks(db, "tokensAt", now, limits.nameTokenDevicesAtOnce)) {
    let next: number | null = now + limits.nameTokenRetryMs;
    try {
      next = await tellIdleOf(ports, id, await ownerOf(db, id));
    } catch (error) {
      failure = error;
    }
    await noteLook(db, "tokensAt", id, at, next);
  }
  if (failure !== null) throw failure;
}

/** @returns when to look at the device again */
async function tellIdleOf(
  ports: Ports,
  deviceId: string,
  owner: string | null,
): Promise<number | null> {
  const device = ports.devices.get(deviceId);
  const label = (await device.describe())?.label;
  const idle = owner === null ? null : await device.takeIdleNameTokens();
  if (owner === null || idle === null) return null;
  const [first] = idle.ending;
  if (first !== undefined) {
    const names = idle.ending.map(({ name }) => name || "without a name").join(", ");
    const day = new Date(Math.min(...idle.ending.map(({ endsAt }) => endsAt)))
      .toISOString()
      .slice(0, 10);
    notice(ports, owner, "name-token-idle", { about: `${day}, of ${label}: ${names}` });
  }
  return idle.lookAt;
}

function nameFrom(text: string): string {
  const name = text.normalize("NFC").replace(/\s+/gu, " ").trim();
  if ([...name].length > limits.nameTokenNameLength) throw new Problem("bad-request", "name");
  return name;
}

function scopesFrom(asked: readonly NameScope[]): NameScope[] {
  const scopes = nameScopes.filter((scope) => asked.includes(scope));
  if (scopes.length === 0) throw new Problem("bad-request", "scopes");
  return scopes;
}

function networksFrom(texts: readonly string[]): string[] {
  const networks = texts.map((text) => {
    const network = parseNetwork(text.trim());
    if (network === null) throw new Problem("bad-request", "networks");
    return networkText(network);
  });
  const each = [...new Set(networks)];
  if (each.length > limits.nameTokenNetworks) throw new Problem("bad-request", "networks");
  return each;
}

/** One name alone and every device are no reach of one token. */
function reachFrom({ labels, allDevices }: AskedNameToken, own: readonly string[]) {
  const each = [...new Set(labels)];
  const isOwn = each.every((label) => own.includes(label));
  if (!isOwn || (allDevices && each.length > 0)) throw new Problem("bad-request", "names");
  return { labels: each, allDevices };
}

function endFrom(endsAt: number | null, now: number): number | null {
  if (endsAt !== null && !(endsAt > now)) throw new Problem("bad-request", "expires_at");
  return endsAt;
}
