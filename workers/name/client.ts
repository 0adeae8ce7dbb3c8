/**
 * Who speaks for a name: Basic credentials whose user is the name or its device's id, and whose
 * password is a token of the name. The same for every protocol that routers and programs speak here.
 */

import { networkOf, parsePeer } from "../../protocol/addresses.ts";
import { isId } from "../../protocol/ids.ts";
import { limits } from "../../protocol/limits.ts";
import { labelUnder } from "../../protocol/names.ts";
import { parseToken } from "../../protocol/tokens.ts";
import type { FrontPorts } from "../ports.ts";

export interface Credentials {
  readonly user: string;
  readonly password: string;
}

/** RFC 7617 credentials of an `Authorization` header; null when there are none. */
export function readCredentials(header: string | null): Credentials | null {
  const encoded = /^Basic +([A-Za-z0-9+/]+={0,2}) *$/i.exec(header ?? "")?.[1];
  if (encoded === undefined || encoded.length > limits.updateQueryBytes) return null;
  let text: string;
  try {
    const bytes = Uint8Array.from(atob(encoded), (char) => char.charCodeAt(0));
    text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return null;
  }
  const colon = text.indexOf(":");
  return colon < 1 ? null : { user: text.slice(0, colon), password: text.slice(colon + 1) };
}

/**
 * The device that the credentials are for; null when there is none. A stranger costs one look-up, the
 * user's, and none before the password could be a token. Whether it is one says the device's object.
 */
export async function deviceOf(
  { user, password }: Credentials,
  ports: FrontPorts,
): Promise<string | null> {
  return parseToken("upd", password) === null ? null : await deviceOfUser(user, ports);
}

/**
 * The device that the user name means: its host name, or its id if there is such a device. So an
 * identifier that somebody made up reaches no object.
 */
async function deviceOfUser(user: string, ports: FrontPorts): Promise<string | null> {
  if (isId("dev", user)) {
    const { regions } = await ports.whole();
    const db = regions.db(user);
    if (db === null) return null;
    const { ownerOf } = await import("../../db/queries/devices.ts");
    return (await ownerOf(db, user)) === null ? null : user;
  }
  const label = labelUnder(user, ports.config.ddnsZone);
  return label === null ? null : await ports.names.deviceOfLabel(label);
}

/** The first match wins. A client's own text may hold more than it should: none of it is kept. */
const PROGRAMS: readonly (readonly [RegExp, string])[] = [
  [/^ddclient\b/i, "ddclient"],
  [/^inadyn\b/i, "inadyn"],
  [/fritz!?box/i, "FRITZ!Box"],
  [/synology|^DSM\b/i, "Synology"],
  [/qnap/i, "QNAP"],
  [/mikrotik|routeros/i, "MikroTik"],
  [/openwrt/i, "OpenWrt"],
  [/dd-wrt/i, "DD-WRT"],
  [/asus/i, "ASUS"],
  [/tp-?link/i, "TP-Link"],
  [/ubnt|unifi|edgeos/i, "UniFi"],
  [/opnsense/i, "OPNsense"],
  [/pfsense|phpDynDNS/i, "pfSense"],
  [/draytek|vigor/i, "DrayTek"],
  [/no-?ip|\bDUC\b/i, "No-IP"],
  [/lego/i, "lego"],
  [/certbot/i, "certbot"],
  [/^python/i, "a Python script"],
  [/^curl\//i, "curl"],
  [/^wget/i, "Wget"],
  [/Mozilla\//, "a browser"],
];

/** Which program it is, in a word of ours; "" for one that is not known. */
export function programOf(userAgent: string | null): string {
  return PROGRAMS.find(([pattern]) => pattern.test(userAgent ?? ""))?.[1] ?? "";
}

/** Counts a refusal, whatever it was for; false when the client's network had too many of them. */
export function countRefusal({ limits: tries, peer }: FrontPorts): Promise<boolean> {
  const { badauthPerNetwork, badauthWindowMs } = limits;
  return tries.take("badauth", countedAs(peer), badauthPerNetwork, badauthWindowMs);
}

/** Whom a try is counted against: an IPv4 address, an IPv6 /64. */
function countedAs(peer: string | null): string {
  const address = peer === null ? null : parsePeer(peer);
  return address === null ? "unknown" : networkOf(address);
}
