/**
 * Follows a device's live state over a WebSocket and shows it: sets `data-live` and writes values as
 * text. All words and shapes are the server's; what it cannot show in place, it asks to reload.
 */

import { type Health, showHealth } from "./health.ts";
import { writeTime } from "./time.ts";

const RETRY_MIN_MS = 1000;
const RETRY_MAX_MS = 60_000;
const SETTLED_MS = 5000;
/** Sockets of one page; further cards show what was true when it was made. */
const MOST_FOLLOWED = 12;

/** The part of a device's description that is shown in place. */
interface Description extends Health {
  readonly features: { readonly name: boolean; readonly link: boolean; readonly lan: boolean };
  readonly access: { readonly mode: string; readonly people: readonly string[] };
  readonly connection: {
    readonly online: boolean;
    readonly since: number;
    readonly address: string | null;
    readonly agent: string;
  } | null;
  readonly name: {
    readonly ipv4: string | null;
    readonly ipv6: string | null;
    readonly tokens: number;
  } | null;
}

export function live(): void {
  const roots = [...document.querySelectorAll<HTMLElement>("[data-device]")];
  for (const root of roots.slice(0, MOST_FOLLOWED)) follow(root, RETRY_MIN_MS);
}

function follow(root: HTMLElement, retryMs: number): void {
  const url = new URL(`/api/devices/${root.dataset.device}/live`, location.href);
  url.protocol = url.protocol === "https:" ? "wss:" : "ws:";
  const socket = new WebSocket(url);
  const openedAt = performance.now();
  socket.addEventListener("message", (event) => {
    if (typeof event.data === "string") show(root, JSON.parse(event.data) as Description);
  });
  socket.addEventListener("close", () => {
    const settled = performance.now() - openedAt > SETTLED_MS;
    const wait = settled ? RETRY_MIN_MS : retryMs;
    setTimeout(() => follow(root, Math.min(wait * 2, RETRY_MAX_MS)), wait);
  });
}

function show(root: HTMLElement, device: Description): void {
  const { features, access, connection, name } = device;
  if (settingsOf(features, access, name) !== root.dataset.settings) {
    const notice = root.querySelector<HTMLElement>("[data-changed]");
    if (notice !== null) notice.hidden = false;
    return;
  }
  root.dataset.live = liveOf(features, connection);
  showHealth(root, device);
  write(root, "address", connection?.address ?? null);
  write(root, "agent", connection?.agent ?? null);
  write(root, "ipv4", name?.ipv4 ?? null);
  write(root, "ipv6", name?.ipv6 ?? null);
  for (const time of root.querySelectorAll<HTMLTimeElement>('[data-bind="since"]')) {
    if (connection === null) continue;
    time.dateTime = new Date(connection.since).toISOString();
    writeTime(time);
  }
  const online = document.querySelector<HTMLElement>("[data-online-count]");
  if (online !== null) {
    online.textContent = String(document.querySelectorAll('[data-live="online"]').length);
  }
  const spoken = root.querySelector<HTMLElement>("[data-announce]");
  const sentence = root.querySelector<HTMLElement>(`.light .when-${root.dataset.live}`);
  if (spoken !== null && spoken.dataset.said !== root.dataset.live) {
    if (spoken.dataset.said !== undefined) spoken.textContent = sentence?.textContent ?? "";
    spoken.dataset.said = root.dataset.live;
  }
}

/** Everything that changes the page's shape, as the server wrote it into `data-settings`. */
function settingsOf(
  features: Description["features"],
  access: Description["access"],
  name: Description["name"],
): string {
  const people = [...access.people].sort().join(",");
  return `${features.name} ${features.link} ${features.lan} ${access.mode} ${name?.tokens ?? 0} ${people}`;
}

function liveOf(
  features: Description["features"],
  connection: Description["connection"],
): "online" | "offline" | "unseen" | "off" {
  if (!features.name && !features.link) return "off";
  if (connection === null) return "unseen";
  return connection.online ? "online" : "offline";
}

function write(root: HTMLElement, bind: string, value: string | null): void {
  for (const element of root.querySelectorAll<HTMLElement>(`[data-bind="${bind}"]`)) {
    element.textContent = value ?? element.dataset.none ?? "";
  }
}
