/** The headers of every page: what a browser may do with it. Pure. No foreign host ever stands here. */

export interface PageSecurity {
  readonly nonce: string;
  /** The console's own origin. */
  readonly origin: string;
  /** A door's origin that a form on this page ends at, through a redirect. */
  readonly formTarget?: string | undefined;
  /** Origins of a device that this page asks whether it is near; on the smart link alone. */
  readonly connectTo?: readonly string[] | undefined;
}

/** Content-Security-Policy of a page of the console. */
export function contentSecurityPolicy(security: PageSecurity): string {
  const { nonce, origin, formTarget, connectTo = [] } = security;
  const own = new URL(origin);
  const socket = `${own.protocol === "https:" ? "wss" : "ws"}://${own.host}`;
  return [
    "default-src 'none'",
    `script-src 'nonce-${nonce}'`,
    "style-src 'self'",
    "font-src 'self'",
    "img-src 'self'",
    ["connect-src 'self'", socket, ...connectTo].join(" "),
    `form-action 'self'${formTarget === undefined || formTarget === own.origin ? "" : ` ${formTarget}`}`,
    "frame-ancestors 'none'",
    "base-uri 'none'",
    "require-trusted-types-for 'script'",
    "trusted-types 'none'",
  ].join("; ");
}

/** All security headers of a page of the console. */
export function pageHeaders(security: PageSecurity): Record<string, string> {
  return {
    "content-type": "text/html; charset=utf-8",
    "content-security-policy": contentSecurityPolicy(security),
    ...commonHeaders(security.origin),
  };
}

/** What holds for any HTML of ours, whatever it may load. */
export function commonHeaders(origin: string): Record<string, string> {
  const headers: Record<string, string> = {
    "cache-control": "no-store",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
  };
  if (origin.startsWith("https:")) {
    headers["strict-transport-security"] = "max-age=31536000";
  }
  return headers;
}
