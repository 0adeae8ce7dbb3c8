/** Where a request goes: the host and path in its URL, as text, for every request is looked at. */

/** What a `Host` may be made of (RFC 9110 §7.2); a runtime may take a path or a second host for one. */
const HOST = /^[\w.\-:[\]]*$/;

/**
 * The host and path of a request's URL, which is absolute. Its host is as the client wrote it: capitals
 * and a dot at its end name the same host (RFC 9110 §4.2.3, RFC 1034 §3.1). Null where a runtime took
 * something else for a URL, as it does of `OPTIONS *`.
 */
export function placeOf(url: string): { host: string; path: string } | null {
  const [, authority = "", path = ""] = PLACE.exec(url) ?? [];
  if (!HOST.test(authority)) return null;
  const port = authority.lastIndexOf(":");
  const host = port > authority.lastIndexOf("]") ? authority.slice(0, port) : authority;
  const name = host.toLowerCase();
  return { host: name.endsWith(".") ? name.slice(0, -1) : name, path };
}

const PLACE = /^[^/]*\/\/([^/?#]*)([^?#]*)/;

/** True for what may stand in a `Host`. */
export const isHost = (text: string): boolean => HOST.test(text);

/** True for a host as `placeOf` says it that is the zone, or below it. */
export const isWithin = (host: string, zone: string): boolean =>
  host === zone || host.endsWith(`.${zone}`);
