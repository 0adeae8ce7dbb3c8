/**
 * The way from the console's host, which knows who is signed in, to the device's host, which does
 * not: a one-time code in a redirect, bound to a nonce that only the visitor's browser has.
 */

import { doorPaths } from "../../durable-objects/device/door.ts";
import { checkLabel } from "../../protocol/names.ts";
import { fromBase64url } from "../../protocol/tokens.ts";
import { doorOrigin } from "../config.ts";
import { currentSession } from "../guard.ts";
import { type Ctx, service } from "../http.ts";
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
  const deviceId = await c.env.directory.deviceOfLabel(label);
  if (deviceId === null) throw new Problem("not-found");
  const { accountId, sessionId } = session;
  const result = await c.env.devices.get(deviceId).issueDoorCode(accountId, nonceHash, sessionId);
  if (result.kind === "off") throw new Problem("not-found");
  if (result.kind === "forbidden") throw new Problem("forbidden");
  // The session may have ended meanwhile, too late for its end to find this code: nobody gets it.
  if ((await currentSession(c as Ctx)) === null) throw new Problem("not-signed-in");
  const target = new URL(doorPaths.enter, doorOrigin(c.env.config, label));
  target.searchParams.set("code", result.code);
  target.searchParams.set("to", to);
  c.header("cache-control", "no-store");
  c.header("referrer-policy", "no-referrer");
  return c.redirect(target.href, 303);
});

/** Reads the query of `/door`; a label or nonce that no door of ours would send is a bad request. */
function handoffQuery(url: URL): { label: string; nonceHash: string; to: string } {
  const label = url.searchParams.get("label") ?? "";
  const nonceHash = url.searchParams.get("nonce") ?? "";
  if (checkLabel(label) === "label-syntax") throw new Problem("bad-request", "label");
  if (fromBase64url(nonceHash)?.byteLength !== 32) throw new Problem("bad-request", "nonce");
  return { label, nonceHash, to: pathBehindDoor(url.searchParams.get("to")) };
}
