/**
 * Forms at the door that the edge answers itself: a link with its password, and the first page of an
 * open door. What is wrong with a link nobody learns: unknown, stopped, too old, a wrong password, a
 * device that is none; all have one answer.
 */

import { doorPaths, isForged } from "../../durable-objects/device/door.ts";
import { limits } from "../../protocol/limits.ts";
import { hashToken, parseToken } from "../../protocol/tokens.ts";
import { readBounded } from "../body.ts";
import type { FrontPorts } from "../ports.ts";
import { limitedNetwork } from "../sign-in/client.ts";
import { visitOf } from "./identity.ts";
import { pathBehindDoor } from "./way-back.ts";

const FORM_BYTES = limits.linkPathBytes + 1024;

/** Where a browser goes that was told whose pages these are; null for a form of another page. */
export async function seenFirst(request: Request): Promise<string | null> {
  if (request.method !== "POST" || isForged(request)) return null;
  return pathBehindDoor((await fieldsOf(request)).get("to"));
}

/** Opens the link that a path names; null when it opens nothing. */
export async function openLink(
  request: Request,
  ports: FrontPorts,
  label: string | null,
  pathname: string,
): Promise<
  { readonly visit: string; readonly path: string } | "cross-site" | "too-many-tries" | null
> {
  if (isForged(request)) return "cross-site";
  const [secret = ""] = pathname.slice(doorPaths.share.length).split("/");
  const password = (await fieldsOf(request)).get("password") ?? "";
  if (!(await mayTry(ports, secret, password))) return "too-many-tries";
  const deviceId = label === null ? null : await ports.names.deviceOfLabel(label);
  if (deviceId === null || parseToken("shr", secret) === null) return null;
  const opened = await ports.devices
    .get(deviceId)
    .openShare({ secret, password, visit: visitOf(request) });
  return opened.kind === "opened" ? opened : null;
}

/** Passwords are counted by link and by network, so that none of them spends the tries of all. */
async function mayTry(ports: FrontPorts, secret: string, password: string): Promise<boolean> {
  const network = limitedNetwork(ports.peer);
  const { shareWindowMs: windowMs } = limits;
  const take = (kind: string, subject: string, max: number) =>
    ports.limits.take(kind, subject, max, windowMs);
  if (!(await take("share-network", network, limits.shareTriesPerNetwork))) return false;
  if (password === "") return true; // says no more than the link itself
  const link = await hashToken(secret);
  return (
    (await take("share-link-network", `${link}\n${network}`, limits.shareTriesPerLinkNetwork)) &&
    (await take("share-link", link, limits.shareTriesPerLink))
  );
}

async function fieldsOf(request: Request): Promise<URLSearchParams> {
  const body = await readBounded(request, FORM_BYTES);
  return new URLSearchParams(new TextDecoder().decode(body ?? new Uint8Array()));
}
