/**
 * What every frame does: it takes one document from the page that embeds it, shows it, and says so.
 * It has no origin and no network (workers/link/view.ts); what it cannot show, it names by a word.
 */

import type { FromFrame, ToFrame, Unit } from "../messages.ts";
import { Unshown } from "../unshown.ts";

export interface Opened {
  readonly name: string;
  /** As the device says; a hint. */
  readonly mime: string;
  readonly bytes: ArrayBuffer;
}

/** What a renderer made. */
export interface Shown {
  readonly pages?: number;
  readonly unit?: Unit;
  goTo?(page: number): void;
  /** 1 is the first size. */
  zoom(factor: number): void;
}

const FACTORS = [0.25, 0.33, 0.5, 0.67, 0.8, 1, 1.25, 1.5, 2, 3, 4];
const SHORTCUTS = new Set(["+", "=", "-", "0", "f", "d"]);

export function say(message: FromFrame): void {
  parent.postMessage(message, "*");
}

// No policy covers these (CSP has no word for WebRTC that Chromium knows). Nothing but our script runs
// here; should something, it does not find them.
for (const name of ["RTCPeerConnection", "webkitRTCPeerConnection", "RTCDataChannel"]) {
  Reflect.deleteProperty(globalThis, name);
}

let asked = 0;
const waiting = new Map<number, (bytes: ArrayBuffer | null) => void>();

/** A file of ours that the renderer does not carry along; null when there is none of that name. */
export function need(name: string): Promise<ArrayBuffer | null> {
  const id = asked++;
  return new Promise((resolve) => {
    waiting.set(id, resolve);
    say({ type: "need", id, name });
  });
}

/** The place in `name`d elements that the reader is at: the last one that begins above the middle. */
export function followPages(elements: readonly Element[]): (page: number) => void {
  let last = 0;
  const look = () => {
    const middle = innerHeight / 2;
    const page = elements.findLastIndex((one) => one.getBoundingClientRect().top <= middle) + 1;
    if (page !== last && page > 0) say({ type: "at", page });
    last = page;
  };
  addEventListener("scroll", look, { passive: true });
  return (page) => {
    elements[page - 1]?.scrollIntoView({ block: "start" });
    look();
  };
}

/** Opens the first document that comes, and no other. */
export function frame(open: (document: Opened) => Promise<Shown>): void {
  let opened = false;
  let shown: Shown | null = null;
  let factor = 1;
  addEventListener("message", ({ source, data }: MessageEvent<ToFrame>) => {
    if (source !== parent) return;
    switch (data.type) {
      case "open":
        if (opened) return;
        opened = true;
        open(data).then(
          (result) => {
            shown = result;
            say({ type: "shown", pages: result.pages ?? 0, unit: result.unit ?? "page" });
          },
          (error: unknown) => {
            say({ type: "failed", why: error instanceof Unshown ? error.why : "broken" });
          },
        );
        return;
      case "zoom": {
        const at = FACTORS.indexOf(factor);
        factor = data.step === 0 ? 1 : (FACTORS[at + data.step] ?? factor);
        shown?.zoom(factor);
        return say({ type: "zoomed", percent: Math.round(factor * 100) });
      }
      case "page":
        return shown?.goTo?.(data.page);
      case "resource":
        waiting.get(data.id)?.(data.bytes);
        waiting.delete(data.id);
    }
  });
  addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const turns = event.key === "ArrowLeft" || event.key === "ArrowRight";
    // Where the page is wider than the window, these keys move over it.
    const wide = document.documentElement.scrollWidth > innerWidth;
    if (SHORTCUTS.has(event.key) || (turns && !wide)) say({ type: "key", key: event.key });
  });
  // A link leads out of here only by the reader's word, which the page asks for.
  addEventListener(
    "click",
    (event) => {
      const link = event.target instanceof Element ? event.target.closest("a[href]") : null;
      const href = link?.getAttribute("href") ?? "#";
      if (link === null) return;
      if (href.startsWith("#")) {
        event.preventDefault();
        return void document.getElementById(decode(href.slice(1)))?.scrollIntoView();
      }
      event.preventDefault();
      say({ type: "link", href });
    },
    true,
  );
  addEventListener("auxclick", (event) => event.preventDefault(), true);
  say({ type: "ready" });
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

/** The one element that documents are put into. */
export function place(className: string): HTMLElement {
  const element = document.createElement("main");
  element.className = className;
  document.body.append(element);
  return element;
}

/** Text that is ours: a note above the document about what is not shown. */
export function note(before: Element, text: string): void {
  const element = document.createElement("p");
  element.className = "note";
  element.textContent = text;
  before.before(element);
}
