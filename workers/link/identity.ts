/**
 * The statement of who comes, for a device whose owner switched it on: a short-lived JWT that the edge
 * signs with the keys of `/oauth/jwks`. It names the visitor by the identifier that this device alone
 * knows them by, the same as when they sign in at its page, and by what they let its owner see.
 */

import type { DeviceStub } from "../../durable-objects/device/rpc.ts";
import { limits } from "../../protocol/limits.ts";
import type { FrontPorts } from "../ports.ts";

/** `typ` of the statement (RFC 8725 §3.11): no ID token passes for one, and the other way round. */
export const IDENTITY_TYPE = "latchkey-user+jwt";

interface Kept {
  readonly statement: string | null;
  readonly until: number;
}

/** Values, never promises: by device and visit; for each edge, so that tests share none. */
const caches = new WeakMap<object, Map<string, Kept>>();

/** The visit that a browser's cookie names, unchecked; null for none. */
export function visitOf(request: Request): string | null {
  const cookie = request.headers.get("cookie");
  if (cookie === null || !cookie.includes("__Host-door=")) return null;
  return /(?:^|;\s*)__Host-door=(lk_dor_\w+)/.exec(cookie)?.[1] ?? null;
}

/** What to tell the device of who comes; null for nothing. The object decides whether it is told. */
export async function identityFor(
  ports: FrontPorts,
  deviceId: string,
  object: DeviceStub,
  request: Request,
): Promise<string | null> {
  const visit = visitOf(request);
  if (visit === null) return null;
  const cache = caches.get(ports.names) ?? new Map<string, Kept>();
  caches.set(ports.names, cache);
  const key = `${deviceId}/${visit}`;
  const now = ports.clock.now();
  const kept = cache.get(key);
  if (kept !== undefined && kept.until > now) return kept.statement;
  const statement = await statementOf(ports, deviceId, object, visit);
  if (cache.size >= limits.identityCacheEntries) cache.clear();
  cache.set(key, { statement, until: now + limits.identityCacheMs });
  return statement;
}

async function statementOf(
  ports: FrontPorts,
  deviceId: string,
  object: DeviceStub,
  visit: string,
): Promise<string | null> {
  const who = await object.identityOf(visit);
  if (who === null) return null;
  // Few devices want it, and what signs is heavy.
  const [{ signToken }, { subjectOf }, { visibleProfile }, whole] = await Promise.all([
    import("../openid/keys.ts"),
    import("../openid/subject.ts"),
    import("../people/visible.ts"),
    ports.whole(),
  ]);
  const name = who.name
    ? (await visibleProfile(whole, who.owner, who.account))?.fields.name
    : undefined;
  const now = Math.floor(ports.clock.now() / 1000);
  const claims = {
    iss: ports.config.origin,
    aud: deviceId,
    sub: await subjectOf(whole, who.account, deviceId),
    iat: now,
    exp: now + limits.identityMs / 1000,
    ...(who.account === who.owner ? { owner: true } : {}),
    ...(name === undefined ? {} : { name }),
  };
  return await signToken(whole, "EdDSA", claims, IDENTITY_TYPE);
}
