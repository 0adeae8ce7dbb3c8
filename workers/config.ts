/** The operator's configuration: read once at start, refused with a sentence when it is wrong. */

import { type Budgets, readBudgets } from "../durable-objects/device/budgets.ts";
import { type PeerPolicy, proxiesIn } from "../durable-objects/peer.ts";
import { type Family, parseAddress } from "../protocol/addresses.ts";
import type { NameServer } from "../protocol/dns/own.ts";
import { REGION_PATTERN, type RegionId } from "../protocol/ids.ts";
import { checkLabel, labelUnder } from "../protocol/names.ts";
import { base64url } from "../protocol/tokens.ts";
import { type Authority, readAuthority } from "./certificates/configuration.ts";
import { type IdentityProvider, identityProviders } from "./linked/configuration.ts";
import type { Client } from "./openid/clients.ts";

export interface RegionConfig {
  readonly id: RegionId;
  readonly title: string;
  /** The D1 binding on Cloudflare; the file name on Deno. */
  readonly database: string;
  /** Durable Object jurisdiction, e.g. `eu`; null for none. */
  readonly jurisdiction: string | null;
}

/** A zone of the operator's at Cloudflare's DNS. */
export interface CloudflareZone {
  readonly id: string;
  readonly token: string;
  /** `https://api.cloudflare.com/client/v4`, or what stands in for it. */
  readonly api: string;
}

export interface Config extends PeerPolicy {
  /** The console's and API's origin, e.g. `https://latchkey.example`. */
  readonly origin: string;
  /** `<label>.<linkZone>` is a device's door; without port. */
  readonly linkZone: string;
  /** The longest request body that the platform lets through to a door, in bytes; null: any. */
  readonly linkUploadBytes: number | null;
  /** `<label>.<ddnsZone>` is a device's name. */
  readonly ddnsZone: string;
  /** Who answers for the DDNS zone, as its NS records say; the first is its primary. */
  readonly nameServers: readonly NameServer[];
  readonly regions: readonly RegionConfig[];
  /** Lets documentation and loopback addresses into DNS, for tests and trying out. */
  readonly allowSpecialAddresses: boolean;
  /** Multiplies every limit that counts a network; 1 suits homes (workers/limits.ts). */
  readonly networkLimitFactor: number;
  readonly mailFrom: string;
  /** `smtp://user:password@host:port`; null: no mail can be sent. */
  readonly smtpUrl: string | null;
  /** The development page of `npm start` that shows sent mails; null in production. */
  readonly mailPage: string | null;
  /** Twilio's Messages resource with its account and secret, or one in its form; null: no text messages. */
  readonly smsUrl: string | null;
  /** The sender of text messages: a number in E.164 or a name the provider registered. */
  readonly smsFrom: string | null;
  /** The k-anonymity range service for breached passwords, ending in `/`; null: not asked. */
  readonly breachUrl: string | null;
  /** Where DNS is asked about domains of people's own (RFC 8484); null: nowhere. */
  readonly resolver: string | null;
  /**
   * Apps that may sign people in with Latchkey (docs/openid.md). Read when first asked for: what
   * checks the list weighs more than all that devices need. Rejects with a sentence.
   */
  readonly openidClients: () => Promise<readonly Client[]>;
  /** Accounts elsewhere that may let people in; none: the console does not speak of them. */
  readonly identityProviders: readonly IdentityProvider[];
  /** Who certifies devices' names for us; null: devices see to it themselves (docs/certificates.md). */
  readonly authority: Authority | null;
  /** What the visitors of a device may take (docs/link.md). */
  readonly budgets: Budgets;
  /** SHA-256 (base64url) of the tokens of who runs this; none: nobody decides about reports. */
  readonly operatorTokenHashes: readonly string[];
  /** SHA-256 (base64url) of the tokens of DNS fronts; none: the zone is fed to nobody (docs/name.md). */
  readonly frontTokenHashes: readonly string[];
  /** The zone at Cloudflare's own DNS that devices' names are pushed to; null: none (docs/name.md). */
  readonly cloudflareZone: CloudflareZone | null;
  /** Below this age nobody may sign up (KID-1); null: nobody is asked. */
  readonly minimumAge: number | null;
}

export type Variables = Readonly<Record<string, unknown>>;

/** Reads the configuration from platform variables (wrangler.toml `[vars]`, the environment). */
export function readConfig(variables: Variables): Config {
  const origin = new URL(text(variables, "ORIGIN")).origin;
  const ddnsZone = zone(variables, "DDNS_ZONE");
  return {
    origin,
    linkZone: zone(variables, "LINK_ZONE"),
    linkUploadBytes: bytes(variables, "LINK_UPLOAD_BYTES"),
    ddnsZone,
    nameServers: nameServers(optional(variables, "NAME_SERVERS") ?? `ns1.${ddnsZone}`, ddnsZone),
    regions: regions(text(variables, "REGIONS")),
    sourceAddress: oneOf(variables, "SOURCE_ADDRESS", ["edge", "socket", "trusted-proxy"]),
    trustedProxies: proxiesIn(optional(variables, "TRUSTED_PROXIES")),
    allowSpecialAddresses: optional(variables, "ALLOW_SPECIAL_ADDRESSES") === "yes",
    networkLimitFactor: factor(optional(variables, "NETWORK_LIMIT_FACTOR") ?? "1"),
    mailFrom: text(variables, "MAIL_FROM"),
    smtpUrl: optional(variables, "SMTP_URL"),
    mailPage: optional(variables, "MAIL_PAGE"),
    smsUrl: optional(variables, "SMS_URL"),
    smsFrom: optional(variables, "SMS_FROM"),
    breachUrl: optional(variables, "BREACH_URL"),
    resolver: resolver(optional(variables, "RESOLVER")),
    openidClients: clientsOf(optional(variables, "OPENID_CLIENTS")),
    identityProviders: identityProviders(
      optional(variables, "IDENTITY_PROVIDERS"),
      (name) => optional(variables, name),
      origin,
    ),
    authority: readAuthority(optional(variables, "ACME"), optional(variables, "ACME_BINDING")),
    budgets: readBudgets(optional(variables, "LINK_BUDGETS")),
    operatorTokenHashes: tokenHashes(variables, "OPERATOR_TOKEN_HASHES"),
    frontTokenHashes: tokenHashes(variables, "FRONT_TOKEN_HASHES"),
    cloudflareZone: cloudflareZone(variables),
    minimumAge: age(optional(variables, "MINIMUM_AGE")),
  };
}

/** A number of bytes; null where none is given. */
function bytes(variables: Variables, name: string): number | null {
  const value = optional(variables, name);
  if (value === null) return null;
  if (!/^[1-9]\d{0,14}$/.test(value)) throw new Error(`${name} must be a number of bytes`);
  return Number(value);
}

/** @throws Error for what is not DNS over HTTPS, or over plain HTTP on this machine */
function resolver(value: string | null): string | null {
  if (value === null) return null;
  const url = URL.parse(value);
  const isHere = /^(localhost|127\.0\.0\.1|\[::1\])$/.test(url?.hostname ?? "");
  if (url?.protocol !== "https:" && !(url?.protocol === "http:" && isHere)) {
    throw new Error("RESOLVER must be the https address of a resolver, …/dns-query.");
  }
  return url.href;
}

function clientsOf(text: string | null): Config["openidClients"] {
  let clients: readonly Client[] | undefined = text === null ? [] : undefined;
  return async () => {
    clients ??= (await import("./openid/registrations.ts")).readClients(text ?? "");
    return clients;
  };
}

/** What is right and yet risky in a configuration, for who runs it. */
export interface Caution {
  /** For the log, which takes no sentences. */
  readonly event: "emails-believed";
  /** For who starts it at a terminal. */
  readonly sentence: string;
}

/** Said once at start. docs/sign-in.md explains each. */
export function cautionsOf(config: Pick<Config, "identityProviders">): Caution[] {
  return config.identityProviders
    .filter(({ emails }) => emails === "believed")
    .map(({ id, title }) => ({
      event: "emails-believed",
      sentence: `Careful: IDENTITY_PROVIDERS believes every address that "${id}" (${title}) calls verified. Whoever runs it can open an account in the name of any address that has none yet. Write emails=asked unless it is yours.`,
    }));
}

function optional(variables: Variables, name: string): string | null {
  const value = variables[name];
  return typeof value === "string" && value !== "" ? value : null;
}

function text(variables: Variables, name: string): string {
  const value = optional(variables, name);
  if (value === null) throw new Error(`The variable ${name} is missing.`);
  return value;
}

function oneOf<T extends string>(variables: Variables, name: string, values: readonly T[]): T {
  const value = text(variables, name);
  const found = values.find((candidate) => candidate === value);
  if (found === undefined) throw new Error(`${name} must be one of ${values.join(", ")}.`);
  return found;
}

function zone(variables: Variables, name: string): string {
  const value = text(variables, name).toLowerCase().replace(/\.$/, "");
  if (!/^([a-z0-9-]{1,63}\.)*[a-z0-9-]{1,63}$/.test(value)) {
    throw new Error(`${name} must be a domain name without a port.`);
  }
  return value;
}

function factor(value: string): number {
  const number = Number(value);
  if (!Number.isInteger(number) || number < 1) {
    throw new Error("NETWORK_LIMIT_FACTOR must be a whole number from 1 up.");
  }
  return number;
}

function age(value: string | null): number | null {
  if (value === null) return null;
  const number = Number(value);
  if (!Number.isInteger(number) || number < 1 || number > 21) {
    throw new Error("MINIMUM_AGE must be a whole number of years from 1 to 21.");
  }
  return number;
}

/** SHA-256 in hexadecimal, separated by spaces or commas, as `sha256sum` prints it. */
function tokenHashes(variables: Variables, name: string): string[] {
  const hashes =
    optional(variables, name)
      ?.split(/[\s,]+/)
      .filter((word) => word !== "") ?? [];
  return hashes.map((hash) => {
    if (!/^[0-9a-f]{64}$/i.test(hash)) {
      throw new Error(`${name} must be SHA-256 hashes of 64 hexadecimal digits.`);
    }
    return base64url(Uint8Array.from(hash.match(/../g) ?? [], (byte) => Number.parseInt(byte, 16)));
  });
}

/** @throws Error for a zone without its token */
function cloudflareZone(variables: Variables): CloudflareZone | null {
  const id = optional(variables, "CLOUDFLARE_ZONE");
  if (id === null) return null;
  if (!/^[0-9a-f]{32}$/.test(id)) {
    throw new Error("CLOUDFLARE_ZONE must be a zone's identifier of 32 hexadecimal digits.");
  }
  const api = optional(variables, "CLOUDFLARE_API") ?? "https://api.cloudflare.com/client/v4";
  return { id, token: text(variables, "CLOUDFLARE_TOKEN"), api };
}

/** `home:Home:DB_HOME[:jurisdiction]`, separated by spaces or commas; `_` in a title is a space. */
function regions(value: string): RegionConfig[] {
  return value.split(/[\s,]+/).map((entry) => {
    const [id, title, database, jurisdiction] = entry.split(":");
    if (!id || !REGION_PATTERN.test(id) || !title || !database) {
      throw new Error(
        `REGIONS has a bad entry "${entry}"; it reads id:Title:DATABASE[:jurisdiction].`,
      );
    }
    return { id, title: title.replaceAll("_", " "), database, jurisdiction: jurisdiction ?? null };
  });
}

/**
 * `ns1.ddns.example=192.0.2.1=2001:db8::1 ns2.elsewhere.example`, separated by spaces or commas. A
 * server inside the zone stands right below it under a reserved label, and has its addresses here.
 */
function nameServers(value: string, ddnsZone: string): NameServer[] {
  return value.split(/[\s,]+/).map((entry) => {
    const [name = "", ...texts] = entry.split("=");
    const host = name.toLowerCase().replace(/\.$/, "");
    const addresses = texts.map(parseAddress).filter((address) => address !== null);
    const inside = host.endsWith(`.${ddnsZone}`);
    const label = labelUnder(host, ddnsZone);
    const placed = inside
      ? label !== null && checkLabel(label) === "label-reserved"
      : texts.length === 0;
    if (!/^([a-z0-9-]{1,63}\.)+[a-z0-9-]{1,63}$/.test(host) || !placed) {
      throw new Error(`NAME_SERVERS has a bad entry "${entry}"; it reads host[=address…].`);
    }
    if (addresses.length !== texts.length) {
      throw new Error(`NAME_SERVERS has a bad address in "${entry}".`);
    }
    const of = (family: Family) =>
      addresses.filter((address) => address.family === family).map((address) => address.text);
    return { host, ipv4: of("ipv4"), ipv6: of("ipv6") };
  });
}

/** The origin of a device's door: the console's scheme and port, the Link zone's host. */
export function doorOrigin(config: Config, label: string): string {
  const { protocol, port } = new URL(config.origin);
  return `${protocol}//${label}.${config.linkZone}${port === "" ? "" : `:${port}`}`;
}
