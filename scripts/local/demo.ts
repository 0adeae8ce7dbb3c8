/**
 * The demo: an account and a device like anyone's, made the way anyone makes them. It signs up over
 * the API and reads its mail, enrolls with the real agent, switches the features on, and runs the agent
 * as a program of its own in front of a small NAS page. The next start finds it all again.
 */

import { type ChildProcess, spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { enroll } from "../../agent/enroll.ts";
import { Home } from "../../agent/home.ts";
import { openidClient } from "../../agent/openid.ts";
import { startNas } from "../../demo/nas.ts";
import type { Edge } from "./edge.ts";
import { linkIn, type Mailbox } from "./mailbox.ts";

const EMAIL = "demo@latchkey.test";
const LABEL = "demo";
const ONLINE_WITHIN_MS = 20_000;
const ASK_EVERY_MS = 100;
const AGENT = join(import.meta.dirname, "../../agent/main.ts");

export interface Demo {
  readonly account: { readonly email: string; readonly password: string };
  readonly device: {
    readonly id: string;
    readonly name: string;
    /** `<label>.<DDNS zone>` */
    readonly host: string;
    /** The door. */
    readonly link: string;
    readonly updateUser: string;
    readonly updatePassword: string;
  };
  close(): Promise<void>;
}

/** What the demo's person and box know; the cloud holds hashes only. */
interface Kept {
  readonly password: string;
  readonly updatePassword: string | null;
}

interface DemoOptions {
  readonly edge: Edge;
  readonly mailbox: Mailbox;
  readonly folder: string;
  /** What the device serves; the demo NAS when absent. */
  readonly serve?: string;
}

/** Brings the demo up; resolves when its device is connected. */
export async function startDemo(options: DemoOptions): Promise<Demo> {
  const { edge, mailbox, folder } = options;
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const file = join(folder, "account.json");
  let kept = await readKept(file);
  const api = new Api(edge.origin);
  if (kept === null || !(await api.signIn(kept.password))) {
    kept = { password: randomBytes(9).toString("base64url"), updatePassword: null };
    await api.signUp(kept.password, mailbox);
    await new Home(join(folder, "box")).forget();
    await writeKept(file, kept);
  }
  const id = await deviceId(api, edge, join(folder, "box"));
  const updatePassword = kept.updatePassword ?? (await api.prepare(id));
  await writeKept(file, { ...kept, updatePassword });

  const nas =
    options.serve === undefined
      ? await startNas({
          folder: join(folder, "files"),
          openid: await openidClient(join(folder, "box")),
        })
      : null;
  const serve = options.serve ?? (nas?.origin as string);
  const agent = spawn(
    process.execPath,
    [AGENT, "run", "--home", join(folder, "box"), "--serve", serve],
    { stdio: ["ignore", "ignore", "inherit"] },
  );
  try {
    const label = await api.untilOnline(id, agent);
    const host = `${label}.${edge.ddnsZone}`;
    const link = `http://${label}.${edge.linkZone}:${new URL(edge.origin).port}`;
    return {
      account: { email: EMAIL, password: kept.password },
      device: { id, name: label, host, link, updateUser: host, updatePassword },
      async close() {
        await ended(agent);
        await nas?.close();
      },
    };
  } catch (error) {
    await ended(agent);
    await nas?.close();
    throw error;
  }
}

/** The demo's device: the one of the last start, else a new one that asks and is approved. */
async function deviceId(api: Api, edge: Edge, home: string): Promise<string> {
  const before = await new Home(home).device();
  if (before !== null) {
    if (before.cloud === edge.origin && (await api.hasDevice(before.device_id))) {
      return before.device_id;
    }
    // Enrolled at another port, or unregistered meanwhile: a key is for one cloud only.
    if (await api.hasDevice(before.device_id))
      await api.call("DELETE", `/devices/${before.device_id}`);
    await new Home(home).forget();
  }
  const device = await enroll({
    cloud: edge.origin,
    home,
    onCode: (code) => api.approve(code.user_code),
  });
  return device.device_id;
}

/** The API as the demo's person uses it. */
class Api {
  readonly #origin: string;
  #token = "";

  constructor(origin: string) {
    this.#origin = origin;
  }

  async signIn(password: string): Promise<boolean> {
    const answer = await this.#send("POST", "/sessions", { address: EMAIL, password });
    if (answer.status !== 201) return false;
    this.#token = (answer.body as { token: string }).token;
    return true;
  }

  async signUp(password: string, mailbox: Mailbox): Promise<void> {
    const asked = await this.#send("POST", "/sign-up", { address: EMAIL, password });
    // Where the operator set a minimum age, the demo's person is as old as anyone may be asked for.
    const age = (asked.body as { code?: string } | null)?.code === "age-missing" ? 40 : undefined;
    if (asked.status !== 202)
      await this.call("POST", "/sign-up", { address: EMAIL, password, age });
    const link = new URL(linkIn(await mailbox.next(EMAIL)));
    const session = await this.call("POST", "/sign-up/verify", {
      token: link.searchParams.get("token"),
      password,
    });
    this.#token = (session as { token: string }).token;
  }

  async hasDevice(id: string): Promise<boolean> {
    return (await this.#send("GET", `/devices/${id}`)).status === 200;
  }

  /** Approves under the first free name of `demo`, `demo-2`, … */
  async approve(userCode: string): Promise<void> {
    for (let count = 1; count <= 100; count++) {
      const label = count === 1 ? LABEL : `${LABEL}-${count}`;
      const answer = await this.#send("POST", "/enrolments/approve", {
        user_code: userCode,
        label,
      });
      if (answer.status < 300) return;
      if ((answer.body as { code?: string } | null)?.code !== "label-taken") {
        throw new Error(`The demo device was not approved: ${JSON.stringify(answer.body)}`);
      }
    }
    throw new Error("Every name for the demo device is taken.");
  }

  /** Switches the name and the door on and makes an update password. */
  async prepare(id: string): Promise<string> {
    await this.call("PUT", `/devices/${id}/features/name`, { on: true });
    await this.call("PUT", `/devices/${id}/features/link`, { on: true });
    const made = await this.call("POST", `/devices/${id}/name/tokens`, {
      name: "The demo’s router",
    });
    return (made as { token: string }).token;
  }

  /** Waits for the agent's connection. @returns the device's label */
  async untilOnline(id: string, agent: ChildProcess): Promise<string> {
    const until = performance.now() + ONLINE_WITHIN_MS;
    while (performance.now() < until && agent.exitCode === null) {
      const device = (await this.call("GET", `/devices/${id}`)) as {
        label: string;
        connection: { online: boolean } | null;
        features: { name: boolean; link: boolean };
      };
      const silent = !device.features.name && !device.features.link;
      if (silent || device.connection?.online) return device.label;
      await new Promise((resolve) => setTimeout(resolve, ASK_EVERY_MS));
    }
    throw new Error("The demo device did not connect.");
  }

  async call(method: string, path: string, body?: unknown): Promise<unknown> {
    const answer = await this.#send(method, path, body);
    if (answer.status >= 300) {
      throw new Error(
        `${method} /api${path} answered ${answer.status}: ${JSON.stringify(answer.body)}`,
      );
    }
    return answer.body;
  }

  async #send(method: string, path: string, body?: unknown) {
    const response = await fetch(`${this.#origin}/api${path}`, {
      method,
      headers: {
        ...(this.#token === "" ? {} : { authorization: `Bearer ${this.#token}` }),
        ...(body === undefined ? {} : { "content-type": "application/json" }),
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const text = await response.text();
    return { status: response.status, body: text === "" ? null : (JSON.parse(text) as unknown) };
  }
}

async function readKept(file: string): Promise<Kept | null> {
  try {
    return JSON.parse(await readFile(file, "utf8")) as Kept;
  } catch {
    return null; // a new or broken demo: it is made afresh
  }
}

async function writeKept(file: string, kept: Kept): Promise<void> {
  await rm(file, { force: true });
  await writeFile(file, `${JSON.stringify(kept, null, 2)}\n`, { mode: 0o600 });
}

function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return Promise.resolve();
  return new Promise((resolve) => {
    child.once("exit", () => resolve());
    child.kill("SIGTERM");
  });
}
