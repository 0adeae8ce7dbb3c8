/** The agent's folder of a box that is enrolled already. */

import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { World } from "../contract/suite/world.ts";
import type { Scenario } from "./scenario.ts";

/** Makes it below `folder`, as `latchkey enroll` would have. @returns its path */
export async function homeOf(
  { box, host }: Scenario,
  { origin, linkZone, port }: World,
  folder: string,
): Promise<string> {
  const home = join(folder, "home");
  await mkdir(home, { mode: 0o700 });
  const { kty, crv, x, d } = await crypto.subtle.exportKey("jwk", box.key.privateKey);
  await writeFile(join(home, "key.json"), JSON.stringify({ kty, crv, x, d }), { mode: 0o600 });
  const link = `http://${box.label}.${linkZone}:${port}`;
  const device = { device_id: box.id, label: box.label, host, link, cloud: origin };
  await writeFile(join(home, "device.json"), JSON.stringify(device));
  return home;
}
