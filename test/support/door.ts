/**
 * A device's door on its logic alone, with the clock in the test's hand: who asks, comes in and opens
 * links there, and what the door says. No device is connected, so whoever is let in waits for one.
 */

import { afterEach, beforeEach, vi } from "vitest";
import { doorHeader, doorTokenHeader } from "../../durable-objects/device/door.ts";
import { type NewShare, wayHeader } from "../../durable-objects/device/rpc.ts";
import { limits } from "../../protocol/limits.ts";
import { hashToken } from "../../protocol/tokens.ts";
import { type HeldDevice, heldDevice } from "./device.ts";

export const OWNER = "acc";
const NONCE = "n".repeat(43);
export const [ada, bob] = ["acc_home_000000000000adaA", "acc_home_000000000000bobB"] as const;

export let held: HeldDevice;

/** Before each test of the file that calls it: a fresh device whose door is on. */
export function freshDoor(): void {
  afterEach(() => void vi.useRealTimers());
  beforeEach(async () => {
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
    held = await heldDevice();
    await held.device.setFeature("link", true);
  });
}

export async function ask(
  path: string,
  cookie = "",
  headers: Record<string, string> = {},
  method = "GET",
) {
  const all = { [wayHeader]: "door", cookie, ...headers };
  const request = new Request(`http://nas.link.test${path}`, { method, headers: all });
  let answered = false;
  const asked = held.device.fetch(request).finally(() => {
    answered = true;
  });
  // Who is let in waits for a device that may come back: that time passes at once.
  while (!answered) {
    await new Promise(setImmediate);
    await vi.advanceTimersByTimeAsync(limits.linkHoldOfflineMs);
  }
  return await asked;
}

/** What the door says; `in` for what would go on to the device, which is not connected. */
export async function says(...asked: Parameters<typeof ask>): Promise<string> {
  const verdict = (await ask(...asked)).headers.get(doorHeader) ?? "nothing";
  return verdict === "offline" ? "in" : verdict;
}

export async function codeFor(account: string, isContact = false, session = `ses_${account}`) {
  const issued = await held.device.doorway.issueDoorCode(
    account,
    await hashToken(NONCE),
    session,
    isContact,
  );
  return issued.kind === "code" ? issued.code : issued.kind;
}

export async function enterWith(code: string, before = ""): Promise<string> {
  const cookie = `__Host-door-nonce=${NONCE}${before === "" ? "" : `; ${before}`}`;
  const response = await ask(`/.well-known/latchkey/enter?code=${code}&to=/`, cookie);
  const token = response.headers.get(doorTokenHeader);
  return token === null ? `${response.headers.get(doorHeader)}` : `__Host-door=${token}`;
}

export const enter = async (account: string, isContact = false, before = "") =>
  await enterWith(await codeFor(account, isContact), before);

export async function share(more: Partial<NewShare> = {}) {
  const whole: NewShare = {
    ...{ path: "/photos", name: "", audience: "link", people: [], password: null },
    expiresAt: held.clock.now() + limits.shareMs,
    ...more,
  };
  const made = await held.device.doorway.makeShare(whole);
  if (made?.kind !== "made") throw new Error(made?.kind);
  return { id: made.share.id, secret: made.secret ?? "" };
}

export async function open(secret: string, visit = "", password = ""): Promise<string> {
  const before = visit === "" ? null : visit.replace("__Host-door=", "");
  const opened = await held.device.doorway.openShare({ secret, password, visit: before });
  return opened.kind === "opened" ? `__Host-door=${opened.visit}` : "no";
}

export const rows = (table: string) => held.sql.all(`SELECT * FROM ${table}`);
export const ruleAt = async (path: string) =>
  (await held.device.describe())?.access.rules.find((one) => one.path === path)?.id ?? "";
