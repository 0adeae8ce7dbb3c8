/**
 * Boxes that are connected and do nothing else: the agent's own upgrade and signs of life, each with a
 * key of its own. `node idle-boxes.ts CLOUD COUNT`; says who they are, connects them when told to, and
 * says how many stand when asked.
 */

import { openSocket } from "../agent/socket.ts";
import { pingText } from "../protocol/agent.ts";
import { signAssertion } from "../protocol/assertion.ts";
import { newId } from "../protocol/ids.ts";
import { limits } from "../protocol/limits.ts";
import { base64url } from "../protocol/tokens.ts";
import type { Planted } from "./planted.ts";

const AT_A_TIME = 32;
const [cloud = "", count = "0"] = process.argv.slice(2);
const random = (bytes: number) => crypto.getRandomValues(new Uint8Array(bytes));
let connected = 0;

interface Box extends Planted {
  readonly privateKey: CryptoKey;
}

async function newBox(): Promise<Box> {
  const pair = (await crypto.subtle.generateKey("Ed25519", true, [
    "sign",
    "verify",
  ])) as CryptoKeyPair;
  const { x = "" } = await crypto.subtle.exportKey("jwk", pair.publicKey);
  return { deviceId: newId("dev", "home", random), publicKey: x, privateKey: pair.privateKey };
}

/** Resolves when it is connected; from then on it pings as an agent does. */
async function connect({ deviceId, privateKey }: Box): Promise<void> {
  const assertion = await signAssertion(privateKey, deviceId, cloud, Date.now());
  const greeting = { id: base64url(random(16)), epoch: 1 };
  await new Promise<void>((resolve, reject) => {
    const socket = openSocket(
      cloud,
      { assertion, userAgent: "bench/1", greeting, tcp: [], ipv6: null },
      {
        onOpen: () => {
          connected++;
          setInterval(() => socket.send(pingText), limits.agentPingMs);
          resolve();
        },
        onText: () => undefined,
        onBinary: () => undefined,
        onEnd: (end) => {
          if (end.kind === "closed") connected--;
          reject(new Error(`a box was not connected: ${JSON.stringify(end)}`));
        },
      },
    );
  });
}

const boxes: Box[] = [];
for (let at = 0; at < Number(count); at++) boxes.push(await newBox());
process.send?.(boxes.map(({ deviceId, publicKey }): Planted => ({ deviceId, publicKey })));
process.once("message", async () => {
  const waiting = boxes.values();
  const connectInTurn = async () => {
    for (const box of waiting) await connect(box);
  };
  await Promise.all(Array.from({ length: AT_A_TIME }, connectInTurn));
  process.on("message", () => process.send?.(connected));
  process.send?.(connected);
});
