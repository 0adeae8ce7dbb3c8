/**
 * Whether a password may be chosen: strong enough, and in no known breach. The breached-password
 * service learns five hex digits of its SHA-1, a range that hundreds of passwords share, and never
 * the password, its whole hash or whose it is (k-anonymity;
 * https://haveibeenpwned.com/API/v3#SearchingPwnedPasswordsByRange).
 */

import { limits } from "../../protocol/limits.ts";
import type { Ports } from "../ports.ts";
import { Problem } from "../problem.ts";
import { type Client, limitedNetwork } from "./client.ts";
import { isStrongPassword } from "./rules.ts";

const PREFIX_LENGTH = 5;

/**
 * Refuses a normalized password that should not be used. Asked before anything is looked up, so that
 * known and unknown accounts get the same answer.
 * @param addresses the addresses it is for, which it must not be
 * @throws Problem `password-weak`, `password-breached`, both at the field `password`;
 *   `too-many-tries` when a network has had too many asked about
 */
export async function requireGoodPassword(
  ports: Ports,
  password: string,
  addresses: readonly string[],
  client: Client,
): Promise<void> {
  requireStrongPassword(password, addresses);
  if (await isBreached(ports, password, client)) {
    throw new Problem("password-breached", "password");
  }
}

/** The part that is decided here and asks nobody. @throws Problem `password-weak` at `password` */
export function requireStrongPassword(password: string, addresses: readonly string[]): void {
  const strong =
    isStrongPassword(password, "") &&
    addresses.every((address) => isStrongPassword(password, address));
  if (!strong) throw new Problem("password-weak", "password");
}

/**
 * True when the service knows the password; false also when none is configured, or it is away. Counted
 * before it is asked: no stranger makes us ask somebody else's service without end.
 * @throws Problem `too-many-tries`
 */
async function isBreached(ports: Ports, password: string, client: Client): Promise<boolean> {
  if (ports.config.breachUrl === null) return false;
  const { breachPerNetwork: max, breachWindowMs } = limits;
  const network = limitedNetwork(client.peer);
  if (!(await ports.limits.take("breach-network", network, max, breachWindowMs))) {
    throw new Problem("too-many-tries");
  }
  const hash = await sha1(password);
  try {
    const prefix = hash.slice(0, PREFIX_LENGTH);
    const range = await ports.egress.send("breached passwords", { prefix });
    return isInRange(range, hash.slice(PREFIX_LENGTH));
  } catch {
    // Nobody is kept out because somebody else's service is away; the event has no data.
    ports.log({ event: "breach-check-failed" });
    return false;
  }
}

/**
 * True when `suffix` stands in a range's answer: a line `<35 hex digits>:<count>` each. A count of 0
 * is padding, which says nothing of a password.
 */
export function isInRange(range: string, suffix: string): boolean {
  return range.split(/\r?\n/).some((line) => {
    const [known = "", count = ""] = line.trim().split(":");
    return known.toUpperCase() === suffix && /^[0-9]+$/.test(count) && Number(count) > 0;
  });
}

/** SHA-1 in upper-case hex, as the service counts. It protects nothing here: it only names a range. */
export async function sha1(text: string): Promise<string> {
  const digest = await crypto.subtle.digest("SHA-1", new TextEncoder().encode(text));
  const hex = [...new Uint8Array(digest)].map((byte) => byte.toString(16).padStart(2, "0"));
  return hex.join("").toUpperCase();
}
