/**
 * The files of the box's certificate, under `certificate/` of the agent's folder: the key and the request
 * of an order under way, and behind `live` the key and chain that are in use. All are readable by their
 * owner alone. `live` is a link that changes in one step, so whoever reads finds a key and its chain.
 */

import {
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  sign,
  X509Certificate,
} from "node:crypto";
import {
  mkdir,
  readdir,
  readFile,
  realpath,
  rename,
  rm,
  symlink,
  writeFile,
} from "node:fs/promises";
import { join } from "node:path";
import { makeRequest } from "../protocol/certificates.ts";
import { base64url } from "../protocol/tokens.ts";
import { AgentFailure, reasonOf } from "./failure.ts";
import { FILE_MODE, FOLDER_MODE, readJson, writeJson } from "./files.ts";

const SETTINGS = "settings.json";
const PENDING = "pending.json";
const LIVE = "live";
const KEY = "key.pem";
const CHAIN = "fullchain.pem";
/** The one in use and the one before: a program may have the old one open still. */
const KEPT = 2;

/** What a person asked for once and what is renewed by it. */
export interface CertificateSettings {
  /** Also certifies every name below the box's own. */
  readonly wildcard: boolean;
  /** A command that runs after each new certificate; null for none. */
  readonly hook: string | null;
}

/** A key that waits for its certificate. */
export interface Pending {
  readonly names: readonly string[];
  /** PKCS #8, PEM. */
  readonly key: string;
  /** PKCS #10, base64url of DER. */
  readonly request: string;
}

/** The certificate in use. */
export interface Installed {
  readonly cert: Buffer;
  readonly key: Buffer;
  /** Milliseconds since the epoch. */
  readonly notAfter: number;
  /** True when it certifies this host. */
  fits(host: string): boolean;
}

export class CertificateFiles {
  readonly folder: string;

  /** @param home the agent's folder */
  constructor(home: string) {
    this.folder = join(home, "certificate");
  }

  /** Where the files in use are found. */
  get live(): string {
    return join(this.folder, LIVE);
  }

  /** Null before anybody asked for a certificate. */
  settings(): Promise<CertificateSettings | null> {
    return this.#read<CertificateSettings>(SETTINGS);
  }

  async saveSettings(settings: CertificateSettings): Promise<void> {
    await this.#write(SETTINGS, settings);
  }

  /** The key that waits for its certificate, if it is for exactly these names; else a new one. */
  async pendingFor(names: readonly string[]): Promise<Pending> {
    const before = await this.#read<Pending>(PENDING);
    if (before?.names.join() === names.join()) return before;
    const { privateKey, publicKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
    const spki = new Uint8Array(publicKey.export({ type: "spki", format: "der" }));
    const request = await makeRequest(names, spki, (bytes) => sign("sha256", bytes, privateKey));
    const key = privateKey.export({ type: "pkcs8", format: "pem" }) as string;
    const pending = { names, key, request: base64url(request) };
    await this.#write(PENDING, pending);
    return pending;
  }

  /** Gives up a key whose order came to nothing: the next one has another. */
  async dropPending(): Promise<void> {
    await rm(join(this.folder, PENDING), { force: true });
  }

  /** True when `chain` certifies the key that waits. */
  certifies({ key }: Pending, chain: string): boolean {
    try {
      const certified = new X509Certificate(chain).publicKey.export({
        type: "spki",
        format: "der",
      });
      const own = createPublicKey(createPrivateKey(key)).export({ type: "spki", format: "der" });
      return certified.equals(own);
    } catch {
      return false;
    }
  }

  /** Puts a new key and chain in the place of those in use, both in one step. */
  async install({ key }: Pending, chain: string): Promise<void> {
    const name = new X509Certificate(chain).serialNumber.toLowerCase();
    const target = join(this.folder, name);
    try {
      await rm(target, { recursive: true, force: true });
      await mkdir(target, { recursive: true, mode: FOLDER_MODE });
      await writeFile(join(target, KEY), key, { mode: FILE_MODE });
      await writeFile(join(target, CHAIN), chain, { mode: FILE_MODE });
      const draft = join(this.folder, `${LIVE}.new`);
      await rm(draft, { force: true });
      await symlink(name, draft);
      await rename(draft, this.live);
      await this.dropPending();
      await this.#forgetOld(name);
    } catch (error) {
      throw new AgentFailure(`${target} cannot be written: ${reasonOf(error)}`);
    }
  }

  /** The certificate in use; null when there is none that can be read. */
  async installed(): Promise<Installed | null> {
    try {
      // The link is followed once: it may change in between, and a key goes with its own chain.
      const folder = await realpath(this.live);
      const cert = await readFile(join(folder, CHAIN));
      const key = await readFile(join(folder, KEY));
      const read = new X509Certificate(cert);
      const fits = (host: string) => read.checkHost(host) !== undefined;
      return { cert, key, notAfter: Date.parse(read.validTo), fits };
    } catch {
      return null;
    }
  }

  async #forgetOld(current: string): Promise<void> {
    const folders = (await readdir(this.folder, { withFileTypes: true })).filter(
      (entry) => entry.isDirectory() && entry.name !== current,
    );
    const dated = await Promise.all(
      folders.map(async ({ name }) => {
        const cert = await readFile(join(this.folder, name, CHAIN)).catch(() => null);
        const from = cert === null ? 0 : Date.parse(new X509Certificate(cert).validFrom);
        return { name, from };
      }),
    );
    dated.sort((a, b) => b.from - a.from);
    for (const { name } of dated.slice(KEPT - 1)) {
      await rm(join(this.folder, name), { recursive: true, force: true });
    }
  }

  #read<T>(name: string): Promise<T | null> {
    return readJson(join(this.folder, name));
  }

  #write(name: string, value: unknown): Promise<void> {
    return writeJson(join(this.folder, name), value, true);
  }
}
