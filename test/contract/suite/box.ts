/** A device at home: its key, its enrolment, its socket, and the agent's real end of Link behind it. */

import { LinkServer } from "../../../agent/link.ts";
import { agentSocketPath, agentSubprotocol } from "../../../protocol/agent.ts";
import { signAssertion } from "../../../protocol/assertion.ts";
import { base64url, hashToken } from "../../../protocol/tokens.ts";
import { type Answer, ask } from "./http.ts";
import type { Person } from "./person.ts";
import { TestSocket } from "./socket.ts";
import type { World } from "./world.ts";

export class Box {
  readonly world: World;
  readonly owner: Person;
  readonly key: CryptoKeyPair;
  readonly id: string;
  readonly label: string;

  private constructor(world: World, owner: Person, key: CryptoKeyPair, id: string, label: string) {
    this.world = world;
    this.owner = owner;
    this.key = key;
    this.id = id;
    this.label = label;
  }

  /** Makes a key, enrolls it and has its owner approve it. */
  static async enroll(world: World, owner: Person, label: string): Promise<Box> {
    const key = await newKey();
    const { user_code } = (await startEnrollment(world, key)).json;
    const approved = await ask(world, "/api/enrolments/approve", {
      token: owner.token,
      body: { user_code, label },
    });
    if (approved.status !== 201) throw new Error(`approve: ${approved.status} ${approved.text}`);
    return new Box(world, owner, key, approved.json.id, label);
  }

  get path(): string {
    return `/api/devices/${this.id}`;
  }

  /** Asks as the owner, below the device's path. */
  ask(path: string, method = "GET", body?: object): Promise<Answer> {
    const { token } = this.owner;
    return ask(this.world, this.path + path, {
      token,
      method,
      ...(body === undefined ? {} : { body }),
    });
  }

  async switch(feature: "name" | "link", on: boolean): Promise<void> {
    const answer = await this.ask(`/features/${feature}`, "PUT", { on });
    if (answer.status !== 200) throw new Error(`switch: ${answer.status} ${answer.text}`);
  }

  async assertion(): Promise<string> {
    return await signAssertion(this.key.privateKey, this.id, this.world.origin, Date.now());
  }

  /** Opens the device's socket and waits until the edge told it its features. */
  async connect(assertion?: string): Promise<TestSocket> {
    const socket = await TestSocket.open(this.world, agentSocketPath, {
      protocols: [agentSubprotocol],
      headers: { authorization: `Bearer ${assertion ?? (await this.assertion())}` },
    });
    await socket.until((text) => JSON.parse(text).type === "features");
    return socket;
  }

  /** Connects, and serves visitors from the local service at `origin`. */
  async serve(origin: string): Promise<TestSocket> {
    const opened = await this.connect();
    const { socket } = opened;
    const link = new LinkServer({
      origin,
      send: (message) => socket.send(message),
      bufferedAmount: () => socket.bufferedAmount,
      onProtocolError: (reason) => socket.close(4003, reason),
    });
    socket.on("message", (data: Buffer, isBinary) => {
      if (isBinary) link.onMessage(new Uint8Array(data));
    });
    socket.on("close", () => link.close());
    return opened;
  }
}

export async function newKey(): Promise<CryptoKeyPair> {
  return (await crypto.subtle.generateKey("Ed25519", true, ["sign", "verify"])) as CryptoKeyPair;
}

export async function startEnrollment(world: World, key: CryptoKeyPair): Promise<Answer> {
  const raw = new Uint8Array(await crypto.subtle.exportKey("raw", key.publicKey));
  return await ask(world, "/api/enrolments", { body: { public_key: base64url(raw) } });
}

/** Asks, as the device, whether its enrolment was approved. */
export async function poll(world: World, key: CryptoKeyPair, deviceCode: string): Promise<Answer> {
  const subject = await hashToken(deviceCode);
  const assertion = await signAssertion(key.privateKey, subject, world.origin, Date.now());
  return await ask(world, "/api/enrolments/token", {
    body: { device_code: deviceCode, client_assertion: assertion },
  });
}
