/** A device at home: its key, its enrolment, its socket, and the agent's real end of Link behind it. */

import { SignJWT } from "jose";
import { LinkServer } from "../../../agent/link.ts";
import { agentSocketPath, agentSubprotocol } from "../../../protocol/agent.ts";
import { signAssertion } from "../../../protocol/assertion.ts";
import { base64url, hashToken } from "../../../protocol/tokens.ts";
import { type Answer, type Ask, ask, cookieOf } from "./http.ts";
import type { Person } from "./person.ts";
import { TestSocket } from "./socket.ts";
import type { World } from "./world.ts";

export class Box {
  readonly world: World;
  readonly owner: Person;
  readonly key: CryptoKeyPair;
  readonly id: string;
  readonly label: string;
  /** Of its enrolment (RFC 8628). */
  readonly deviceCode: string;

  private constructor(
    world: World,
    owner: Person,
    key: CryptoKeyPair,
    it: Pick<Box, "id" | "label" | "deviceCode">,
  ) {
    this.world = world;
    this.owner = owner;
    this.key = key;
    this.id = it.id;
    this.label = it.label;
    this.deviceCode = it.deviceCode;
  }

  /** Makes a key, enrolls it and has its owner approve it. */
  static async enroll(world: World, owner: Person, label: string): Promise<Box> {
    const key = await newKey();
    const { user_code, device_code } = (await startEnrollment(world, key)).json;
    const approved = await ask(world, "/api/enrolments/approve", {
      token: owner.token,
      body: { user_code, label },
    });
    if (approved.status !== 201) throw new Error(`approve: ${approved.status} ${approved.text}`);
    return new Box(world, owner, key, { id: approved.json.id, label, deviceCode: device_code });
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

  async switch(feature: "name" | "link" | "lan", on: boolean): Promise<void> {
    const answer = await this.ask(`/features/${feature}`, "PUT", { on });
    if (answer.status !== 200) throw new Error(`switch: ${answer.status} ${answer.text}`);
  }

  /** A new token of its name, as its owner asks for it. */
  async nameToken(asked: object = {}): Promise<string> {
    const answer = await this.ask("/name/tokens", "POST", asked);
    if (answer.status !== 201) throw new Error(`token: ${answer.status} ${answer.text}`);
    return answer.json.token;
  }

  async assertion(): Promise<string> {
    return await signAssertion(this.key.privateKey, this.id, this.world.origin, Date.now());
  }

  /** What its own page shows at the token endpoint (RFC 7523), once. */
  async clientAssertion(): Promise<string> {
    return await new SignJWT({})
      .setProtectedHeader({ alg: "EdDSA" })
      .setIssuer(this.id)
      .setSubject(this.id)
      .setAudience(this.world.origin)
      .setIssuedAt()
      .setExpirationTime("2 minutes")
      .setJti(crypto.randomUUID())
      .sign(this.key.privateKey);
  }

  /** Asks at its door. */
  visit(path: string, options: Ask = {}): Promise<Answer> {
    return ask(this.world, path, { host: this.world.doorHost(this.label), ...options });
  }

  /** Knocks at its door as a browser that is signed in at the console; what lets it in, once. */
  async knock(token: string): Promise<{ nonce: string; path: string; code: string }> {
    const headers = { accept: "text/html" };
    const knock = await this.visit("/hello", { headers });
    const nonce = cookieOf(knock, "__Host-door-nonce") ?? "";
    const handoff = await ask(this.world, pathOf(knock), { token, headers });
    const path = pathOf(handoff);
    const code = new URLSearchParams(path.split("?")[1]).get("code") ?? "";
    return { nonce, path, code };
  }

  /** Goes in with what `knock` gave. */
  enter({ nonce, path }: { nonce: string; path: string }): Promise<Answer> {
    const headers = { accept: "text/html", cookie: `__Host-door-nonce=${nonce}` };
    return this.visit(path, { headers });
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
      send: (message, sent) => socket.send(message, sent),
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

function pathOf(answer: Answer): string {
  const url = new URL(String(answer.headers.location));
  return url.pathname + url.search;
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
