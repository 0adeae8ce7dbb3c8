/**
 * The smart link's directory: the ways to a device, for whom its owner lets in by name. Everybody else,
 * and everybody at a label that nobody has, gets the same null, and goes on to the relay's own answer.
 */

import { directSpot, type Reach } from "../../protocol/reach.ts";
import type { Candidate } from "../../protocol/smart-link.ts";
import { type Config, doorOrigin } from "../config.ts";
import type { Ports } from "../ports.ts";

export interface SmartLink {
  readonly label: string;
  readonly deviceId: string;
  readonly isOwner: boolean;
  readonly online: boolean;
  /** Ed25519, base64url of 32 bytes: what answers must hold the other half. */
  readonly publicKey: string;
  /** What this page may ask, the nearest first. */
  readonly candidates: readonly Candidate[];
  /** The door's origin, which is the relay. */
  readonly relay: string;
}

/** @param accountId who asks; null for somebody who is not signed in */
export async function smartLink(
  ports: Ports,
  label: string,
  accountId: string | null,
): Promise<SmartLink | null> {
  // Looked up for strangers too, so that the work says nothing.
  const deviceId = await ports.names.deviceOfLabel(label);
  if (deviceId === null || accountId === null) return null;
  const view = await ports.devices.get(deviceId).ways(accountId);
  if (view === null) return null;
  const { isOwner, online, publicKey, reach } = view;
  const candidates = reach === null ? [] : candidatesOf(ports.config, label, reach);
  const relay = doorOrigin(ports.config, label);
  return { label, deviceId, isOwner, online, publicKey, candidates, relay };
}

/**
 * The places that a browser can ask from the console's page. From https it asks https only (mixed
 * content); and a Content-Security-Policy cannot name an IPv6 address (CSP 3 §2.3.1, host-source).
 */
export function candidatesOf(
  config: Pick<Config, "origin" | "ddnsZone">,
  label: string,
  { home, direct }: Reach,
): Candidate[] {
  const isPlain = config.origin.startsWith("http:");
  const all: Candidate[] = home.map((spot) => ({ way: "home", ...spot }));
  if (direct !== null) {
    all.push({ way: "direct", ...directSpot(`${label}.${config.ddnsZone}`, direct) });
  }
  return all.filter(({ probe }) => (isPlain || probe.startsWith("https:")) && !probe.includes("["));
}
