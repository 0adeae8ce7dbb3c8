/** Programs that speak for a name: what they show, and what they are. Pure: text in, plain data out. */

import { limits } from "../../protocol/limits.ts";

export interface Credentials {
  readonly user: string;
  readonly password: string;
}

/** RFC 7617 credentials of an `Authorization` header; null when there are none. */
export function readCredentials(header: string | null): Credentials | null {
  const encoded = /^Basic +([A-Za-z0-9+/]+={0,2}) *$/i.exec(header ?? "")?.[1];
  if (encoded === undefined || encoded.length > limits.updateQueryBytes) return null;
  const text = textOf(encoded);
  if (text === null) return null;
  const colon = text.indexOf(":");
  return colon < 1 ? null : { user: text.slice(0, colon), password: text.slice(colon + 1) };
}

/** The text that base64 of its UTF-8 stands for; null for what is none. */
function textOf(encoded: string): string | null {
  try {
    const binary = atob(encoded);
    // What all tokens and names are made of needs no decoding, which would cost more than the rest.
    if (!/[\x80-\xff]/.test(binary)) return binary;
    const bytes = Uint8Array.from(binary, (char) => char.charCodeAt(0));
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return null;
  }
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
