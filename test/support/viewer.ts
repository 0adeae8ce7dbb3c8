/** A box at home with documents behind its door, and a browser that opens them in the viewer. */

import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { BrowserContextOptions, Frame, Page } from "playwright-core";
import { type Nas, startNas } from "../../demo/nas.ts";
import { type Visit, visit } from "./browser.ts";
import {
  call,
  enrollDevice,
  openAccount,
  runAgent,
  signInBrowser,
  startWorld,
  type TestAccount,
  type World,
} from "./console.ts";

export interface ViewerWorld extends World {
  readonly owner: TestAccount;
  readonly deviceId: string;
  /** The door: `http://<label>.<link zone>:<port>` */
  readonly door: string;
  /** Puts a file where the device serves it. */
  put(name: string, content: string | Uint8Array): Promise<void>;
  /** A fresh browser of the owner. */
  visitor(options?: BrowserContextOptions): Promise<Visit>;
  /** The device goes, as if it were switched off. */
  unplug(): Promise<void>;
}

/** @param origin what serves the files instead of the demo NAS */
export async function startViewerWorld(origin?: string): Promise<ViewerWorld> {
  const world = await startWorld();
  const folder = world.folder("files");
  await mkdir(folder, { recursive: true });
  const nas: Nas | null = origin === undefined ? await startNas({ folder }) : null;
  const owner = await openAccount(world, "mara@example.org");
  const deviceId = await enrollDevice(world, owner, "attic");
  await call(world, "PUT", `/api/devices/${deviceId}/features/link`, { on: true }, owner);
  const unplug = runAgent(world, "attic", origin ?? (nas as Nas).origin);
  const port = new URL(world.origin).port;
  return {
    ...world,
    owner,
    deviceId,
    door: `http://attic.${world.linkZone}:${port}`,
    put: (name, content) => writeFile(join(folder, name), content),
    async visitor(options = {}) {
      const visitor = await visit(world.browser, options);
      await signInBrowser(world, visitor.context, owner);
      return visitor;
    },
    unplug,
    async close() {
      await unplug();
      await nas?.close();
      await world.close();
    },
  };
}

/** Where the viewer shows `path`. */
export function viewOf(world: ViewerWorld, path: string): string {
  return `${world.door}/.well-known/latchkey/view?path=${encodeURIComponent(path)}`;
}

/** Opens a file in the viewer. @returns its frame, once something is to be seen in it */
export async function opened(world: ViewerWorld, page: Page, name: string): Promise<Frame> {
  await page.goto(viewOf(world, `/files/${encodeURIComponent(name)}`));
  await page.locator("[data-stage][data-shown]").waitFor();
  const frame = page.frames().find((one) => one !== page.mainFrame());
  if (frame === undefined) throw new Error("no frame");
  return frame;
}
