/** What a visitor brings back from the console's host: where they wanted to go, and their nonce. */

import { doorPaths } from "../../durable-objects/device/door.ts";
import { limits } from "../../protocol/limits.ts";
import { localPath } from "../../protocol/local-path.ts";

/**
 * A path behind the door to go on to, or `/`: never another host, never a path of the door itself but
 * the viewer, which changes nothing.
 */
export function pathBehindDoor(to: string | null): string {
  const path = to === null || to.length > limits.linkPathBytes ? null : localPath(to);
  if (path?.startsWith(`${doorPaths.view}?`)) return path;
  return path === null || path.startsWith(doorPaths.prefix) ? "/" : path;
}

/** The nonce that this browser holds for this door, or null. */
export function nonceOf(request: Request): string | null {
  const value = /(?:^|;\s*)__Host-door-nonce=([A-Za-z0-9_-]{43})(?:;|$)/.exec(
    request.headers.get("cookie") ?? "",
  )?.[1];
  return value ?? null;
}
