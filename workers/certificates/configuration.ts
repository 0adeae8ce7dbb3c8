/**
 * The operator's certificate authority, read from `ACME` and refused with a sentence when it is wrong:
 *
 *     https://acme-v02.api.letsencrypt.org/directory certificates=50 orders=300
 *
 * Whoever names one agrees to its terms. Docs: docs/certificates.md.
 */

import { limits } from "../../protocol/limits.ts";

export interface Authority {
  /** Its directory (RFC 8555 §7.1.1). Nothing but its origin is ever asked. */
  readonly directory: string;
  /** New certificates of the zone in `limits.certificatesWindowMs`; renewals by ARI do not count. */
  readonly certificates: number;
  /** Orders of our account in `limits.acmeOrdersWindowMs`. */
  readonly orders: number;
  /** The domain by which CAA names it (RFC 8659 §4.2); null: as its directory says. */
  readonly caa: string | null;
  /** External account binding (RFC 8555 §7.3.4): the key's id and the key, base64url. */
  readonly binding: { readonly id: string; readonly key: string } | null;
}

/** @param binding `<id>:<key>`, a secret of its own. @throws Error with a sentence */
export function readAuthority(text: string | null, binding: string | null): Authority | null {
  if (text === null) return null;
  const [directory = "", ...words] = text.split(/\s+/);
  if (!URL.canParse(directory) || !/^https:/.test(directory)) {
    throw new Error("ACME begins with the https address of an authority's directory.");
  }
  const options = new Map(
    words.map((word) => {
      const at = word.indexOf("=");
      return [word.slice(0, Math.max(0, at)), word.slice(at + 1)];
    }),
  );
  for (const name of options.keys()) {
    if (!["certificates", "orders", "caa"].includes(name)) {
      throw new Error("ACME takes certificates=…, orders=… and caa=… behind the address.");
    }
  }
  const caa = options.get("caa") ?? null;
  if (caa !== null && !/^[a-z0-9.-]+$/.test(caa)) throw new Error("ACME caa=… is a domain.");
  return {
    directory: new URL(directory).href,
    certificates: count(options.get("certificates")) ?? limits.certificatesPerZone,
    orders: count(options.get("orders")) ?? limits.acmeOrders,
    caa,
    binding: readBinding(binding),
  };
}

function count(text: string | undefined): number | null {
  if (text === undefined) return null;
  if (!/^[1-9]\d{0,8}$/.test(text)) {
    throw new Error("ACME certificates=… and orders=… are whole numbers from 1 up.");
  }
  return Number(text);
}

function readBinding(text: string | null): Authority["binding"] {
  if (text === null) return null;
  const [, id, key] = /^([^:\s]+):([A-Za-z0-9_-]+)$/.exec(text) ?? [];
  if (id === undefined || key === undefined) {
    throw new Error("ACME_BINDING reads <id of the key>:<key in base64url>.");
  }
  return { id, key };
}
