/** People and devices inside workerd, made by the rules that the API calls. */

import { env } from "cloudflare:workers";
import { drizzle } from "drizzle-orm/d1";
import type { Db } from "../../db/db.ts";
import type { MigrationFile } from "../../db/migrate.ts";
import { account } from "../../db/schema/region.ts";
import type { DeviceDescription, DeviceStub } from "../../durable-objects/device/rpc.ts";
import { systemRandom } from "../../durable-objects/platform.ts";
import { agentSocketPath, agentSubprotocol, type EnrolmentStart } from "../../protocol/agent.ts";
import { signAssertion } from "../../protocol/assertion.ts";
import { newId } from "../../protocol/ids.ts";
import { base64url, hashToken } from "../../protocol/tokens.ts";
import { handle } from "../../workers/app.ts";
import { approveEnrolment, pollEnrolment, startEnrolment } from "../../workers/devices/devices.ts";
import type { Ports } from "../../workers/ports.ts";
import { Problem } from "../../workers/problem.ts";
import { testPorts } from "../support/ports.ts";
import { objects } from "./buckets.ts";

export const bindings = env as unknown as {
  DIRECTORY: D1Database;
  DB_HOME: D1Database;
  DEVICES: DurableObjectNamespace;
};

/** An account with nothing but its row. */
export async function newPerson(region = "home", database = bindings.DB_HOME): Promise<string> {
  const id = newId("acc", region, systemRandom.bytes);
  await (drizzle(database) as Db).insert(account).values({ id, createdAt: 1, activeDay: 0 });
  return id;
}

/** Ports with a second region `eu`, whose tables stand beside the directory's. */
export async function twoRegions(): Promise<Ports> {
  const { region } = (env as unknown as { TEST_MIGRATIONS: { region: MigrationFile[] } })
    .TEST_MIGRATIONS;
  for (const statement of region.flatMap(({ sql }) => sql.split(";"))) {
    if (statement.trim() !== "") await bindings.DIRECTORY.prepare(statement).run();
  }
  return testPorts({
    env,
    variables: { REGIONS: "home:At_home:DB_HOME eu:Europe:DIRECTORY" },
  }).ports;
}

export const newLabel = () =>
  `box${base64url(systemRandom.bytes(12)).toLowerCase().replaceAll(/[_-]/g, "x")}`;

export interface Key {
  readonly privateKey: CryptoKey;
  readonly publicKey: string;
}

export async function newKey(): Promise<Key> {
  const pair = (await crypto.subtle.generateKey("Ed25519", true, [
    "sign",
    "verify",
  ])) as CryptoKeyPair;
  const raw = (await crypto.subtle.exportKey("raw", pair.publicKey)) as ArrayBuffer;
  return { privateKey: pair.privateKey, publicKey: base64url(new Uint8Array(raw)) };
}

/** Asks as the device with `key`; the assertion says the ports' time. */
export async function poll(ports: Ports, key: Key, deviceCode: string) {
  const subject = await hashToken(deviceCode);
  const { origin } = ports.config;
  const assertion = await signAssertion(key.privateKey, subject, origin, ports.clock.now());
  return await pollEnrolment(ports, { deviceCode, assertion });
}

export interface Enrolled {
  readonly key: Key;
  readonly started: EnrolmentStart;
  readonly device: DeviceDescription;
  readonly stub: DeviceStub;
}

export async function enroll(ports: Ports, owner: string, label = newLabel()): Promise<Enrolled> {
  const key = await newKey();
  const started = await startEnrolment(ports, { publicKey: key.publicKey });
  const device = await approveEnrolment(ports, owner, { userCode: started.user_code, label });
  return { key, started, device, stub: ports.devices.get(device.id) };
}

/** The code of the problem that `work` ends with; fails when it does not. */
export async function problemOf(work: Promise<unknown>): Promise<string> {
  try {
    await work;
  } catch (error) {
    if (error instanceof Problem) return error.code;
    throw error;
  }
  throw new Error("this should have been refused");
}

export interface AgentAsk {
  readonly assertion?: string;
  readonly headers?: Readonly<Record<string, string>>;
}

/** Asks for the device's socket the way an agent does; objects read the system's clock. */
export async function askSocket(
  ports: Ports,
  enrolled: Enrolled,
  ask: AgentAsk = {},
): Promise<Response> {
  const { origin } = ports.config;
  const { key, device } = enrolled;
  const assertion =
    ask.assertion ?? (await signAssertion(key.privateKey, device.id, origin, Date.now()));
  const request = new Request(origin + agentSocketPath, {
    headers: {
      upgrade: "websocket",
      "sec-websocket-protocol": agentSubprotocol,
      authorization: `Bearer ${assertion}`,
      ...ask.headers,
    },
  });
  return await handle(request, ports);
}

/** A WebSocket of a test: what was said to it, and how it ended. */
export class Heard {
  readonly socket: WebSocket;
  readonly all: unknown[] = [];
  readonly closed: Promise<number>;
  #wake: () => void = () => undefined;

  constructor(response: Response) {
    const { webSocket } = response as unknown as { webSocket: WebSocket | null };
    if (webSocket === null) throw new Error(`refused with ${response.status}`);
    this.socket = webSocket;
    webSocket.addEventListener("message", (event) => {
      this.all.push(typeof event.data === "string" ? parse(event.data) : event.data);
      this.#wake();
    });
    this.closed = new Promise((resolve) => {
      webSocket.addEventListener("close", (event) => resolve(event.code));
    });
    webSocket.accept();
  }

  /** The first message, the earlier ones too, that matches. */
  // biome-ignore lint/suspicious/noExplicitAny: a test reads whatever was said
  async until(matches: (message: any) => boolean): Promise<any> {
    for (;;) {
      const found = this.all.find(matches);
      if (found !== undefined) return found;
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

export async function connect(
  ports: Ports,
  enrolled: Enrolled,
  ask: AgentAsk = {},
): Promise<Heard> {
  return new Heard(await askSocket(ports, enrolled, ask));
}

/** Names of keys in the store that begin with `prefix`. */
export async function keysOf(prefix: string): Promise<string[]> {
  return (await objects(prefix)).map(({ name }) => name);
}

/** Every row of a table that names `text` anywhere. */
export async function rowsWith(
  database: D1Database,
  table: string,
  text: string,
): Promise<unknown[]> {
  const { results } = await database.prepare(`SELECT * FROM ${table}`).all();
  return results.filter((row) => JSON.stringify(row).includes(text));
}
