/**
 * The way from the console's host, which knows who is signed in, to the device's host, which does
 * not: a one-time code in a redirect, bound to a nonce that only the visitor's browser has.
 */

import { insertReach, ownerOf } from "../../db/queries/devices.ts";
import { doorPaths } from "../../durable-objects/device/door.ts";
import { limits } from "../../protocol/limits.ts";
import { checkLabel } from "../../protocol/names.ts";
import { fromBase64url } from "../../protocol/tokens.ts";
import { doorOrigin } from "../config.ts";
import { currentSession } from "../guard.ts";
import { type Ctx, service } from "../http.ts";
import { areContacts } from "../people/doors.ts";
import type { Ports } from "../ports.ts";
import { Problem } from "../problem.ts";
import { pathBehindDoor } from "./way-back.ts";

/** `GET /door?label=…&nonce=…&to=…` on the console's host. */
export const handoff = service();

handoff.get("/door", async (c) => {
  const { label, nonceHash, to } = handoffQuery(new URL(c.req.url));
  const session = await currentSession(c as Ctx);
  if (session === null) {
    const url = new URL(c.req.url);
    return c.redirect(`/sign-in?return=${encodeURIComponent(url.pathname + url.search)}`, 303);
  }
  const deviceId = await c.env.names.deviceOfLabel(label);
  if (deviceId === null) throw new Problem("not-found");
  const code = await codeFor(c.env, deviceId, { ...session, nonceHash });
  // The session may have ended meanwhile, too late for its end to find this code: nobody gets it.
  if ((await currentSession(c as Ctx)) === null) throw new Problem("not-signed-in");
  const target = new URL(doorPaths.enter, doorOrigin(c.env.config, label));
  target.searchParams.set("code", code);
  target.searchParams.set("to", to);
  c.header("cache-control", "no-store");
  c.header("referrer-policy", "no-referrer");
  return c.redirect(target.href, 303);
});

interface Asking {
  readonly accountId: string;
  readonly sessionId: string;
  readonly nonceHash: string;
}

/** @throws Problem `not-found` where there is no door, `forbidden` where it opens not for them */
async function codeFor(ports: Ports, deviceId: string, asking: Asking): Promise<string> {
  const { accountId, sessionId, nonceHash } = asking;
  const db = ports.regions.db(deviceId);
  const owner = db === null ? null : await ownerOf(db, deviceId);
  const object = ports.devices.get(deviceId);
  const isContact =
    owner !== null && owner !== accountId && (await areContacts(ports, owner, accountId));
  const result = await object.issueDoorCode(accountId, nonceHash, sessionId, isContact);
  if (result.kind === "off") throw new Problem("not-found");
  if (result.kind === "forbidden") throw new Problem("forbidden");
  if (owner !== accountId) await noteReach(ports, deviceId, accountId);
  // A contact that ended in between was told to the object before it made the code.
  if (isContact && !(await areContacts(ports, owner ?? "", accountId))) {
    await object.endContact(accountId);
    throw new Problem("forbidden");
  }
  return result.code;
}

/** So that the end of the visitor's session, and of their account, reaches this device. */
async function noteReach(ports: Ports, deviceId: string, accountId: string): Promise<void> {
  const until = ports.clock.now() + limits.doorCodeMs + limits.doorSessionMs;
  const theirs = ports.regions.db(accountId);
  if (theirs !== null) await insertReach(theirs, deviceId, accountId, until);
}

/** Reads the query of `/door`; a label or nonce that no door of ours would send is a bad request. */
function handoffQuery(url: URL): { label: string; nonceHash: string; to: string } {
  const label = url.searchParams.get("label") ?? "";
  const nonceHash = url.searchParams.get("nonce") ?? "";
  if (checkLabel(label) === "label-syntax") throw new Problem("bad-request", "label");
  if (fromBase64url(nonceHash)?.byteLength !== 32) throw new Problem("bad-request", "nonce");
  return { label, nonceHash, to: pathBehindDoor(url.searchParams.get("to")) };
}
