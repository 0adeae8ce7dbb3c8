/**
 * DNS updates (RFC 2136) with TSIG (RFC 8945), for those who have them already: the same change of the
 * same name by the same rules as dyndns2. The key's name is the host's own; what it may change is the
 * host's A and AAAA, and nothing else of the zone.
 */

import type { AddressChange } from "../../durable-objects/device/rpc.ts";
import { parseAddress } from "../../protocol/addresses.ts";
import { labelsUnder, type Name, nameOf } from "../../protocol/dns/names.ts";
import { classIN, types, writeData } from "../../protocol/dns/rdata.ts";
import type { PublishedSet } from "../../protocol/dns/sets.ts";
import {
  classAny,
  classNone,
  readUpdate,
  type Tsig,
  time48,
  tsigErrors,
  tsigVariables,
  type UpdateMessage,
  type UpdateRecord,
  updateRcodes,
  withTsig,
  writeUpdateAnswer,
} from "../../protocol/dns/update.ts";
import { limits } from "../../protocol/limits.ts";
import type { FrontPorts } from "../ports.ts";
import { limitedNetwork } from "../sign-in/client.ts";

const ALGORITHM = "hmac-sha256";
const IPV4_BYTES = 4;

type Bytes = Uint8Array<ArrayBuffer>;

/** The answer to an UPDATE. */
export async function answerDnsUpdate(message: Uint8Array, ports: FrontPorts): Promise<Bytes> {
  const update = readUpdate(message);
  const plain = (rcode: number) => writeUpdateAnswer(message, rcode);
  if (update === null) return plain(updateRcodes.formatError);
  const { tsig } = update;
  if (!isSame(update.zone, nameOf(ports.config.ddnsZone))) return plain(updateRcodes.notAuthorized);
  if (tsig === null) return plain(updateRcodes.refused);
  const known = await keyOf(tsig, ports);
  const good = known !== null && (await verified(known.key, update, tsig));
  if (!good) return await unknown(message, tsig, known === null, ports);
  const answer = async (rcode: number, error = 0) => {
    const now = Math.floor(ports.clock.now() / 1000);
    // RFC 8945 §5.2.3: a client whose clock is wrong is told the time.
    const isLate = error === tsigErrors.badTime;
    const signedAt = isLate ? tsig.signedAt : now;
    const words = { ...tsig, signedAt, error, other: isLate ? time48(now) : [] };
    const whole = plain(rcode);
    const request = [tsig.mac.length >> 8, tsig.mac.length & 0xff, ...tsig.mac];
    const octets = Uint8Array.from([...request, ...whole, ...tsigVariables(words)]);
    const mac = new Uint8Array(await crypto.subtle.sign("HMAC", known.key, octets));
    return withTsig(whole, words, mac, tsig.originalId);
  };
  const skew = Math.abs(ports.clock.now() / 1000 - tsig.signedAt);
  if (skew > Math.min(tsig.fudge, limits.signedFudgeSeconds)) {
    return await answer(updateRcodes.notAuthorized, tsigErrors.badTime);
  }
  const { rcode, error } = await apply(update, tsig, known, ports);
  return await answer(rcode, error);
}

interface Known {
  readonly key: CryptoKey;
  readonly label: string;
  readonly deviceId: string;
}

/** The key that the record names; null for a name of nobody, or without a key. */
async function keyOf(tsig: Tsig, { config, names, devices }: FrontPorts): Promise<Known | null> {
  const [label, ...more] = labelsUnder(tsig.key, nameOf(config.ddnsZone)) ?? [];
  if (label === undefined || more.length > 0) return null;
  if (tsig.algorithm.join(".").toLowerCase() !== ALGORITHM) return null;
  const deviceId = await names.deviceOfLabel(label);
  const secret = deviceId === null ? null : await devices.get(deviceId).signingKey();
  if (deviceId === null || secret === null) return null;
  const raw = Uint8Array.from(atob(secret), (char) => char.charCodeAt(0));
  const use = { name: "HMAC", hash: "SHA-256" };
  const key = await crypto.subtle.importKey("raw", raw, use, false, ["sign", "verify"]);
  return { key, label, deviceId };
}

async function verified(key: CryptoKey, { signed }: UpdateMessage, tsig: Tsig): Promise<boolean> {
  const variables = tsigVariables({ ...tsig, error: 0, other: [] });
  return await crypto.subtle.verify(
    "HMAC",
    key,
    tsig.mac,
    Uint8Array.from([...signed, ...variables]),
  );
}

/** RFC 8945 §5.2: neither is signed, for nobody here has a key in common with the client. */
async function unknown(
  message: Uint8Array,
  tsig: Tsig,
  isKey: boolean,
  { limits: tries, peer }: FrontPorts,
): Promise<Bytes> {
  const { badauthPerNetwork, badauthWindowMs } = limits;
  const network = limitedNetwork(peer);
  const may = await tries.take("badauth", network, badauthPerNetwork, badauthWindowMs);
  if (!may) return writeUpdateAnswer(message, updateRcodes.refused);
  const error = isKey ? tsigErrors.badKey : tsigErrors.badSignature;
  const answer = writeUpdateAnswer(message, updateRcodes.notAuthorized);
  return withTsig(answer, { ...tsig, error, other: [] }, new Uint8Array(), tsig.originalId);
}

interface Outcome {
  readonly rcode: number;
  readonly error?: number;
}

async function apply(
  { prerequisites, updates }: UpdateMessage,
  { signedAt }: Tsig,
  { label, deviceId }: Known,
  ports: FrontPorts,
): Promise<Outcome> {
  const host: Name = [label, ...nameOf(ports.config.ddnsZone)];
  const device = ports.devices.get(deviceId);
  const sets = await device.records(label);
  if (sets === null) return { rcode: updateRcodes.refused };
  const unmet = prerequisiteOf(prerequisites, host, sets, ports.config.ddnsZone);
  if (unmet !== null) return { rcode: unmet };
  const changes = changesOf(updates, host, sets, ports.config.ddnsZone);
  if (typeof changes === "number") return { rcode: changes };
  const result = await device.updateSigned({ signedAt, ...changes });
  if (result === "replayed")
    return { rcode: updateRcodes.notAuthorized, error: tsigErrors.badTime };
  switch (result.verdict) {
    case "good":
    case "nochg":
      return { rcode: updateRcodes.noError };
    case "911":
      return { rcode: updateRcodes.serverFailure };
    default:
      return { rcode: updateRcodes.refused };
  }
}

/** RFC 2136 §3.2: what must be so before; null when it is. */
function prerequisiteOf(
  records: readonly UpdateRecord[],
  host: Name,
  sets: readonly PublishedSet[],
  zone: string,
): number | null {
  for (const { name, type, class: of, ttl, data } of records) {
    const labels = labelsUnder(name, nameOf(zone));
    if (labels === null) return updateRcodes.notZone;
    if (ttl !== 0 || (of !== classIN && data.length > 0)) return updateRcodes.formatError;
    // Of other people's names nothing is told.
    if (labels.at(-1) !== host[0]) return updateRcodes.refused;
    const owner = labels.slice(0, -1).join(".");
    const found = sets.filter((set) => set.owner === owner);
    const exists = owner === "" || found.length > 0;
    const set = found.find((one) => types[one.type] === type);
    if (of === classAny && type === types.ANY && !exists) return updateRcodes.nameError;
    if (of === classNone && type === types.ANY && exists) return updateRcodes.nameExists;
    if (type === types.ANY) continue;
    if (of === classAny && set === undefined) return updateRcodes.noSuchSet;
    if (of === classNone && set !== undefined) return updateRcodes.setExists;
    if (of === classIN && !set?.data.some((one) => isData(one, data)))
      return updateRcodes.noSuchSet;
  }
  return null;
}

function isData(one: PublishedSet["data"][number], data: Uint8Array): boolean {
  const own = writeData(one, [], 0);
  return own.length === data.length && own.every((octet, at) => octet === data[at]);
}

type Changes = { ipv4: AddressChange; ipv6: AddressChange };

/** RFC 2136 §3.4: what the host's addresses become; a response code for what nobody may change. */
function changesOf(
  records: readonly UpdateRecord[],
  host: Name,
  sets: readonly PublishedSet[],
  zone: string,
): Changes | number {
  const changes: Changes = { ipv4: "keep", ipv6: "keep" };
  for (const { name, type, class: of, data } of records) {
    if (labelsUnder(name, nameOf(zone)) === null) return updateRcodes.notZone;
    if (!isSame(name, host)) return updateRcodes.refused;
    const families = familiesOf(type);
    if (families.length === 0 || (type === types.ANY && of !== classAny))
      return updateRcodes.refused;
    for (const family of families) {
      const before = changes[family];
      if (of === classAny && data.length === 0) changes[family] = "clear";
      else if (of === classNone) {
        const set = sets.find((one) => types[one.type] === type && one.owner === "");
        if (set?.data.some((one) => isData(one, data))) changes[family] = "clear";
      } else if (of === classIN) {
        const address = addressOf(type, data);
        if (address === null) return updateRcodes.formatError;
        // A name has one address of each family.
        if (typeof before === "object" && !("set" in before && before.set === address))
          return updateRcodes.refused;
        changes[family] = { set: address };
      } else return updateRcodes.formatError;
    }
  }
  return changes;
}

function familiesOf(type: number): ("ipv4" | "ipv6")[] {
  if (type === types.ANY) return ["ipv4", "ipv6"];
  return type === types.A ? ["ipv4"] : type === types.AAAA ? ["ipv6"] : [];
}

function addressOf(type: number, data: Uint8Array): string | null {
  if (type === types.A) return data.length === IPV4_BYTES ? data.join(".") : null;
  if (data.length !== 16) return null;
  const groups = Array.from({ length: 8 }, (_, at) =>
    (((data[2 * at] as number) << 8) | (data[2 * at + 1] as number)).toString(16),
  );
  // As it is compared: in canonical form.
  return parseAddress(groups.join(":"))?.text ?? null;
}

function isSame(one: Name, other: Name): boolean {
  const folded = (name: Name) => name.join(".").toLowerCase();
  return one.length === other.length && folded(one) === folded(other);
}
