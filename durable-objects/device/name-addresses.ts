/** Where a device's name leads, and what an update makes of it. Pure: plain data in, plain data out. */

import {
  type Family,
  isPublicAddress,
  joined,
  type Network,
  parseAddress,
  parseNetwork,
  parsePeer,
} from "../../protocol/addresses.ts";
import { limits } from "../../protocol/limits.ts";
import type { AddressChange, AddressChanges } from "./name-rpc.ts";
import type { NameAddresses } from "./rpc.ts";

export const families = ["ipv4", "ipv6"] as const satisfies readonly Family[];

/**
 * The addresses after an update, all of it or nothing.
 * @param allowTrial lets documentation and loopback addresses in
 * @returns null when an address has no place in a public name, or cannot be made of what is known
 */
export function applied(
  before: NameAddresses,
  { ipv4, ipv6 }: AddressChanges,
  allowTrial: boolean,
): NameAddresses | null {
  const four = addressAfter(before.ipv4, "ipv4", ipv4, allowTrial);
  const six =
    typeof ipv6 === "object" && "prefix" in ipv6
      ? movedTo(ipv6.prefix, before.ipv6, allowTrial)
      : addressAfter(before.ipv6, "ipv6", ipv6, allowTrial);
  return four === undefined || six === undefined ? null : { ipv4: four, ipv6: six };
}

/** Undefined for what no public name may show. */
function addressAfter(
  before: string | null,
  family: Family,
  change: AddressChange,
  allowTrial: boolean,
): string | null | undefined {
  if (change === "keep") return before;
  if (change === "clear") return null;
  const address = "set" in change ? parseAddress(change.set) : null;
  if (address?.family !== family || !isPublicAddress(address, allowTrial)) return undefined;
  return address.text;
}

/**
 * The same interface in the network that a router says; undefined where no interface is known, or where
 * its identifier is all zero (RFC 4291 §2.6.1).
 */
function movedTo(text: string, before: string | null, allowTrial: boolean): string | undefined {
  const prefix = parseNetwork(text);
  const rest = parseAddress(before ?? "");
  if (prefix === null || rest === null || !isHomePrefix(prefix)) return undefined;
  const address = joined(prefix, rest);
  return isPublicAddress(address, allowTrial) ? address.text : undefined;
}

/** True for a length of prefix that one household may be given. */
function isHomePrefix({ family, bits }: Network): boolean {
  return (
    family === "ipv6" && bits >= limits.homePrefixBits.min && bits <= limits.homePrefixBits.max
  );
}

/**
 * What a connection of the device says of its addresses. Programs leave home from an address that
 * lasts for a day (RFC 8981); where the device says which one stays, that one counts, in the same /64.
 * @param from where the connection comes from
 * @param stays the address that the device says it keeps; null: it has not said
 */
export function ofConnection(
  from: string | null,
  stays: string | null,
  allowTrial: boolean,
): AddressChanges {
  const peer = parsePeer(from ?? "");
  const told = parseAddress(stays ?? "");
  const kept = told?.family === "ipv6" && isPublicAddress(told, allowTrial) ? told : null;
  const six = peer?.family === "ipv6" ? peer : null;
  const near =
    six === null ? kept : kept !== null && home(kept.text) === home(six.text) ? kept : six;
  return {
    ipv4: peer?.family === "ipv4" ? { set: peer.text } : "keep",
    ipv6: near === null ? "keep" : { set: near.text },
  };
}

const home = (address: string): string | undefined => parseNetwork(`${address}/64`)?.text;
