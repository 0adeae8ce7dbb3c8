/** One running edge, its data folder and its mail relay: what a contract test talks to. */

import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Mailbox, startMailbox } from "../../../scripts/local/mailbox.ts";
import { newMarker } from "../../support/canary.ts";
import { freePort, type RunningEdge, type Runtime } from "../runtime.ts";

export class World {
  readonly port: number;
  readonly data: string;
  readonly mailbox: Mailbox;
  readonly linkZone = "link.localhost";
  readonly ddnsZone = "ddns.test";
  readonly #runtime: Runtime;
  readonly #variables: Readonly<Record<string, string>>;
  #edge: RunningEdge;

  private constructor(
    runtime: Runtime,
    edge: RunningEdge,
    variables: Readonly<Record<string, string>>,
    place: { port: number; data: string; mailbox: Mailbox },
  ) {
    this.#runtime = runtime;
    this.#edge = edge;
    this.#variables = variables;
    this.port = place.port;
    this.data = place.data;
    this.mailbox = place.mailbox;
  }

  /** @param own overrides of the configuration's variables */
  static async create(
    runtime: Runtime,
    own: Readonly<Record<string, string>> = {},
  ): Promise<World> {
    const mailbox = await startMailbox();
    const port = await freePort();
    const data = await mkdtemp(join(tmpdir(), "latchkey-contract-"));
    const { smtpUrl, smsUrl } = mailbox;
    const variables = { SMTP_URL: smtpUrl, SMS_URL: smsUrl, SMS_FROM: "Latchkey", ...own };
    const edge = await runtime.start({ data, port, variables });
    return new World(runtime, edge, variables, { port, data, mailbox });
  }

  get origin(): string {
    return this.#variables.ORIGIN ?? `http://localhost:${this.port}`;
  }

  /** The host of a device's door, with the port. */
  doorHost(label: string): string {
    return `${label}.${this.linkZone}:${this.port}`;
  }

  /** What the edge has logged since it started, line by line. */
  get log(): readonly string[] {
    return this.#edge.log ?? [];
  }

  sweep(): Promise<void> {
    return this.#edge.sweep();
  }

  /**
   * Stops the edge, gently or by a kill, and starts it again on the same folder and port.
   * @param meanwhile what is done to the folder while it is down
   */
  async restart(
    how: "gently" | "SIGKILL" = "gently",
    meanwhile: () => Promise<void> = async () => {},
  ): Promise<void> {
    if (how === "gently") await this.#edge.stop();
    else await this.#edge.kill();
    await meanwhile();
    const { data, port } = this;
    this.#edge = await this.#runtime.start({ data, port, variables: this.#variables });
  }

  async close(): Promise<void> {
    await this.#edge.stop();
    await this.mailbox.close();
    await rm(this.data, { recursive: true });
  }
}

/** A label that nobody has: `b`, then 15 letters. */
export function newLabel(): string {
  return `b${newMarker().slice(2, 17)}`;
}
