/**
 * Records that a device's owner puts below its name: where each kind may stand, and its text as zone
 * files have it (RFC 1035 §5.1, RFC 8659 §4.1, RFC 9460 §2.1). Strict: whatever is not understood whole
 * is refused, so that nothing else is answered than what was written.
 */

import { limits } from "../limits.ts";
import { nameOf } from "./names.ts";
import { type Data, writeData } from "./rdata.ts";

/** What an owner may put there; addresses come by other ways. */
export const ownTypes = ["CAA", "HTTPS", "SVCB", "TXT"] as const;
export type OwnType = (typeof ownTypes)[number];

/** All records of one kind at one name. */
export interface OwnSet {
  /** Relative to the device's label, in lower case; `""` is the name itself. */
  readonly owner: string;
  readonly type: OwnType;
  readonly data: readonly Data[];
}

const WORD = /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/;
const UNDERSCORED = /^_[a-z0-9](?:[a-z0-9_-]{0,60}[a-z0-9])?$/;
const TEXT_OCTETS = 255;
/** Where programs prove the name to authorities, each value for an hour (docs/certificates.md). */
const PROOF = "_acme-challenge";

/** True for one plain word, as a machine of the house may be called. */
export const isHostWord = (text: string): boolean => WORD.test(text);

/**
 * Where records of `type` may stand, from what the owner typed (`@` for the name itself); null where
 * they may not. Never at a wildcard, which would answer for names that mean something to others, such as
 * `_acme-challenge` or `_dmarc`.
 */
export function ownerFrom(type: OwnType, typed: string): string | null {
  const owner = typed.trim().toLowerCase().replace(/^@$/, "");
  const labels = owner === "" ? [] : owner.split(".");
  if (owner.length > limits.ownOwnerLength || labels.length > limits.ownOwnerLabels) return null;
  if (!labels.every((label) => WORD.test(label) || UNDERSCORED.test(label))) return null;
  const isPlain = (some: readonly string[]) => some.every((label) => WORD.test(label));
  switch (type) {
    case "CAA":
      return isPlain(labels) ? owner : null;
    case "HTTPS": {
      // RFC 9460 §9.5: the name itself, or `_8443._https` before it for another port.
      const isPort = /^_\d{1,5}$/.test(labels[0] ?? "") && labels[1] === "_https";
      return isPlain(isPort ? labels.slice(2) : labels) ? owner : null;
    }
    case "SVCB":
      return UNDERSCORED.test(labels[0] ?? "") ? owner : null; // RFC 9460 §10.4.2
    case "TXT":
      return labels.includes(PROOF) ? null : owner;
  }
}

/** One record from its text; null when it is none of `type`. */
export function recordFrom(type: OwnType, text: string): Data | null {
  const line = text.trim();
  if (!/^[\x20-\x7e]+$/.test(line)) return null;
  switch (type) {
    case "CAA":
      return caaFrom(line);
    case "TXT":
      return textFrom(line);
    default:
      return serviceFrom(type, line);
  }
}

/** A record as one writes it. */
export function recordText(data: Data): string {
  switch (data.type) {
    case "A":
    case "AAAA":
      return data.address;
    case "TXT":
      return data.texts.map(quoted).join(" ");
    case "CAA":
      return `${data.flags} ${data.tag} ${quoted(data.value)}`;
    case "HTTPS":
    case "SVCB": {
      const { alpn, port } = data.params;
      const params = [alpn && `alpn=${alpn.join(",")}`, port && `port=${port}`];
      const target = data.target.length === 0 ? "." : data.target.join(".");
      return [data.priority, target, ...params.filter(Boolean)].join(" ");
    }
    default:
      return "";
  }
}

/** True when these may be one set: each record once, none beside an alias, and not too large for UDP. */
export function isOneSet(data: readonly Data[]): boolean {
  const texts = data.map(recordText);
  const octets = data.reduce((sum, one) => sum + writeData(one, [], 0).length, 0);
  const isAlias = data.some((one) => "priority" in one && one.priority === 0);
  if (texts.length > limits.ownRecordsPerSet || new Set(texts).size < texts.length) return false;
  return octets <= limits.ownSetBytes && (!isAlias || data.length === 1);
}

/** RFC 1035 §5.1. */
export function quoted(text: string): string {
  return `"${text.replace(/["\\]/g, "\\$&")}"`;
}

/** The strings of a line, in quotes or bare; null when a quote does not end. */
function stringsOf(line: string): string[] | null {
  const found: string[] = [];
  const pattern = /\s*(?:"((?:[^"\\]|\\["\\])*)"|([^\s"\\]+))(?=\s|$)/y;
  while (pattern.lastIndex < line.length) {
    const match = pattern.exec(line);
    if (match === null) return null;
    found.push((match[1] ?? match[2] ?? "").replace(/\\(.)/g, "$1"));
  }
  return found;
}

function textFrom(line: string): Data | null {
  // A line without quotes is one text, as people write it.
  const strings = /["\\]/.test(line) ? stringsOf(line) : [line];
  if (strings === null) return null;
  const texts = strings.flatMap((text) => text.match(/.{1,255}/g) ?? [""]);
  return { type: "TXT", texts };
}

/** RFC 8659 §4.2–4.4, RFC 9495; what the CA/Browser Forum added says where to write to. */
function caaFrom(line: string): Data | null {
  const [flags, tag = "", value = "", ...more] = stringsOf(line) ?? [];
  if ((flags !== "0" && flags !== "128") || more.length > 0) return null;
  const known = caaValues[tag.toLowerCase()];
  if (known === undefined || value.length > TEXT_OCTETS || !known.test(value)) return null;
  return { type: "CAA", flags: Number(flags), tag: tag.toLowerCase(), value };
}

const ISSUER =
  /^\s*(?:[a-z0-9-]+(?:\.[a-z0-9-]+)*)?\s*(?:;\s*(?:[a-z0-9-]+=[\x21-\x3a\x3c-\x7e]*\s*(?:;\s*[a-z0-9-]+=[\x21-\x3a\x3c-\x7e]*\s*)*)?)?$/i;
const caaValues: Readonly<Record<string, RegExp>> = {
  issue: ISSUER,
  issuewild: ISSUER,
  issuemail: ISSUER,
  iodef: /^(?:mailto:[^\s@]+@[^\s@]+|https?:\/\/\S+)$/i,
  contactemail: /^[^\s@]+@[^\s@]+$/,
  contactphone: /^\+?[0-9 ()./-]{3,}$/,
};

/**
 * `1 . alpn=h2,h3 port=8443`. Address hints are not taken: the addresses of a home change, and a hint
 * that does not would lead astray.
 */
function serviceFrom(type: "HTTPS" | "SVCB", line: string): Data | null {
  const [first = "", at = "", ...rest] = line.split(/\s+/);
  const priority = numberFrom(first, 0);
  const target = at === "." ? [] : targetFrom(at);
  if (priority === null || target === null) return null;
  const given = rest.map((param) => /^(alpn|port)=("?)([^"\s]+)\2$/.exec(param));
  const params = new Map(given.map((match) => [match?.[1] ?? "", match?.[3] ?? ""]));
  if (given.includes(null) || params.size < rest.length) return null;
  // RFC 9460 §2.4.2: an alias leads elsewhere and says nothing more.
  if (priority === 0 && (rest.length > 0 || target.length === 0)) return null;
  const alpn = params.get("alpn")?.split(",");
  if (alpn?.some((id) => !/^[a-z0-9][a-z0-9./-]{0,31}$/.test(id))) return null;
  const typed = params.get("port");
  const port = typed === undefined ? undefined : numberFrom(typed, 1);
  if (port === null) return null;
  return {
    ...{ type, priority, target },
    params: { ...(alpn && { alpn }), ...(port && { port }) },
  };
}

function targetFrom(text: string): string[] | null {
  const name = text.toLowerCase().replace(/\.$/, "");
  const labels = nameOf(name);
  const fits = name.length < 254 && labels.length > 1;
  return fits && labels.every((label) => WORD.test(label) || UNDERSCORED.test(label))
    ? [...labels]
    : null;
}

/** A number of at most 65535; null when it is none, or less than `least`. */
function numberFrom(text: string, least: number): number | null {
  const value = /^\d{1,5}$/.test(text) ? Number(text) : -1;
  return value >= least && value <= 0xffff ? value : null;
}
