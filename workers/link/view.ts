/**
 * The viewer at a device's host, for visitors whom the door has let in: the page around a document,
 * and the files that it loads. No byte of a document comes through here: the page fetches it from the
 * device, as any page there may, and hands it to a frame that has no origin and no network.
 */

import { doorPaths } from "../../durable-objects/device/door.ts";
import { localPath } from "../../protocol/local-path.ts";
import { base64url } from "../../protocol/tokens.ts";
import { assetResponse, viewerTypes } from "../assets.ts";
import type { FrontPorts } from "../ports.ts";

export interface ViewerFacts {
  /** The device's label. */
  readonly label: string;
  /** The document: a path and query on this host. */
  readonly path: string;
  /** Where the viewer's own files are, with a slash at its end. */
  readonly files: string;
  readonly nonce: string;
}

/** What a frame may do beside showing what it was handed. */
export interface FramePolicy {
  /** The hashes of its scripts, as the policy spells them; nothing else runs there. */
  readonly scripts: readonly string[];
  /** Its renderer starts a worker of its own code, and compiles what that brings along. */
  readonly workers: boolean;
}

/** The console draws it (console/pages/viewer.tsx). */
export interface Viewer {
  /** A whole HTML document. */
  page(facts: ViewerFacts): string | Promise<string>;
  /** By the name of its file. */
  readonly frames: Readonly<Record<string, FramePolicy>>;
}

/** Answers GET and HEAD below `doorPaths.view`; null for what the viewer does not have. */
export async function view(
  request: Request,
  ports: FrontPorts,
  label: string,
  viewer: Viewer,
): Promise<Response | null> {
  const url = new URL(request.url);
  const files = `${doorPaths.view}/`;
  if (url.pathname.startsWith(files)) {
    return await file(request, ports, viewer, url.pathname.slice(files.length));
  }
  const path = localPath(url.searchParams.get("path"));
  if (path === null) return null;
  const nonce = base64url(ports.random.bytes(16));
  const page = await viewer.page({ label, path, files, nonce });
  return new Response(request.method === "HEAD" ? null : page, {
    headers: {
      "content-type": "text/html; charset=utf-8",
      "cache-control": "no-store",
      "content-security-policy": pagePolicy(url.origin + files, nonce),
      "cross-origin-opener-policy": "same-origin",
      "permissions-policy":
        "camera=(), microphone=(), geolocation=(), display-capture=(), usb=(), serial=(), hid=(), clipboard-read=()",
      "referrer-policy": "no-referrer",
      "x-content-type-options": "nosniff",
      "x-robots-tag": "noindex",
    },
  });
}

async function file(
  request: Request,
  ports: FrontPorts,
  { frames }: Viewer,
  name: string,
): Promise<Response | null> {
  const isFrame = Object.hasOwn(frames, name);
  // A document of which we have no policy is no frame of ours.
  if (name.endsWith(".html") && !isFrame) return null;
  const response = await assetResponse(request, ports.assets, name, viewerTypes);
  if (response === null) return null;
  response.headers.set("cache-control", "private, max-age=31536000, immutable");
  response.headers.set("referrer-policy", "no-referrer");
  if (isFrame) {
    response.headers.set("content-security-policy", framePolicy(frames[name] as FramePolicy));
    response.headers.set("x-dns-prefetch-control", "off");
  }
  return response;
}

/**
 * The page asks the device for the document and plays sound and film of it; what runs is ours alone,
 * and a frame goes nowhere but to our own files: not even by itself (CSP3 §6.1.7, `frame-src`).
 */
function pagePolicy(files: string, nonce: string): string {
  return [
    "default-src 'none'",
    `script-src 'nonce-${nonce}'`,
    `style-src 'nonce-${nonce}'`,
    `font-src ${files}`,
    "connect-src 'self'",
    "media-src 'self'",
    `frame-src ${files}`,
    "img-src data:",
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
    "require-trusted-types-for 'script'",
    "trusted-types 'none'",
  ].join("; ");
}

/**
 * A frame has no origin, whoever embeds or opens it, and nothing to reach anybody by. Styles may stand
 * in a document; they load nothing either.
 */
function framePolicy({ scripts, workers }: FramePolicy): string {
  return [
    "sandbox allow-scripts",
    "default-src 'none'",
    `script-src ${scripts.join(" ")}${workers ? " 'wasm-unsafe-eval'" : ""}`,
    "style-src 'unsafe-inline'",
    "img-src blob: data:",
    "font-src blob: data:",
    workers ? "worker-src blob:" : "worker-src 'none'",
    "connect-src 'none'",
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'self'",
  ].join("; ");
}
