/**
 * Which IPv6 address of this box stays. Programs leave home from a temporary one that lasts for a day
 * (RFC 8981), so where a connection comes from is not where the box is found tomorrow.
 */

import { readFile } from "node:fs/promises";
import { type NetworkInterfaceInfo, networkInterfaces } from "node:os";
import { isPublicAddress, parseAddress } from "../protocol/addresses.ts";

/** Linux, include/uapi/linux/if_addr.h: what an address must not be. */
const TEMPORARY = 0x01;
const DUPLICATE = 0x08;
const DEPRECATED = 0x20;
const TENTATIVE = 0x40;
const UNFIT = TEMPORARY | DUPLICATE | DEPRECATED | TENTATIVE;

/**
 * The first global address in the text of Linux's /proc/net/if_inet6 that stays, in its canonical form;
 * null when there is none. A line is `<address> <index> <prefix length> <scope> <flags> <interface>`,
 * numbers in hexadecimal.
 */
export function keptOf(text: string, allowTrial: boolean): string | null {
  for (const line of text.split("\n")) {
    const [, hex, flags] =
      /^([0-9a-f]{32}) [0-9a-f]+ [0-9a-f]+ 00 ([0-9a-f]+) +\S+$/.exec(line.trimEnd()) ?? [];
    if (hex === undefined || flags === undefined) continue;
    if ((Number.parseInt(flags, 16) & UNFIT) !== 0) continue;
    const address = parseAddress((hex.match(/.{4}/g) ?? []).join(":"));
    if (address !== null && isPublicAddress(address, allowTrial)) return address.text;
  }
  return null;
}

/** What the interfaces of this box have; nothing where the system tells no program, as Android does. */
export function interfaceAddresses(): readonly NetworkInterfaceInfo[] {
  try {
    return Object.values(networkInterfaces()).flatMap((list) => list ?? []);
  } catch {
    return [];
  }
}

/** The address of this box that stays; elsewhere than on Linux the first that is global. */
export async function keptIpv6(allowTrial: boolean): Promise<string | null> {
  const text = await readFile("/proc/net/if_inet6", "utf8").catch(() => null);
  if (text !== null) return keptOf(text, allowTrial);
  if (process.platform === "linux") return null;
  for (const { address, internal } of interfaceAddresses()) {
    const read = internal ? null : parseAddress(address);
    if (read?.family === "ipv6" && isPublicAddress(read, allowTrial)) return read.text;
  }
  return null;
}

/** What connections of one program share: whether the name is on, and which address stays. */
export class KeptAddress {
  readonly #look: () => Promise<string | null>;
  #wanted = false;

  constructor(look: () => Promise<string | null>) {
    this.#look = look;
  }

  /** The owner's switch: nothing is said while the name is off. */
  want(on: boolean): void {
    this.#wanted = on;
  }

  /** Null while the name is off, as far as this program knows. */
  async now(): Promise<string | null> {
    return this.#wanted ? await this.#look() : null;
  }
}
