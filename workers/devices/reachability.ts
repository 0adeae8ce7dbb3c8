/**
 * Is a port of a device open from outside? It is tried once, at the address that the question came from
 * and at no other: the browser of the owner at home, or the device itself. Nobody can name an address,
 * so nobody can have a stranger's machine tried. Nothing of it is kept.
 */

import type { DeviceDescription } from "../../durable-objects/device/rpc.ts";
import { isPublicAddress, parsePeer } from "../../protocol/addresses.ts";
import { limits } from "../../protocol/limits.ts";
import { checkSpot, isCheckedPort, verifyHere } from "../../protocol/reach.ts";
import { base64url } from "../../protocol/tokens.ts";
import type { Ports } from "../ports.ts";
import { Problem } from "../problem.ts";
import { limitedNetwork } from "../sign-in/client.ts";

/**
 * - `this-device`: open, and what answered proved to be the device
 * - `open`: something answers; what it is cannot be told from here
 * - `other-device`: something else answers where the device says that it listens itself
 * - `closed`: refused
 * - `filtered`: no answer, as behind a firewall or where the router forwards nothing
 */
export const reachabilities = [
  "this-device",
  "open",
  "other-device",
  "closed",
  "filtered",
] as const;
export type Reachability = (typeof reachabilities)[number];

/**
 * @param listens the device says that it answers at this port itself, in plain http
 * @throws Problem `bad-request`, `device-offline`, `asker-elsewhere`, `too-many-tries`
 */
export async function checkPort(
  ports: Ports,
  device: DeviceDescription,
  port: number,
  listens: boolean,
): Promise<Reachability> {
  if (!isCheckedPort(port)) throw new Problem("bad-request", "port");
  const { connection } = device;
  if (connection?.online !== true) throw new Problem("device-offline");
  const [asker, at] = [parsePeer(ports.peer ?? ""), parsePeer(connection.address ?? "")];
  if (asker === null || asker.text !== at?.text) throw new Problem("asker-elsewhere");
  if (!isPublicAddress(asker, ports.config.allowSpecialAddresses)) {
    throw new Problem("asker-elsewhere");
  }
  await count(ports, device.accountId);
  const nonce = base64url(ports.random.bytes(32));
  const { outcome, text } = await ports.egress.send("asker's own port", {
    address: asker.text,
    port: String(port),
    nonce,
  });
  if (outcome !== "open") return outcome;
  const signature = /"signature":"([\w-]{86})"/.exec(text)?.[1] ?? "";
  if (await verifyHere(device.publicKey, nonce, checkSpot, signature)) return "this-device";
  return listens ? "other-device" : "open";
}

async function count({ limits: counter, peer }: Ports, accountId: string): Promise<void> {
  const { probePerAccount, probePerNetwork, probeWindowMs } = limits;
  const account = await counter.take("port-check", accountId, probePerAccount, probeWindowMs);
  const network = limitedNetwork(peer);
  const near = await counter.take("port-check-network", network, probePerNetwork, probeWindowMs);
  if (!account || !near) throw new Problem("too-many-tries");
}
