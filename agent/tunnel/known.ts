/**
 * The keys of devices, as ssh keeps those of hosts: remembered when a device is met first, and whoever
 * answers with another key later is not spoken to.
 */

import { keyFingerprint } from "../../protocol/agent.ts";
import { AgentFailure, exitCodes } from "../failure.ts";
import type { Home } from "../home.ts";

export interface MetDevice {
  /** The cloud's origin. */
  readonly cloud: string;
  readonly label: string;
  /** What the cloud says the device's key is, base64url of 32 bytes. */
  readonly publicKey: string;
}

/**
 * The key that the device must show.
 * @param expected a fingerprint that a person typed, which must be this key's; null: none was typed
 * @param say tells a person that the device was met first
 * @throws AgentFailure when the key is another than it was, or not the expected one
 */
export async function pinnedKey(
  home: Home,
  { cloud, label, publicKey }: MetDevice,
  expected: string | null,
  say: (line: string) => void,
): Promise<string> {
  const known = await home.knownDevices();
  const name = `${cloud} ${label}`;
  const before = Object.hasOwn(known, name) ? known[name] : undefined;
  const now = await keyFingerprint(publicKey);
  if (expected !== null && plain(expected) !== plain(now)) {
    throw new AgentFailure(
      `The key of "${label}" is ${now}, not the one you gave.`,
      exitCodes.strangeKey,
    );
  }
  if (before === publicKey) return publicKey;
  if (before !== undefined) {
    throw new AgentFailure(changed(label, await keyFingerprint(before), now), exitCodes.strangeKey);
  }
  await home.saveKnownDevices({ ...known, [name]: publicKey });
  if (expected === null) {
    say(
      `"${label}" is met first. Its key is ${now}; \`latchkey status\` on the box shows the same.`,
    );
  }
  return publicKey;
}

/** Forgets a device's key; false when there was none. */
export async function forgetDevice(home: Home, label: string): Promise<boolean> {
  const known = await home.knownDevices();
  const kept = Object.entries(known).filter(([name]) => !name.endsWith(` ${label}`));
  if (kept.length === Object.keys(known).length) return false;
  await home.saveKnownDevices(Object.fromEntries(kept));
  return true;
}

const plain = (fingerprint: string) => fingerprint.replaceAll(/[\s:-]/g, "").toLowerCase();

const changed = (label: string, before: string, now: string) => `
@@@  THE KEY OF "${label}" HAS CHANGED  @@@

  it was  ${before}
  it is   ${now}

Somebody may be listening between you and the box, or the box was enrolled anew. Nothing was sent.
Compare with what \`latchkey status\` shows on the box itself. If it is the same there, say so here:

  latchkey forget ${label}
`;
