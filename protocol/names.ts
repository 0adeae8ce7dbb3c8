/** Device labels: the one word a person picks, the same for the name and the door. */

/**
 * Words that would mislead a visitor, that collide with a service of ours, or that begin a path on the
 * console's host: the smart link `/<label>` stands beside those (docs/smart-link.md).
 */
const RESERVED = new Set(
  `about abuse account accounts acme admin administrator api app assets auth autoconfig autodiscover
   billing blog cdn confirm console contact device devices dns dns-query docs door favicon forgot ftp
   healthz help home-page hostmaster imap info install latchkey legal link localhost login mail master
   mta-sts mx name names nic ns ns1 ns2 ns3 oauth office operations payments people pop postmaster privacy
   problems push recovery register relay report reports robots root security server sessions share shares shop sign-in
   sign-out sign-up signin signup smtp ssl status store support sysadmin system test tls undo update
   verify view webmaster wpad www`.split(/\s+/),
);

export type LabelProblem = "label-syntax" | "label-reserved";

/**
 * Checks a device label: letters, digits and hyphen, lower case, 3–63 characters, no hyphen at
 * either end, none at positions 3–4 together (RFC 5891 §4.2.3.1), not reserved.
 */
export function checkLabel(label: string): LabelProblem | null {
  if (!/^[a-z0-9](?:[a-z0-9-]{1,61})[a-z0-9]$/.test(label)) return "label-syntax";
  if (label.slice(2, 4) === "--") return "label-syntax";
  return RESERVED.has(label) ? "label-reserved" : null;
}

/** Whether a label is well-formed and reserved. */
export const isReserved = (label: string): boolean =>
  RESERVED.has(label) && checkLabel(label) === "label-reserved";

/** A label as somebody writes it: DNS folds case (RFC 4343 §3), and a name may end with a dot. */
export const labelFrom = (typed: string): string => typed.trim().toLowerCase().replace(/\.$/, "");

/**
 * The label of `host` under `zone` (both without port and trailing dot), in lower case;
 * null when `host` is not exactly one label below the zone.
 */
export function labelUnder(host: string, zone: string): string | null {
  const name = labelFrom(host);
  if (!name.endsWith(`.${zone}`)) return null;
  const label = name.slice(0, -zone.length - 1);
  return label.includes(".") || label === "" ? null : label;
}
