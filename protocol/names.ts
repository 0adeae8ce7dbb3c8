/** Device labels: the one word a person picks, the same for the name and the door. */

/** Words that would mislead a visitor or collide with a service of ours. */
const RESERVED = new Set(
  `about abuse account accounts admin administrator api app auth autoconfig autodiscover billing
   blog cdn console contact dns docs ftp help home-page hostmaster imap info install latchkey legal
   link localhost login mail master mta-sts mx name ns ns1 ns2 ns3 oauth office payments pop
   postmaster privacy push register relay root security server shop sign-in sign-up signin signup
   smtp ssl status store support sysadmin system test tls update webmaster wpad www`.split(/\s+/),
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

/**
 * The label of `host` under `zone` (both without port and trailing dot), in lower case;
 * null when `host` is not exactly one label below the zone.
 */
export function labelUnder(host: string, zone: string): string | null {
  const name = host.toLowerCase().replace(/\.$/, "");
  if (!name.endsWith(`.${zone}`)) return null;
  const label = name.slice(0, -zone.length - 1);
  return label.includes(".") || label === "" ? null : label;
}
