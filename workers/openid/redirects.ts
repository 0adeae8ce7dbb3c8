/** Where an authorization may lead: registered addresses and no other. Pure. */

const LOOPBACK = new Set(["127.0.0.1", "[::1]"]);

/**
 * True when a client may register `text`: absolute, without fragment and user; https, or http on this
 * machine, or for a public client a private scheme in the form of a reversed domain (RFC 8252 §7.1).
 */
export function isRedirectUri(text: string, isPublic: boolean): boolean {
  if (!URL.canParse(text) || text.includes("#") || /[\s\\]/.test(text)) return false;
  const url = new URL(text);
  if (url.username !== "" || url.password !== "") return false;
  if (url.protocol === "https:") return url.hostname !== "";
  if (url.protocol === "http:") return LOOPBACK.has(url.hostname) || url.hostname === "localhost";
  return isPublic && /^[a-z][a-z0-9+-]*(\.[a-z0-9+-]+)+:$/.test(url.protocol);
}

/**
 * True when `asked` is one of the registered addresses: the same text, to the letter (RFC 9700
 * §4.1.3). Only where a program listens on its own machine by number the port may be any (RFC 8252
 * §7.3), and where a device's own name is registered with the port `:*`.
 */
export function isRegistered(asked: string, registered: readonly string[]): boolean {
  if (!URL.canParse(asked)) return false; // also `:*` itself, which is no port
  if (registered.includes(asked)) return true;
  const named = /^(https:\/\/[a-z0-9.-]+)(?::(\d{1,5}))?(\/[^#\\]*)$/.exec(asked);
  if (named !== null && Number(named[2] ?? 443) <= 65_535) {
    if (registered.includes(`${named[1]}:*${named[3]}`)) return true;
  }
  const port = /^(http:\/\/(?:127\.0\.0\.1|\[::1\]))(?::(\d{1,5}))?(\/[^#\\]*)?$/;
  const parts = port.exec(asked);
  if (parts === null || Number(parts[2] ?? 80) > 65_535) return false;
  return registered.some((one) => {
    const known = port.exec(one);
    return known !== null && known[1] === parts[1] && (known[3] ?? "") === (parts[3] ?? "");
  });
}

/**
 * True when nobody else can receive what is sent there: not a port or a scheme of one's own machine,
 * which any program may take (RFC 8252 §8.6).
 */
export function isExclusive(redirectUri: string): boolean {
  return redirectUri.startsWith("https://");
}

/** `redirectUri` with `answer` in its query; what it has there stays (RFC 6749 §3.1.2). */
export function withAnswer(
  redirectUri: string,
  answer: Readonly<Record<string, string | undefined>>,
): string {
  const pairs = Object.entries(answer).filter((pair): pair is [string, string] => {
    return pair[1] !== undefined;
  });
  const query = new URLSearchParams(pairs).toString();
  return `${redirectUri}${redirectUri.includes("?") ? "&" : "?"}${query}`;
}

/** What a form's redirects may end at, as `form-action` says it: an origin, or a scheme. */
export function formTarget(redirectUri: string): string {
  const { protocol, origin } = new URL(redirectUri);
  return protocol === "https:" || protocol === "http:" ? origin : protocol;
}
