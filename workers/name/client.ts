/**
 * Who speaks for a name: Basic credentials whose user is the name or its device's id, and whose
 * password is a token of the name. The same for every protocol that routers and programs speak here.
 */

import type { Credentials } from "../../durable-objects/device/name-clients.ts";
import { networkOf, parsePeer } from "../../protocol/addresses.ts";
import { isId } from "../../protocol/ids.ts";
import { limits } from "../../protocol/limits.ts";
import { labelUnder } from "../../protocol/names.ts";
import { parseToken } from "../../protocol/tokens.ts";
import type { FrontPorts } from "../ports.ts";

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
