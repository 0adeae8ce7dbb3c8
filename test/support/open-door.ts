/** A device with its real agent in front of a local service, whose door is open to everyone. */

import { join } from "node:path";
import { enroll } from "../../agent/enroll.ts";
import { type RunEnd, type RunOptions, run } from "../../agent/run.ts";
import { ask } from "../contract/suite/http.ts";
import { newPerson, type Person } from "../contract/suite/person.ts";
import { newLabel, type World } from "../contract/suite/world.ts";

export interface OpenDoor {
  readonly owner: Person;
  readonly deviceId: string;
  readonly label: string;
  /** `<label>.<link zone>:<port>`. */
  readonly host: string;
  /** Changes something below the device's path, as its owner. */
  change(path: string, body: object, method?: string): Promise<void>;
  /** How the agent ended. */
  readonly ended: Promise<RunEnd>;
  /** Ends the agent, as SIGTERM does. */
  close(): Promise<void>;
}

/**
 * Resolves when the agent serves visitors.
 * @param folder where the agent's home is made
 * @param service the local service, e.g. `http://127.0.0.1:8080`
 * @param own what the agent is told besides
 */
export async function openDoor(
  world: World,
  folder: string,
  service: string,
  own: Pick<RunOptions, "tcp" | "clock"> = {},
): Promise<OpenDoor> {
  const owner = await newPerson(world);
  const label = newLabel();
  const home = join(folder, label);
  const { device_id: deviceId } = await enroll({
    cloud: world.origin,
    home,
    onCode: async ({ user_code }) => {
      const body = { user_code, label };
      await ask(world, "/api/enrolments/approve", { token: owner.token, body });
    },
  });
  const change = async (path: string, body: object, method = "PUT") => {
    const answer = await ask(world, `/api/devices/${deviceId}${path}`, {
      method,
      token: owner.token,
      body,
    });
    if (answer.status >= 300) throw new Error(`${path}: ${answer.status} ${answer.text}`);
  };
  await change("/features/link", { on: true });
  await change("/access", { mode: "everyone" });
  const stop = new AbortController();
  const on = Promise.withResolvers<void>();
  const log = (line: string) => void (line.startsWith("Link is on") && on.resolve());
  const ended = run({ home, serve: service, log, signal: stop.signal, ...own });
  await on.promise;
  const close = async () => {
    stop.abort();
    await ended;
  };
  return { owner, deviceId, label, host: world.doorHost(label), change, ended, close };
}
