/**
 * The shortcut on the box's side: tells the cloud where the box's own page is in the home network, and
 * answers there who it is, while the owner has it switched on and not a moment longer. It opens nothing:
 * the page is where it was before, and whoever could not reach it there cannot now.
 */

import { readFile } from "node:fs/promises";
import { createSecureContext } from "node:tls";
import type { ReachReport } from "../protocol/agent.ts";
import { limits } from "../protocol/limits.ts";
import {
  type DirectPorts,
  directSpot,
  isHomeAddress,
  isPort,
  type Reach,
  readReach,
  type Spot,
} from "../protocol/reach.ts";
import { interfaceAddresses } from "./addresses.ts";
import type { AgentClock } from "./clock.ts";
import { isLoopback } from "./cloud.ts";
import { AgentFailure, exitCodes, reasonOf } from "./failure.ts";
import { type Here, listenHere } from "./here.ts";

export const defaultHerePort = 4780;

/** What a person said on the command line. */
export interface ShortcutFlags {
  /** Where the page is at home: `https://name[:port]`, or a port where the cloud is tried out. */
  readonly home?: string | undefined;
  /** The port of the page under the box's name in DNS, forwarded by the router. */
  readonly direct?: string | undefined;
  /** Where the agent answers who is here. */
  readonly herePort?: string | undefined;
  /** PEM files. */
  readonly cert?: string | undefined;
  readonly key?: string | undefined;
  /** The box's own web server passes the question on to the agent. */
  readonly proxied?: boolean | undefined;
}

export interface Settings {
  readonly homePort: number | null;
  readonly homeOrigin: string | null;
  readonly direct: number | null;
  readonly herePort: number;
  readonly tls: Tls | null;
  /** That is the certificate of the box's own name, which the agent renews; null before it has one. */
  readonly ownTls: boolean;
  readonly proxied: boolean;
}

interface Tls {
  readonly cert: Buffer;
  readonly key: Buffer;
}

export interface ShortcutBox {
  readonly cloud: string;
  /** `<label>.<DDNS zone>` */
  readonly host: string;
  readonly privateKey: CryptoKey;
}

/**
 * Reads the flags; null when none asks for a shortcut.
 * @param own the certificate of the box's own name, where it has one: it serves where no other is named
 * @throws AgentFailure with a sentence
 */
export async function readShortcut(
  flags: ShortcutFlags,
  cloud: string,
  own: (Tls & { fits(host: string): boolean }) | null = null,
): Promise<Settings | null> {
  const { home, direct, cert, key, proxied = false } = flags;
  if (home === undefined && direct === undefined) return null;
  const trial = isLoopback(new URL(cloud).hostname);
  if ((cert === undefined) !== (key === undefined))
    throw refused("--cert and --key belong together.");
  const named =
    cert === undefined || key === undefined ? null : { cert: await pem(cert), key: await pem(key) };
  const homePort = home !== undefined && /^\d+$/.test(home) ? port(home, "--home-page") : null;
  const homeOrigin = home === undefined || homePort !== null ? null : httpsOrigin(home);
  const isOurs = homeOrigin === null || own?.fits(new URL(homeOrigin).hostname) === true;
  // Its own may not be there yet: it is taken when it comes.
  const ownTls = named === null && !proxied && !trial && isOurs;
  const tls = ownTls && own !== null ? { cert: own.cert, key: own.key } : named;
  if (homePort !== null && !trial) {
    throw refused(
      "From a page under https, browsers ask nothing under plain http: name the box with its " +
        "certificate, --home-page https://nas.example.org:5001.",
    );
  }
  if (!trial && tls === null && !proxied && !ownTls) {
    throw refused(
      "The box must answer under https: get a certificate for its name with `certificate`, give it " +
        "--cert and --key, or let your web server pass the question on and say --proxied.",
    );
  }
  return {
    homePort,
    homeOrigin,
    direct: direct === undefined ? null : port(direct, "--direct"),
    herePort: flags.herePort === undefined ? defaultHerePort : port(flags.herePort, "--here-port"),
    tls,
    ownTls,
    proxied,
  };
}

const refused = (sentence: string) => new AgentFailure(sentence, exitCodes.usage);

function port(text: string, flag: string): number {
  const number = Number(text);
  if (!/^\d{1,5}$/.test(text) || !isPort(number)) throw refused(`${flag} needs a port.`);
  return number;
}

function httpsOrigin(typed: string): string {
  const url = URL.parse(typed);
  const plain = url?.pathname === "/" && url.search === "" && url.hash === "";
  if (url?.protocol !== "https:" || !plain || url.username !== "") {
    throw refused(`"${typed}" is no place of a page; it reads https://nas.example.org:5001.`);
  }
  return url.origin;
}

async function pem(path: string): Promise<Buffer> {
  try {
    return await readFile(path);
  } catch (error) {
    throw new AgentFailure(`${path} cannot be read: ${reasonOf(error)}`);
  }
}

/** The private addresses of this box; those of the machine itself where the cloud is on it too. */
function ownAddresses(trial: boolean): string[] {
  const home = interfaceAddresses().filter(
    ({ internal, address }) => !internal && isHomeAddress(address),
  );
  return [...(trial ? ["127.0.0.1"] : []), ...home.map(({ address }) => address)];
}

export interface ShortcutMeans {
  readonly clock: AgentClock;
  readonly log: (line: string) => void;
  /** The certificate of the box's own name as it is now: `certificate` may install one while this runs. */
  installed?(): Promise<Tls | null>;
}

export class Shortcut {
  readonly #settings: Settings;
  #box: ShortcutBox;
  readonly #clock: AgentClock;
  readonly #log: (line: string) => void;
  readonly #trial: boolean;
  readonly #installed: () => Promise<Tls | null>;
  #tls: Tls | null;
  #here: Promise<Here | null> | null = null;
  /** Resolves when the port is free again. */
  #closed: Promise<void> = Promise.resolve();
  #reach: Reach = { home: [], direct: null };
  #stopLooking: () => void = () => undefined;
  /** Counts turns of the switch: whatever waited meanwhile is of no turn any more. */
  #turn = 0;
  /** Goes on once there is a certificate. */
  #certified: () => Promise<void> = async () => undefined;

  constructor(settings: Settings, box: ShortcutBox, { clock, log, installed }: ShortcutMeans) {
    this.#installed = installed ?? (async () => null);
    this.#settings = settings;
    this.#tls = settings.tls;
    this.#box = box;
    this.#clock = clock;
    this.#log = log;
    this.#trial = isLoopback(new URL(box.cloud).hostname);
  }

  /**
   * The owner's switch, as a connection tells it. While it is on, says over that connection where the
   * box is, and again when that changed. The newest connection is the one that is told.
   */
  async follow(on: boolean, send: (text: string) => void): Promise<void> {
    const turn = ++this.#turn;
    this.#stopLooking();
    if (!on) return await this.close();
    if (this.#lacksCertificate) await this.#lookAtCertificate();
    if (turn !== this.#turn) return;
    if (this.#lacksCertificate) return this.#wait(send);
    this.#here ??= this.#closed.then(() => this.#listen());
    if ((await this.#here) === null || turn !== this.#turn) return;
    let said = "";
    const say = () => {
      void this.#lookAtCertificate();
      this.#reach = this.#look();
      const text = JSON.stringify({ type: "reach", reach: this.#reach } satisfies ReachReport);
      if (text !== said) send(text);
      said = text;
    };
    this.#stopLooking();
    this.#stopLooking = this.#clock.every(limits.reachLookMs, say);
    say();
  }

  get #lacksCertificate(): boolean {
    return this.#settings.ownTls && this.#tls === null;
  }

  /** Says what is missing, and follows the switch once it is there. */
  #wait(send: (text: string) => void): void {
    this.#log(
      "The shortcut waits for a certificate of this box's name: get one with `certificate`, or give " +
        "it --cert and --key.",
    );
    const stop = this.#clock.every(limits.reachLookMs, () => void this.#lookAtCertificate());
    this.#certified = () => this.follow(true, send);
    this.#stopLooking = () => {
      stop();
      this.#certified = async () => undefined;
    };
  }

  async #lookAtCertificate(): Promise<void> {
    if (!this.#settings.ownTls) return;
    const installed = await this.#installed();
    if (installed === null || this.#tls?.cert.equals(installed.cert)) return;
    try {
      await this.renew(installed);
      this.#log("The shortcut has a new certificate.");
    } catch (error) {
      this.#log(
        `The shortcut keeps its certificate, for the new one is not whole: ${reasonOf(error)}.`,
      );
    }
  }

  /** The box's own name has a new certificate. */
  async renew(tls: Tls): Promise<void> {
    if (!this.#settings.ownTls) return;
    createSecureContext(tls); // refused here, not where it would answer
    (await this.#here)?.renew(tls);
    this.#tls = tls;
    await this.#certified();
  }

  /** The box has another name. */
  rename(host: string): void {
    this.#box = { ...this.#box, host };
  }

  /** Stops answering. */
  async close(): Promise<void> {
    this.#turn++;
    this.#stopLooking();
    const here = this.#here;
    this.#here = null;
    this.#closed = this.#closed.then(async () => await (await here)?.close());
    await this.#closed;
  }

  async #listen(): Promise<Here | null> {
    const { herePort, proxied } = this.#settings;
    const { cloud, privateKey } = this.#box;
    const host = proxied || this.#trial ? "127.0.0.1" : undefined;
    try {
      const spots = () => this.#spots();
      const here = await listenHere({
        ...{ port: herePort, host, cloud, privateKey, spots },
        tls: proxied ? null : this.#tls,
      });
      this.#log("The shortcut is on.");
      return here;
    } catch (error) {
      this.#log(`The shortcut cannot be offered at port ${herePort}: ${reasonOf(error)}.`);
      return null;
    }
  }

  /** What is true now, in the form that the cloud takes. */
  #look(): Reach {
    const { homePort, homeOrigin, direct, herePort, proxied } = this.#settings;
    const home: Spot[] = [];
    if (homeOrigin !== null) {
      const probe = new URL(homeOrigin);
      if (!proxied) probe.port = String(herePort);
      home.push({ probe: probe.origin, page: homeOrigin });
    } else if (homePort !== null) {
      for (const address of ownAddresses(this.#trial).slice(0, limits.reachSpots)) {
        const at = (number: number) =>
          new URL(`http://${address.includes(":") ? `[${address}]` : address}:${number}`).origin;
        home.push({ probe: at(proxied ? homePort : herePort), page: at(homePort) });
      }
    }
    const reach = { home, direct: direct === null ? null : this.#direct(direct) };
    return readReach(reach, this.#trial) ?? { home: [], direct: null };
  }

  #direct(page: number): DirectPorts {
    const { tls, proxied, herePort } = this.#settings;
    const scheme = tls === null && !proxied && this.#trial ? "http" : "https";
    return { scheme, probe: proxied ? page : herePort, page };
  }

  #spots(): readonly Spot[] {
    const { home, direct } = this.#reach;
    return direct === null ? home : [...home, directSpot(this.#box.host, direct)];
  }
}
