/**
 * The agent's folder: the device's key, which never leaves it, and what the cloud said at enrolment.
 * Both files are readable by their owner alone.
 */

import { chmod, rm } from "node:fs/promises";
import { homedir } from "node:os";
import { join } from "node:path";
import type { EnrolmentDone } from "../protocol/agent.ts";
import { AgentFailure } from "./failure.ts";
import { FILE_MODE, readJson, writeJson } from "./files.ts";

const KEY_FILE = "key.json";
const DEVICE_FILE = "device.json";
/** Written by a person, never by us. */
const SERVICES_FILE = "services.json";
const LOGIN_FILE = "login.json";
const KNOWN_FILE = "known-devices.json";

export interface Identity {
  readonly privateKey: CryptoKey;
  /** Ed25519 public key, base64url of 32 bytes. */
  readonly publicKey: string;
}

/** For whom tunnels are opened; kept as the key is, readable by its owner alone. */
export interface Login {
  /** The cloud's origin. */
  readonly cloud: string;
  /** A personal access token with the scope `devices:connect`. */
  readonly token: string;
}

/** Ed25519 public keys, base64url, by `<cloud> <label>`. */
export type KnownDevices = Readonly<Record<string, string>>;

export interface EnrolledDevice extends EnrolmentDone {
  /** The cloud's origin. */
  readonly cloud: string;
}

/** `$LATCHKEY_HOME`, else `~/.latchkey`. */
export function defaultHome(environment: Readonly<Record<string, string | undefined>>): string {
  return environment.LATCHKEY_HOME || join(homedir(), ".latchkey");
}

/** A device under another name: the zones stay. */
export function renamed(device: EnrolledDevice, label: string): EnrolledDevice {
  const instead = (text: string) => text.replace(`${device.label}.`, `${label}.`);
  return { ...device, label, link: instead(device.link), host: instead(device.host) };
}

export class Home {
  readonly folder: string;

  constructor(folder: string) {
    this.folder = folder;
  }

  /** The device's key; null when there is none. @throws AgentFailure when the file is broken */
  async identity(): Promise<Identity | null> {
    const jwk = await this.#read<JsonWebKey>(KEY_FILE);
    if (jwk === null) return null;
    try {
      // A key that others could read is tightened rather than refused: the box must come up.
      await chmod(join(this.folder, KEY_FILE), FILE_MODE);
      const privateKey = await crypto.subtle.importKey("jwk", jwk, "Ed25519", false, ["sign"]);
      if (typeof jwk.x !== "string") throw new TypeError("no public key");
      return { privateKey, publicKey: jwk.x };
    } catch {
      throw new AgentFailure(`${join(this.folder, KEY_FILE)} is not a key. Enroll again.`);
    }
  }

  /** The device's key itself, for the certificate under which TLS ends here; null when there is none. */
  keyItself(): Promise<JsonWebKey | null> {
    return this.#read<JsonWebKey>(KEY_FILE);
  }

  /** The TCP services that a person wrote down here, each as `name=host:port`. @throws AgentFailure */
  async tcpServices(): Promise<string[]> {
    const file = await this.#read<{ tcp?: unknown }>(SERVICES_FILE);
    if (file === null) return [];
    const { tcp } = file;
    const entries = typeof tcp === "object" && tcp !== null ? Object.entries(tcp) : null;
    if (entries === null || entries.some(([, target]) => typeof target !== "string")) {
      throw new AgentFailure(
        `${join(this.folder, SERVICES_FILE)} reads {"tcp": {"ssh": "127.0.0.1:22"}}.`,
      );
    }
    return entries.map(([name, target]) => `${name}=${target}`);
  }

  /** Where a person's access token is for, and the token; null before `login`. */
  login(): Promise<Login | null> {
    return this.#read<Login>(LOGIN_FILE);
  }

  async saveLogin(login: Login): Promise<void> {
    await this.#write(LOGIN_FILE, login);
  }

  /** The keys of devices that were met before, by cloud and label. */
  async knownDevices(): Promise<KnownDevices> {
    return (await this.#read<KnownDevices>(KNOWN_FILE)) ?? {};
  }

  async saveKnownDevices(known: KnownDevices): Promise<void> {
    await this.#write(KNOWN_FILE, known);
  }

  /** The device's key, made when there is none. */
  async identityOrNew(): Promise<Identity> {
    const existing = await this.identity();
    if (existing !== null) return existing;
    const pair = await crypto.subtle.generateKey("Ed25519", true, ["sign", "verify"]);
    if (!("privateKey" in pair)) throw new Error("Ed25519 makes pairs");
    const { kty, crv, x, d } = await crypto.subtle.exportKey("jwk", pair.privateKey);
    await this.#write(KEY_FILE, { kty, crv, x, d });
    return { privateKey: pair.privateKey, publicKey: x as string };
  }

  /** What the cloud said at enrolment; null when this box is not enrolled. */
  device(): Promise<EnrolledDevice | null> {
    return this.#read<EnrolledDevice>(DEVICE_FILE);
  }

  async saveDevice(device: EnrolledDevice): Promise<void> {
    await this.#write(DEVICE_FILE, device);
  }

  /** Forgets the enrolment and the key: the next enrolment is a stranger's. */
  async forget(): Promise<void> {
    await rm(join(this.folder, DEVICE_FILE), { force: true });
    await rm(join(this.folder, KEY_FILE), { force: true });
  }

  #read<T>(name: string): Promise<T | null> {
    return readJson(join(this.folder, name));
  }

  #write(name: string, value: unknown): Promise<void> {
    return writeJson(join(this.folder, name), value);
  }
}
