/** Where a redirect may lead: the one check behind every "and then back to". It follows nothing. */

/** A host that no page has; whatever resolves away from it leaves the house. */
const HERE = "http://here.invalid";

/**
 * A path and query on the same host, or null: never another origin, whatever a browser makes of
 * slashes, backslashes and dot segments. `/.//evil.example` is a path here and another host for the
 * next reader, so the path that comes out is looked at too (WHATWG URL §4.4, path state).
 */
export function localPath(text: string | null | undefined): string | null {
  if (text == null || !text.startsWith("/") || !URL.canParse(text, HERE)) return null;
  const url = new URL(text, HERE);
  if (url.origin !== HERE || url.pathname.startsWith("//")) return null;
  return url.pathname + url.search;
}
