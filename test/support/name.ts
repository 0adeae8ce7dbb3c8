/** Tokens of a device's name, made as its owner would. */

import type { DeviceStub, NewNameToken } from "../../durable-objects/device/rpc.ts";
import { type AskedNameToken, makeNameToken } from "../../workers/name/tokens.ts";
import type { Ports } from "../../workers/ports.ts";

const plain: NewNameToken = {
  ...{ name: "", scopes: ["address"], networks: [], endsAt: null },
  ...{ labels: [], allDevices: false },
};

/** The secret of a new token that may say addresses; null where there can be none. */
export async function secretFrom(
  device: Pick<DeviceStub, "makeNameToken">,
  part: Partial<NewNameToken> = {},
): Promise<string | null> {
  const made = await device.makeNameToken({ ...plain, ...part });
  return made.kind === "made" ? made.secret : null;
}

/** The same through the service. */
export async function nameSecret(
  ports: Ports,
  accountId: string,
  deviceId: string,
  part: Partial<AskedNameToken> = {},
): Promise<string> {
  const client = { userAgent: "curl/8.5.0", peer: "198.51.100.7" };
  return (await makeNameToken(ports, accountId, deviceId, { ...plain, ...part }, client)).secret;
}
